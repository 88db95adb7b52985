"""``rollouts demo``."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Literal

import click
import orjson
from rich.console import Console

from rollouts.cli.demo.options import DemoOptions, DemoResult
from rollouts.cli.demo.picture import PictureShow
from rollouts.cli.demo.run import INTERRUPTED, run_demo
from rollouts.cli.demo.show import LiveShow, PlainShow, Show
from rollouts.cli.demo.world import DemoUnavailable

_FAILED = 1
_INTERRUPTED_CODE = 130


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--rate", type=click.FloatRange(5, 300), default=60.0, show_default=True, help="Requests/s.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Also write an SVG picture.")
def demo_command(
    keep: bool, rate: float, output: Literal["text", "json"], no_color: bool, picture: Path | None
) -> None:
    """Show the product at work: a good commit reaches all traffic, a bad one goes back by itself.

    Everything runs on this machine and on loopback: an embedded cluster, pods that are real HTTP listeners,
    a gateway, load, a metrics store and a Git repository. Exit code 0 only if both outcomes happened.
    """
    console = Console(stderr=output == "json", no_color=no_color)
    options = DemoOptions(rate=rate, output=output, keep=keep, terminal=console.is_terminal)
    show = _show(options, console)
    if picture is not None:
        show = PictureShow(show, picture)
    try:
        result = asyncio.run(_until_signal(options, show))
    except DemoUnavailable as error:
        raise click.ClickException(str(error)) from error
    _report(result, output)
    sys.exit(0 if result.succeeded else _INTERRUPTED_CODE if result.problem == INTERRUPTED else _FAILED)


async def _until_signal(options: DemoOptions, show: Show) -> DemoResult:
    """End in order on SIGINT and SIGTERM: every part and every file goes before the process."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await run_demo(options, show, stop)


def _show(options: DemoOptions, console: Console) -> Show:
    return LiveShow(console) if options.terminal and options.output == "text" else PlainShow(console)


def _report(result: DemoResult, output: str) -> None:
    if result.problem:
        click.echo(result.problem, err=True)
    if output == "json":
        click.echo(orjson.dumps(result.summary(), option=orjson.OPT_INDENT_2).decode())
