"""Views as text: tables and trees, with colours only on a terminal. Piped text is neither cut nor padded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import NamedTuple

import click
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from rollouts.views.analysis import MetricRow, RunRow
from rollouts.views.experiment import ExperimentView
from rollouts.views.rollout import RolloutView, VersionRow, age

STYLES = {
    "Healthy": "green", "Successful": "green", "Running": "cyan", "Progressing": "cyan", "Paused": "yellow",
    "Inconclusive": "yellow", "Pending": "yellow", "Degraded": "red", "Failed": "red", "Error": "red",
    "ScaledDown": "dim", "Terminating": "dim",
    "ok": "green", "guarded": "yellow", "blocked": "red", "unknown": "yellow",
}  # fmt: skip
SIGNS = {
    "Healthy": "✔", "Successful": "✔", "Running": "◌", "Progressing": "◌", "Paused": "॥", "Inconclusive": "?",
    "Pending": "◌", "Degraded": "✖", "Failed": "✖", "Error": "⚠", "ScaledDown": "•", "Terminating": "•",
    "ok": "✔", "guarded": "॥", "blocked": "✖", "unknown": "?",
}  # fmt: skip

WIDE = 110
"""From this many columns on there is room for everything."""
UNCUT = 100_000
"""Width of a console that is no terminal: wider than any line."""


def console(*, no_color: bool = False) -> Console:
    """Return a console on standard output."""
    return Console(no_color=no_color or None, highlight=False, markup=False, emoji=False)


def show(parts: Iterable[RenderableType], *, no_color: bool = False) -> None:
    """Print what a command answers."""
    screen = console(no_color=no_color)
    if screen.is_terminal:
        for part in parts:
            screen.print(part)
        return
    click.echo(plain(parts))


def plain(parts: Iterable[RenderableType]) -> str:
    """Return text without colours and without blanks at the ends of lines."""
    paper = Console(
        file=StringIO(),
        no_color=True,
        highlight=False,
        markup=False,
        emoji=False,
        width=UNCUT,
        force_terminal=False,
    )
    with paper.capture() as captured:
        for part in parts:
            paper.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def state(word: str) -> Text:
    """Return a state with its sign and colour; a container's waiting reason that is an error shows as one."""
    bad = word not in STYLES and any(part in word for part in ("BackOff", "Err", "Invalid", "Evicted", "OOM"))
    return Text(
        f"{SIGNS.get(word, '✖' if bad else '•')} {word}", style=STYLES.get(word, "red" if bad else "")
    )


def plain_table(*columns: str) -> Table:
    """Return a table without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("NAME", "AGE", "STATUS", "KIND"))
    return table


class Node(NamedTuple):
    """One line of a tree, and what hangs on it."""

    name: str
    kind: str
    status: str
    age_seconds: int | None
    info: str
    children: Sequence[Node] = ()


class Tree:
    """A tree as a table. On a narrow terminal the kinds are left out; each has its own sign anyway."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for the width that there is."""
        wide = options.max_width >= WIDE
        table = plain_table("NAME", *(("KIND",) if wide else ()), "STATUS", "AGE", "INFO")
        for prefix, node in _walk(self._root, "", ""):
            status = state(node.status) if node.status else Text("")
            shown_age = "" if node.age_seconds is None else age(node.age_seconds)
            kind = (node.kind,) if wide else ()
            table.add_row(Text(prefix + node.name), *kind, status, shown_age, Text(node.info))
        yield table


def _walk(node: Node, first: str, rest: str) -> Iterator[tuple[str, Node]]:
    yield first, node
    for number, child in enumerate(node.children):
        last = number == len(node.children) - 1
        yield from _walk(child, rest + ("└──" if last else "├──"), rest + ("   " if last else "│  "))


