"""The command that asks a Prometheus what is left of error budgets, and what the gate would say."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from analysis.cli_slo import FILES, FORMATS_HELP, fail, print_data, read_all
from analysis.providers.authentication import Credentials
from analysis.providers.connections import CONNECTIONS_VARIABLE, Connections
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ConfigurationError, ProviderError
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from analysis.providers.prometheus import ADDRESS_VARIABLE, PrometheusProvider
from analysis.providers.slo.budget import BudgetReader
from analysis.slo.budget import Numbers, burning, policy_of, reading_of
from analysis.slo.burn import time_to_exhaustion, windows_of
from analysis.slo.formats.imported import Imported
from analysis.slo.gate import GateState, decide_gate
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.periods import format_period, parse_period

EXIT_BLOCKED, EXIT_UNKNOWN = 1, 3


@click.command(name="status", epilog=FORMATS_HELP)
@FILES
@click.option("--address", default="", help="Prometheus for objectives that name none.")
@click.option("--allow-egress", default="", help="Hosts and CIDRs that may be reached, comma-separated.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
)
def status_command(paths: tuple[Path, ...], address: str, allow_egress: str, output: str) -> None:
    """Ask what is left of the budgets now, how fast they burn, and whether a rollout may start.

    Needs a Prometheus and no cluster. Exit code 0 when all may start, 1 when one is blocked, 3 when one is
    not known.
    """
    items = read_all(paths)
    try:
        policy = EgressPolicy.allowing(allow_egress.split(","))
        told = asyncio.run(_told(items, address, policy))
    except (ConfigurationError, ValueError) as error:
        fail(str(error))
    if output == "table":
        for facts in told:
            for line in _table(facts):
                click.echo(line)
    else:
        print_data(told, output)
    states = {facts["gate"] for facts in told}
    if GateState.BLOCKED.value in states:
        sys.exit(EXIT_BLOCKED)
    sys.exit(EXIT_UNKNOWN if GateState.UNKNOWN.value in states else 0)


async def _told(items: Sequence[Imported], address: str, policy: EgressPolicy) -> list[dict[str, Any]]:
    hidden = Hidden()
    connections = Connections.read(os.environ.get(CONNECTIONS_VARIABLE, ""), hidden)
    async with GuardedHttp(policy) as http:
        credentials = Credentials(http, _now, connections=connections, hidden=hidden)
        default = address or os.environ.get(ADDRESS_VARIABLE, "")
        reader = BudgetReader(PrometheusProvider(http, credentials, default))
        return [await _one(reader, str(number), item) for number, item in enumerate(items)]


async def _one(reader: BudgetReader, owner: str, item: Imported) -> dict[str, Any]:
    numbers: Numbers = {}
    problem = "its queries find no data"
    try:
        numbers = await reader.read(owner, item.spec, _now())
    except ProviderError as error:
        problem = str(error)
    return _facts(item, numbers, problem)


def _facts(item: Imported, numbers: Numbers, problem: str) -> dict[str, Any]:
    spec = item.spec
    reading = reading_of(spec, numbers, problem)
    found = decide_gate(policy_of(spec), reading, _now())
    return {
        "name": item.name,
        "namespace": item.namespace,
        "gate": found.state.value,
        "reason": found.reason,
        "remaining": reading.remaining,
        "exhaustedIn": _exhausted(spec, reading.remaining, numbers),
        "burn": [
            {
                "severity": pair.severity,
                "long": format_period(pair.long),
                "short": format_period(pair.short),
                "factor": float(f"{float(pair.factor):.6g}"),
                "longBurnRate": burning(spec, pair, numbers).long,
                "shortBurnRate": burning(spec, pair, numbers).short,
                "firing": burning(spec, pair, numbers).fires,
            }
            for pair in windows_of(spec)
        ],
    }


def _exhausted(spec: ServiceLevelObjectiveSpec, remaining: float | None, numbers: Numbers) -> str:
    """Return when the budget is gone at the rate of the first long window; "" when that is not foreseen."""
    pairs = windows_of(spec)
    rate = burning(spec, pairs[0], numbers).long if pairs else None
    if remaining is None or rate is None:
        return ""
    left = time_to_exhaustion(remaining, rate, parse_period(spec.window))
    if left is None or left > parse_period(spec.window):
        return ""
    return format_period(left - left % _MINUTE) if left >= _MINUTE else "0s"


_MINUTE = parse_period("1m")


def _table(facts: Mapping[str, Any]) -> list[str]:
    where = f"{facts['namespace']}/" if facts["namespace"] else ""
    left = "unknown" if facts["remaining"] is None else f"{facts['remaining']:.1%}"
    gone = f", gone in {facts['exhaustedIn']} at this rate" if facts["exhaustedIn"] else ""
    lines = [
        f"{where}{facts['name']}: {facts['gate']}",
        f"  budget left  {left}{gone}",
        f"  gate         {facts['reason']}",
        "  severity  long  short  burn rates     alerts above  firing",
    ]
    for pair in facts["burn"]:
        rates = f"{_rate(pair['longBurnRate'])} / {_rate(pair['shortBurnRate'])}"
        firing = "yes" if pair["firing"] else "no"
        lines.append(
            f"  {pair['severity']:<8}  {pair['long']:<4}  {pair['short']:<5}  {rates:<13}"
            f"  {pair['factor']:<12g}  {firing}"
        )
    return lines


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3g}"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a command line has no other clock
