"""The command that lets stable pods play the canary, and counts the false alarms."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click
from prometheus_client import CollectorRegistry, start_http_server

from analysis.aa.driver import Sham
from analysis.aa.rates import Rates
from analysis.aa.watch import Published, Watch, told
from analysis.cli_history import moment_of, period_of
from analysis.counts.errors import CountsError
from analysis.files import given_arguments, run_spec
from analysis.judges.profiles import FULL_LOOK_BACK, Call
from analysis.providers.authentication import Credentials
from analysis.providers.canary.backend import Backend
from analysis.providers.canary.config import NAME, CanaryConfig, read_config
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ProviderError
from analysis.providers.http import GuardedHttp
from analysis.providers.prometheus import ADDRESS_VARIABLE
from analysis.spec.arguments import resolve_metric, values_without_secrets
from analysis.spec.errors import SpecError

RETRY_SECONDS = 60.0


@click.command(name="aa")
@click.option(
    "-f", "--file", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--from", "start", default="-24h", show_default=True, metavar="TIME", help="Where it begins.")
@click.option("--to", "end", default="-0s", metavar="TIME", help="Where the history ends (default: now).")
@click.option("--release", "length", default="20m", show_default=True, help="How long a sham release lasts.")
@click.option(
    "--share",
    type=click.FloatRange(0.01, 0.5),
    default=0.5,
    show_default=True,
    help="Part of the pods that plays the canary.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Of the chance by which pods are chosen."
)
@click.option("--live", is_flag=True, help="Go on for ever, and publish the rates.")
@click.option("--port", type=int, default=9_099, show_default=True, help="Where --live serves /metrics.")
@click.option(
    "--address", default="", help=f"The Prometheus of metrics that name none; else {ADDRESS_VARIABLE}."
)
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Give an argument its value.")
@click.option("--allow-egress", default="", help="Hosts and CIDRs that may be reached, comma-separated.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def aa_command(
    path: Path,
    start: str,
    end: str,
    length: str,
    share: float,
    seed: int,
    live: bool,
    port: int,
    address: str,
    arguments: tuple[str, ...],
    allow_egress: str,
    output: str,
) -> None:
    """Judge stable pods against stable pods, and say how often the judge would have cried wolf.

    Each metric of the template with the plugin rollouts.dev/canary is judged as in a release; a part of the
    stable pods, chosen by chance for each release, plays the canary. With --live it goes on and publishes
    rollouts_aa_releases_total and rollouts_aa_false_alarm_ratio by metric.

    \b
    python -m analysis aa -f template.yaml --arg stable=5d9c7b --arg canary=aa --from -7d
    """
    now = datetime.now(UTC)  # noqa: TID251 - a command line has no other clock
    try:
        configs = canary_metrics(path, given_arguments(arguments))
        first, last = moment_of(start, now).timestamp(), moment_of(end, now).timestamp()
        seconds = period_of(length).total_seconds()
        policy = EgressPolicy.allowing(allow_egress.split(","))
        if first >= last:
            raise ValueError(f"the history is empty: --from {start} is not before --to {end}")
    except (SpecError, ProviderError, ValueError) as error:
        _fail(str(error))
    chance = random.Random(seed)  # noqa: S311 - a split of pods, not a secret

    async def whole() -> None:
        async with GuardedHttp(policy) as http:
            default = address or os.environ.get(ADDRESS_VARIABLE, "")
            backend = Backend(http, Credentials(http, _now), default)
            watches = [
                Watch(
                    name,
                    config,
                    backend,
                    length=max(1, round(seconds / config.tick)),
                    share=share,
                    chance=chance,
                    start=first + FULL_LOOK_BACK * config.tick,
                )
                for name, config in configs.items()
            ]
            found = [(watch, await watch.round(last)) for watch in watches]
            _print(found, seconds, output)
            if live:
                await _go_on(watches, found, port)

    try:
        asyncio.run(whole())
    except (ProviderError, CountsError, OSError) as error:
        _fail(str(error))


def canary_metrics(path: Path, given: dict[str, str]) -> dict[str, CanaryConfig]:
    """Return the configurations of a template's judges. Raises SpecError or ProviderError."""
    spec = run_spec(path, given)
    values = values_without_secrets(spec.args)
    judged = [metric for metric in spec.metrics if NAME in (metric.provider.plugin or {})]
    if not judged:
        raise SpecError("", f"{path} has no metric with the plugin {NAME}")
    resolved = [resolve_metric(metric, values, f"metric '{metric.name}'") for metric in judged]
    return {metric.name: read_config(metric) for metric in resolved}


async def _go_on(
    watches: Sequence[Watch], past: Sequence[tuple[Watch, tuple[Sham, ...]]], port: int
) -> NoReturn:
    registry = CollectorRegistry()
    published = Published(registry)
    for watch, shams in past:
        published.tell(watch.name, shams, watch.rates)
    start_http_server(port, registry=registry)
    click.echo(f"publishing on port {port}", err=True)
    while True:
        until = min(watch.due_at for watch in watches) - _now().timestamp()
        await asyncio.sleep(max(1.0, until))  # noqa: TID251 - a command line has no other clock
        for watch in watches:
            try:
                published.tell(watch.name, await watch.round(_now().timestamp()), watch.rates)
            except (ProviderError, CountsError) as error:
                click.echo(f"{watch.name}: {error}; trying again", err=True)
                await asyncio.sleep(RETRY_SECONDS)  # noqa: TID251


def _print(found: Sequence[tuple[Watch, tuple[Sham, ...]]], seconds: float, output: str) -> None:
    if output == "json":
        click.echo(json.dumps([_as_json(watch.name, shams, watch.rates) for watch, shams in found], indent=2))
        return
    for watch, shams in found:
        for sham in shams:
            if sham.worst in (Call.SUSPECT, Call.ABORT):
                click.echo(f"  {_line(watch.name, sham)}")
        click.echo(told(watch.name, watch.rates, seconds))


def _line(name: str, sham: Sham) -> str:
    begun = datetime.fromtimestamp(sham.start, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    who = ", ".join(sham.canary[:4]) + (", …" if len(sham.canary) > 4 else "")
    worst = sham.worst.value if sham.worst else sham.why
    return f"{begun} {name}: {worst}, {sham.canary_bad:g}/{sham.canary_requests:g} bad on {who}"


def _as_json(name: str, shams: Sequence[Sham], rates: Rates) -> dict[str, Any]:
    share, low, high = rates.share(Call.ABORT)
    return {
        "metric": name,
        "releases": rates.judged,
        "unjudged": rates.unjudged,
        "falseAlarms": {"count": rates.at_least(Call.ABORT), "share": share, "low": low, "high": high},
        "suspected": rates.at_least(Call.SUSPECT),
        "frozen": rates.at_least(Call.FREEZE),
        "alarms": [_line(name, sham) for sham in shams if sham.worst is Call.ABORT],
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a command line has no other clock


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(2)
