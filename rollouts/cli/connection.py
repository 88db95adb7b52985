"""How commands reach a cluster, and how their answers are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rollouts.cli.outcome import not_found, not_served, problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rollouts.cli.kubeconfig import Contexts
    from rollouts.kube.api import KubeApi
    from rollouts.kube.client import HttpKubeApi
    from rollouts.kube.objects import Manifest, Resource

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Target:
    """Where a command works: kubeconfig, context and namespace."""

    def __init__(self, kubeconfig: str, context: str, namespace: str) -> None:
        self.kubeconfig, self.context, self._namespace = kubeconfig, context, namespace

    @cached_property
    def contexts(self) -> Contexts:
        """Return what the kubeconfig says."""
        from rollouts.cli.kubeconfig import read_contexts  # noqa: PLC0415 - keeps --help fast

        return read_contexts(self.kubeconfig)

    @property
    def namespace(self) -> str:
        """Return the namespace of the flag, else of the kubeconfig's context, else ``default``."""
        return self._namespace or self.contexts.namespace(self.context) or "default"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[HttpKubeApi]:
        """Open a client and close it. Raises ClickException when there is no cluster, or it refuses."""
        from rollouts.cli.kubeconfig import missing_file  # noqa: PLC0415 - keeps --help fast
        from rollouts.clock import SystemClock  # noqa: PLC0415
        from rollouts.kube import errors  # noqa: PLC0415
        from rollouts.kube.client import HttpKubeApi  # noqa: PLC0415

        missing = missing_file(self.kubeconfig)
        if missing:
            raise click.ClickException(
                f"{missing}. Set --kubeconfig or KUBECONFIG; `rollouts demo` needs none"
            )
        self.contexts.check(self.context)
        try:
            api = await HttpKubeApi.load(self.kubeconfig, self.context, clock=SystemClock())
        except errors.KubeError as error:
            raise problem(error, "", "") from error
        try:
            yield api
        except errors.KubeError as error:
            context = self.context or self.contexts.current
            raise problem(error, self.contexts.server(self.context), context) from error
        finally:
            await api.close()

    async def read(self, api: KubeApi, resource: Resource, name: str) -> Manifest:
        """Return an object of the namespace. Raises ClickException that helps to find it."""
        from rollouts.kube import errors  # noqa: PLC0415 - keeps --help fast

        try:
            return await api.get(resource, self.namespace, name)
        except errors.NotFound as error:
            raise await not_found(api, resource, self.namespace, name) from error

    async def list(self, api: KubeApi, resource: Resource, namespace: str | None) -> list[Manifest]:
        """Return the objects of a namespace, of all for None. Raises ClickException without the CRD."""
        from rollouts.kube import errors  # noqa: PLC0415 - keeps --help fast

        try:
            return list((await api.list(resource, namespace)).items)
        except errors.NotFound as error:
            raise click.ClickException(not_served(resource)) from error


_OPTIONS = (
    click.option("--kubeconfig", default="", metavar="FILE", help="Kubeconfig to use."),
    click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig."),
    click.option("-n", "--namespace", default="", metavar="NAME", help="Namespace."),
)


def cluster_options(command: F) -> F:
    """Add the options that every command on a cluster has; the command gets a ``target``.

    They may stand before the command's name too, as kubectl's may.
    """

    def wrapped(kubeconfig: str, context: str, namespace: str, **rest: Any) -> Any:
        early = click.get_current_context().find_root().params
        target = Target(
            kubeconfig or early.get("kubeconfig") or "",
            context or early.get("context") or "",
            namespace or early.get("namespace") or "",
        )
        return command(target=target, **rest)

    update_wrapper(wrapped, command)
    for option in _OPTIONS:
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def early_options(command: F) -> F:
    """Add the cluster options to the command group, hidden."""
    for name in ("--kubeconfig", "--context"):
        command = click.option(name, default="", hidden=True)(command)
    return click.option("-n", "--namespace", default="", hidden=True)(command)


output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True,
    help="How to write the answer.",
)  # fmt: skip


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A length of time: 90, 90s, 1m30s. The value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        from rollouts.api.scalars import ScalarError, parse_duration  # noqa: PLC0415 - keeps --help fast

        if isinstance(value, float):
            return value
        try:
            length = parse_duration(value)
        except ScalarError as error:
            self.fail(str(error), param, ctx)
        if length < timedelta():
            self.fail(f"{value} is negative", param, ctx)
        return length.total_seconds()


def timeout_option(*names: str) -> Callable[[F], F]:
    """Return the option for how long to wait."""
    return click.option(
        *names, "timeout", type=Seconds(), default="0", metavar="DURATION",
        help="Stop after this time, such as 90s or 5m; 0 for never.",
    )  # fmt: skip


def emit(data: Any, output: str) -> None:
    """Write plain data as JSON or YAML; a following document of YAML begins with a line of dashes."""
    if output == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    import yaml  # noqa: PLC0415 - keeps --help fast

    plain = json.loads(json.dumps(data))
    click.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip())


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; a problem inside of a task group comes out as itself."""
    import asyncio  # noqa: PLC0415 - keeps --help fast

    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        raise first_problem(group) from None


def first_problem(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return the first exception of nested groups."""
    inner = group.exceptions[0]
    return first_problem(inner) if isinstance(inner, BaseExceptionGroup) else inner
