"""Kinds as people spell them, and names that the shell can complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "rollout": ("rollout", "rollouts", "ro"),
    "experiment": ("experiment", "experiments", "exp"),
    "analysisrun": ("analysisrun", "analysisruns", "ar"),
}
"""The spellings of each kind; the first one is shown."""


def kind_of(word: str) -> str:
    """Return the kind that a word stands for, "" for none."""
    return next((kind for kind, words in SPELLINGS.items() if word.lower() in words), "")


class KindGroup(click.Group):
    """A group whose commands are kinds: every spelling of a kind works."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a kind."""
        return super().get_command(ctx, kind_of(cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a kind; a word that is none was probably meant as a name."""
        if args and not kind_of(args[0]) and not args[0].startswith("-"):
            kinds = ", ".join(sorted(self.commands))
            path = ctx.command_path
            raise click.UsageError(
                f"{args[0]!r} is not a kind ({kinds}). Did you mean `{path} rollout {args[0]}`?", ctx
            )
        return super().resolve_command(ctx, args)


class ObjectName(click.ParamType):  # type: ignore[type-arg]
    """The name of an object; completed from the cluster."""

    name = "name"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, without a leading ``rollout/``."""
        kind, slash, rest = str(value).partition("/")
        return rest if slash and kind_of(kind) == self.kind else str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin with what is typed; none when the cluster does not answer."""
        params = {k: v for c in (ctx.find_root(), ctx) for k, v in c.params.items() if v}
        return [CompletionItem(name) for name in _names(self.kind, params) if name.startswith(incomplete)]


def without_kind(kind: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return the names of ``rollout web`` or ``web api``: a leading kind is dropped when a name follows."""
    names = words[1:] if len(words) > 1 and kind_of(words[0]) == kind else words
    return tuple(dict.fromkeys(names))


def _names(kind: str, params: Mapping[str, Any]) -> list[str]:
    import asyncio  # noqa: PLC0415 - only when the shell asks

    from rollouts.cli.connection import Target  # noqa: PLC0415

    flags = [str(params.get(name) or "") for name in ("kubeconfig", "context", "namespace")]

    async def ask() -> list[str]:
        from rollouts.kube import objects  # noqa: PLC0415

        target = Target(*flags)
        async with target.connect() as api:
            resource = next(r for r in _resources() if r.kind.lower() == kind)
            return [objects.name_of(o) for o in (await api.list(resource, target.namespace)).items]

    try:
        return asyncio.run(asyncio.wait_for(ask(), COMPLETION_SECONDS))
    except (click.ClickException, TimeoutError):
        return []


COMPLETION_SECONDS = 4.0


def _resources() -> tuple[Any, ...]:
    from rollouts.kube import objects  # noqa: PLC0415

    return objects.ROLLOUTS, objects.EXPERIMENTS, objects.ANALYSIS_RUNS