def _facts(pairs: Iterable[tuple[str, str | Text]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(name, value if isinstance(value, Text) else Text(value))
    return table


def rollout_parts(view: RolloutView) -> Iterable[RenderableType]:
    """Yield what `get rollout` shows."""
    yield _facts(_rollout_facts(view))
    yield Text("")
    versions = [_version_node(version) for version in view.versions]
    yield Tree(Node(f"⟳ {view.name}", "Rollout", view.phase, view.age_seconds, "", versions))


def _rollout_facts(view: RolloutView) -> Iterator[tuple[str, str | Text]]:
    yield "Name:", f"{view.namespace}/{view.name}"
    yield "Status:", state(view.phase)
    yield "Message:", view.message
    yield "Strategy:", view.strategy
    yield "  Step:", view.step
    yield "  SetWeight:", "" if view.set_weight is None else str(view.set_weight)
    yield "  ActualWeight:", "" if view.actual_weight is None else str(view.actual_weight)
    live = [version for version in view.versions if version.desired or version.roles]
    images = [f"{i} ({', '.join(v.roles)})" if v.roles else i for v in live for i in v.images]
    yield "Images:", ", ".join(images)
    yield (
        "Replicas:",
        f"{view.desired} desired, {view.current} current, {view.updated} updated, "
        f"{view.ready} ready, {view.available} available",
    )


def _version_node(version: VersionRow) -> Node:
    pods = [
        Node(
            f"□ {pod.name}", "Pod", pod.status, pod.age_seconds,
            f"ready:{pod.ready}"
            + (f", restarts:{pod.restarts}" if pod.restarts else "")
            + (f", {pod.trouble}" if pod.trouble else ""),
        )
        for pod in version.pods
    ]  # fmt: skip
    info = f"{version.available}/{version.desired} available"
    if version.scale_down_at:
        info += f", scaled down at {version.scale_down_at}"
    replica_set = Node(f"⧉ {version.name}", "ReplicaSet", version.status, version.age_seconds, info, pods)
    words = ", ".join((*version.roles, *version.images))
    runs = [_run_node(run) for run in version.runs]
    return Node(f"# revision:{version.revision}", "", "", None, words, [replica_set, *runs])


def _run_node(run: RunRow) -> Node:
    metrics = [Node(f"Σ {m.metric}", "Metric", m.phase, None, m.standing()) for m in run.metrics]
    info = f"{run.kind}: {run.message}" if run.kind and run.message else run.kind or run.message
    return Node(f"α {run.name}", "AnalysisRun", run.phase, run.age_seconds, info, metrics)


def run_parts(run: RunRow) -> Iterable[RenderableType]:
    """Yield what `get analysisrun` shows."""
    yield _facts(
        (
            ("Name:", f"{run.namespace}/{run.name}"),
            ("Status:", state(run.phase)),
            ("Message:", run.message),
            ("Purpose:", run.kind),
        )
    )
    yield Text("")
    table = plain_table(
        "METRIC", "STATUS", "VALUE", "CONDITION", "MEASURED", "✔", "✖", "?", "⚠", "NEXT", "MESSAGE"
    )
    for metric in run.metrics:
        table.add_row(*_metric_cells(metric))
    yield table


def _metric_cells(m: MetricRow) -> list[str | Text]:
    of = f"{m.measured}/{m.wanted}" if m.wanted else str(m.measured)
    failed = str(m.failed) if m.failure_limit is None else f"{m.failed} (limit {m.failure_limit})"
    message = f"dry run {m.message}".strip() if m.dry_run else m.message
    return [
        Text(m.metric), state(m.phase), Text(m.value), Text(m.condition), of, str(m.successful), failed,
        str(m.inconclusive), str(m.errors), m.next_at, Text(message),
    ]  # fmt: skip


def experiment_parts(view: ExperimentView) -> Iterable[RenderableType]:
    """Yield what `get experiment` shows."""
    yield _facts(
        (
            ("Name:", f"{view.namespace}/{view.name}"),
            ("Status:", state(view.phase)),
            ("Message:", view.message),
            ("Duration:", view.duration),
        )
    )
    yield Text("")
    templates = [
        Node(
            f"⧉ {t.name}",
            "Template",
            t.status,
            None,
            f"{t.available}/{t.replicas} available {t.message}".strip(),
        )
        for t in view.templates
    ]
    runs = [_run_node(run) for run in view.runs]
    yield Tree(Node(f"Σ {view.name}", "Experiment", view.phase, view.age_seconds, "", [*templates, *runs]))
