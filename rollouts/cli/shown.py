"""Showing one thing once, or following it: the part that `get`, `list` and `explain` share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from rollouts.cli.connection import emit
from rollouts.cli.following import follow
from rollouts.cli.outcome import EXIT_OK, EXIT_PROBLEM
from rollouts.cli.render import console, plain, show
from rollouts.clock import SystemClock
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Resource

if TYPE_CHECKING:
    from rollouts.kube.client import HttpKubeApi
    from rollouts.kube.informer import InformerCache

TICK_SECONDS = 1.0
"""How often ages and times to go are drawn anew on a terminal."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command shows: plain data, parts for a terminal, and one line for a pipe that follows changes.

    ``line`` of None means that the parts themselves are written after each change. Data that only says how
    old things are is no change: ``same`` is what is compared.
    """

    data: Any
    parts: Sequence[RenderableType]
    line: str | None = None
    same: Any = None


Load = Callable[[Cache], Awaitable[Answer | None]]
"""Returns what is to be shown now, None when the object is gone."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How to show it."""

    output: str
    no_color: bool = False
    timeout: float = 0.0


def show_once(answer: Answer, style: Style) -> None:
    """Print an answer."""
    if style.output == "table":
        show(answer.parts, no_color=style.no_color)
    else:
        emit(answer.data, style.output)


async def show_followed(
    api: HttpKubeApi, namespace: str | None, resources: Sequence[Resource], load: Load, style: Style
) -> int:
    """Show an answer again after each change, until interrupted. Returns the exit code."""
    screen = console(no_color=style.no_color)
    drawn = style.output == "table" and screen.is_terminal
    live = Live(console=screen, auto_refresh=False, vertical_overflow="visible") if drawn else None
    printer = _Printer(style.output)

    async def look(cache: InformerCache, trouble: str) -> int | None:
        answer = await load(cache)
        if answer is None and not trouble:
            if live is not None:
                live.stop()
            click.echo("it has been deleted", err=True)
            return EXIT_PROBLEM
        if live is not None and answer is not None:
            live.update(Group(*answer.parts, *_notes(trouble)), refresh=True)
        elif live is None:
            printer.take(answer, trouble)
        return None

    every = TICK_SECONDS if drawn else None
    with live or nullcontext():
        return await follow(
            api, namespace, resources, look, every=every, timeout=style.timeout, timeout_code=EXIT_OK
        )


def _notes(trouble: str) -> Iterable[RenderableType]:
    if trouble:
        yield Text(f"\n⚠ {trouble}", style="red")


class _Printer:
    """Writes an answer when it differs from the one before."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._last: Any = None
        self._trouble = ""

    def take(self, answer: Answer | None, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            click.echo(f"{_time()} {trouble}", err=True)
        self._trouble = trouble
        if answer is None or (self._last is not None and answer.same == self._last):
            return
        if self._output == "json":
            click.echo(json.dumps(answer.data, ensure_ascii=False))
        elif self._output == "yaml":
            click.echo("---")
            emit(answer.data, "yaml")
        elif answer.line is not None:
            click.echo(f"{_time()} {answer.line}")
        else:
            click.echo(("\n" if self._last is not None else "") + plain(answer.parts))
        self._last = answer.same


def _time() -> str:
    return SystemClock().now().astimezone().strftime("%H:%M:%S")
