"""How commands reach a cluster, and how their answers are written."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import yaml

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rollouts.kube.api import KubeApi

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

EXIT_DEGRADED = 1
EXIT_USAGE = 2
EXIT_TIMEOUT = 3


class Target:
    """Where a command works: kubeconfig, context and namespace."""

    def __init__(self, kubeconfig: str, context: str, namespace: str) -> None:
        self.kubeconfig, self.context, self._namespace = kubeconfig, context, namespace

    @property
    def namespace(self) -> str:
        """Return the namespace of the flag, else of the kubeconfig's context, else ``default``."""
        return self._namespace or self._of_context() or "default"

    def _of_context(self) -> str:
        path = Path(
            self.kubeconfig or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or "~/.kube/config"
        )
        try:
            config = yaml.safe_load(path.expanduser().read_text()) or {}
        except OSError:
            return ""
        wanted = self.context or config.get("current-context")
        contexts = [c.get("context") or {} for c in config.get("contexts") or () if c.get("name") == wanted]
        return str(contexts[0].get("namespace") or "") if contexts else ""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[KubeApi]:
        """Open a client and close it. Raises ClickException when there is no cluster to reach."""
        from rollouts.clock import SystemClock  # noqa: PLC0415 - keeps --help fast
        from rollouts.kube import errors  # noqa: PLC0415
        from rollouts.kube.client import HttpKubeApi  # noqa: PLC0415

        try:
            api = await HttpKubeApi.load(self.kubeconfig, self.context, clock=SystemClock())
        except errors.KubeError as error:
            raise click.ClickException(f"no cluster: {error}. Set --kubeconfig or KUBECONFIG.") from error
        try:
            yield api
        except errors.NotFound as error:
            raise click.ClickException(f"not found: {error}") from error
        except errors.KubeError as error:
            raise click.ClickException(f"the API server refused or did not answer: {error}") from error
        finally:
            await api.close()


def cluster_options(command: F) -> F:
    """Add the options that every command on a cluster has; the command gets a ``target``."""

    def wrapped(kubeconfig: str, context: str, namespace: str, **rest: Any) -> Any:
        return command(target=Target(kubeconfig, context, namespace), **rest)

    update_wrapper(wrapped, command)
    options = (
        click.option("--kubeconfig", default="", metavar="FILE", help="Kubeconfig to use."),
        click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig."),
        click.option("-n", "--namespace", default="", metavar="NAME", help="Namespace."),
    )
    for option in options:
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True,
    help="How to write the answer.",
)  # fmt: skip


def emit(data: Any, output: str) -> None:
    """Write plain data as JSON or YAML."""
    if output == "json":
        click.echo(json.dumps(data, indent=2))
    else:
        click.echo(yaml.safe_dump(data, sort_keys=False).rstrip())


def run_async(work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
    """Run a coroutine to its end."""

    async def outer() -> T:
        return await work

    return asyncio.run(outer())
