"""The command that runs a template over recorded history."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import click

from analysis.backtest.history import ClientRanges, HistoryProvider, whole_second
from analysis.backtest.plot import NoPlot, plot
from analysis.backtest.rehearsal import JumpingClock, Rehearsed, TooLong, rehearse
from analysis.backtest.report import as_json, lines, summary
from analysis.files import given_arguments, run_spec
from analysis.providers.authentication import Credentials
from analysis.providers.canary.backend import Backend
from analysis.providers.canary.provider import CanaryProvider
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ConfigurationError
from analysis.providers.http import GuardedHttp
from analysis.providers.kayenta_judge.provider import KayentaJudgeProvider
from analysis.providers.prometheus import ADDRESS_VARIABLE, PrometheusProvider
from analysis.providers.registry import ProviderRegistry
from analysis.providers.slo.provider import SloProvider
from analysis.run.plan import RunRejected
from analysis.slo.periods import parse_period
from analysis.spec.errors import SpecError
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import Phase

MOST_RUNS = 1_000


@click.command(name="backtest")
@click.option(
    "-f", "--file", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--from", "start", required=True, metavar="TIME", help="When the run starts: 2026-01-31T12:00Z or -6h."
)
@click.option("--to", "end", default="-0s", metavar="TIME", help="Where the history ends (default: now).")
@click.option("--every", metavar="DURATION", help="Start one run after the other, this far apart.")
@click.option(
    "--address", default="", help=f"The Prometheus for metrics that name none; else {ADDRESS_VARIABLE}."
)
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Give an argument its value.")
@click.option("--allow-egress", default="", help="Hosts and CIDRs that may be reached, comma-separated.")
@click.option(
    "--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture (PNG, SVG)."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def backtest_command(
    path: Path,
    start: str,
    end: str,
    every: str | None,
    address: str,
    arguments: tuple[str, ...],
    allow_egress: str,
    picture: Path | None,
    output: str,
) -> None:
    """Run a template over recorded Prometheus history, and say what it would have decided.

    Conditions, limits and plugins (rollouts.dev/canary, rollouts.dev/slo) are those of the controller; only
    the clock jumps. With --every, runs start one after the other: over a time in which nothing was wrong,
    each one that fails is a false alarm.

    \b
    python -m analysis backtest -f template.yaml --from -6h --address http://prometheus:9090
    python -m analysis backtest -f template.yaml --from -7d --every 1h --arg service=shop

    Exit code 0 when every run was Successful (or not decided), 1 when one Failed, 3 when one was
    Inconclusive, 2 for everything else.
    """
    now = datetime.now(UTC)  # noqa: TID251 - a command line has no other clock
    try:
        spec = run_spec(path, given_arguments(arguments))
        first, last = moment_of(start, now), moment_of(end, now)
        starts = _starts(first, last, every)
        policy = EgressPolicy.allowing(allow_egress.split(","))
        runs = asyncio.run(_runs(spec, starts, last, address, policy))
    except (SpecError, RunRejected, ConfigurationError, TooLong, ValueError) as error:
        _fail(str(error))
    _print(runs, output)
    if picture is not None:
        try:
            plot(runs[0], picture)
        except NoPlot as error:
            click.echo(f"no picture: {error}", err=True)
    sys.exit(_exit_code(runs))


async def _runs(
    spec: AnalysisRunSpec, starts: Sequence[datetime], until: datetime, address: str, policy: EgressPolicy
) -> list[Rehearsed]:
    address = address or os.environ.get(ADDRESS_VARIABLE, "")
    found = []
    async with GuardedHttp(policy) as http:
        for start in starts:
            clock = JumpingClock(start)
            found.append(await rehearse(spec, _registry(http, clock, address, until), clock, until))
    return found


def _registry(http: GuardedHttp, clock: JumpingClock, address: str, until: datetime) -> ProviderRegistry:
    """Return what can be asked for the past: Prometheus, and the plugins that ask it."""
    credentials = Credentials(http, clock.read)
    live = PrometheusProvider(http, credentials, address)
    plugins = (
        SloProvider(live),
        CanaryProvider(Backend(http, credentials, address)),
        KayentaJudgeProvider(live),
    )
    return ProviderRegistry([HistoryProvider(live, ClientRanges(), address, until)], plugins)


def moment_of(text: str, now: datetime) -> datetime:
    """Read a time, or how long ago it was. Raises ValueError."""
    if text.startswith("-"):
        return whole_second(now - period_of(text[1:]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is no time: wanted 2026-01-31T12:00Z, or -6h for six hours ago"
        ) from None
    return whole_second(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def period_of(text: str) -> timedelta:
    """Read a duration, days and weeks included. Raises ValueError."""
    return timedelta() if text in ("0", "0s") else parse_period(text)


def _starts(first: datetime, last: datetime, every: str | None) -> list[datetime]:
    if first >= last:
        raise ValueError(f"the history is empty: --from {first} is not before --to {last}")
    if every is None:
        return [first]
    apart = period_of(every)
    count = (last - first) // apart + (1 if (last - first) % apart else 0) if apart else 0
    if not 1 <= count <= MOST_RUNS:
        raise ValueError(f"--every {every} makes {count} runs; wanted 1 to {MOST_RUNS}")
    return [first + apart * index for index in range(count)]


def _print(runs: Sequence[Rehearsed], output: str) -> None:
    if output == "json":
        click.echo(json.dumps([as_json(run) for run in runs], indent=2))
        return
    for run in runs:
        for line in lines(run, measurements=len(runs) == 1):
            click.echo(line)
    if len(runs) > 1:
        click.echo(summary(runs))


def _exit_code(runs: Sequence[Rehearsed]) -> int:
    phases = {run.status.phase for run in runs}
    for phase, code in ((Phase.FAILED, 1), (Phase.ERROR, 2), (Phase.INCONCLUSIVE, 3)):
        if phase.value in phases:
            return code
    return 0


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(2)
