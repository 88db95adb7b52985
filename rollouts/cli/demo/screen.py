"""The live table of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollouts.cli.demo.frame import Frame, MetricRow, StepRow, VersionRow, milliseconds
from rollouts.cli.demo.options import Outcome

_MARKS = {"done": ("✔", "green"), "now": ("▶", "bold yellow"), "next": ("·", "dim")}
_PHASES = {
    "Healthy": "green",
    "Synced": "green",
    "Successful": "green",
    "Degraded": "red",
    "Failed": "red",
    "Error": "red",
    "OutOfSync": "yellow",
    "Progressing": "yellow",
    "Running": "yellow",
    "Paused": "yellow",
}
_BAR = 20
_LAST_EVENTS = 6
_COLUMNS = (
    "",
    "version",
    "hash",
    "role",
    "ready",
    "asked",
    "measured at the pods",
    "",
    "req/s",
    "5xx",
    "p99",
)
_NUMBERS = frozenset({"asked", "req/s", "5xx", "p99"})


def render(frame: Frame, outcomes: Sequence[Outcome], places: Sequence[tuple[str, str]]) -> RenderableType:
    """Return the whole screen: chapters, state, steps, versions, measurements, events, addresses."""
    return Group(
        *(_outcome(outcome) for outcome in outcomes),
        _head(frame),
        _steps(frame.steps),
        Text(),
        _versions(frame.versions),
        Text(),
        _metrics(frame.metrics),
        Text(),
        _events(frame.events),
        Text(),
        _places(places),
    )


def _outcome(outcome: Outcome) -> Text:
    mark, style = ("✔", "green") if outcome.met else ("✘", "red")
    return Text(f" {mark} {outcome.chapter} ({outcome.commit[:7]}, {outcome.seconds:.0f} s)", style=style)


def _head(frame: Frame) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" ▶ {frame.chapter}", style="bold")
    text.append(f"   {frame.seconds:5.1f} s\n", style="dim")
    text.append(f"   commit {frame.commit[:7]}   Application ")
    text.append(frame.sync, style=_PHASES.get(frame.sync, ""))
    text.append("/")
    text.append(frame.health, style=_PHASES.get(frame.health, ""))
    text.append("   Rollout ")
    text.append(frame.phase, style=_PHASES.get(frame.phase, ""))
    if frame.message:
        text.append(f"\n   {frame.message}", style="dim")
    return text


def _steps(steps: Sequence[StepRow]) -> Text:
    text = Text("   ")
    for step in steps:
        mark, style = _MARKS[step.state]
        text.append(f"{mark} {step.text}  ", style=style)
    return text


def _versions(rows: Sequence[VersionRow]) -> Table:
    table = Table(box=None, padding=(0, 1), title_justify="left", header_style="bold")
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    for row in rows:
        bar = "█" * round(row.share * _BAR)
        table.add_row(
            " ",
            row.version,
            row.pod_hash,
            row.role,
            f"{row.ready}/{row.replicas}",
            "-" if row.asked is None else f"{row.asked}",
            Text(bar.ljust(_BAR, "░"), style="cyan"),
            f"{row.share:4.0%}",
            f"{row.rate:.0f}",
            Text(f"{row.errors:.0%}", style="red" if row.errors else ""),
            milliseconds(row.p99),
        )
    return table


def _metrics(rows: Sequence[MetricRow]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("", "analysis", "metric", "verdict", "last values", "must meet"):
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for row in rows:
        verdict = Text(f"{row.phase} ({row.counts})", style=_PHASES.get(row.phase, ""))
        table.add_row(" ", row.run, row.metric, verdict, "  ".join(row.values), row.condition)
    return table


def _events(events: Sequence[str]) -> Text:
    return Text(
        "\n".join(f"   {event}" for event in events[-_LAST_EVENTS:]),
        style="dim",
        overflow="ellipsis",
        no_wrap=True,
    )


def _places(places: Sequence[tuple[str, str]]) -> Text:
    return Text("\n".join(f"   {name:<11}{value}" for name, value in places), style="dim")
