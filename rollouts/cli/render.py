"""Views as text: tables and trees, with colours only on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rollouts.views.rollout import RolloutView, RunRow, VersionRow, age

STYLES = {
    "Healthy": "green", "Successful": "green", "Running": "cyan", "Progressing": "cyan", "Paused": "yellow",
    "Inconclusive": "yellow", "Pending": "yellow", "Degraded": "red", "Failed": "red", "Error": "red",
    "ScaledDown": "dim", "Terminating": "dim",
}  # fmt: skip
SIGNS = {
    "Healthy": "✔", "Successful": "✔", "Running": "◌", "Progressing": "◌", "Paused": "॥", "Inconclusive": "?",
    "Pending": "◌", "Degraded": "✖", "Failed": "✖", "Error": "⚠", "ScaledDown": "•", "Terminating": "•",
}  # fmt: skip


def console(*, no_color: bool = False) -> Console:
    """Return a console on standard output; piped text is never cut and never coloured."""
    made = Console(no_color=no_color or None, highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made = Console(no_color=True, highlight=False, width=200)
    return made


def state(word: str) -> Text:
    """Return a state with its sign and colour."""
    return Text(f"{SIGNS.get(word, '•')} {word}", style=STYLES.get(word, ""))


def plain_table(*columns: str) -> Table:
    """Return a table without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("NAME", "AGE", "STATUS"))
    return table


def rollout_lines(view: RolloutView) -> Iterable[Table | Text]:
    """Yield what `get rollout` shows."""
    head = Table(box=None, show_header=False, pad_edge=False)
    head.add_column(style="bold")
    head.add_column(overflow="fold")
    head.add_row("Name:", f"{view.namespace}/{view.name}")
    head.add_row("Status:", state(view.phase))
    if view.message:
        head.add_row("Message:", view.message)
    head.add_row("Strategy:", view.strategy)
    if view.step:
        head.add_row("  Step:", view.step)
    if view.set_weight is not None:
        head.add_row("  SetWeight:", str(view.set_weight))
    if view.actual_weight is not None:
        head.add_row("  ActualWeight:", str(view.actual_weight))
    head.add_row(
        "Replicas:",
        f"{view.desired} desired, {view.current} current, {view.updated} updated, "
        f"{view.ready} ready, {view.available} available",
    )
    yield head
    yield Text("")
    yield _tree(view)


def _tree(view: RolloutView) -> Table:
    table = plain_table("NAME", "KIND", "STATUS", "AGE", "INFO")
    table.add_row(f"⟳ {view.name}", "Rollout", state(view.phase), age(view.age_seconds), "")
    for index, version in enumerate(view.versions):
        last = index == len(view.versions) - 1
        table.add_row(f"{'└──' if last else '├──'}# revision:{version.revision}", "", "", "", _info(version))
        _version_rows(table, version, "   " if last else "│  ")
    return table


def _info(version: VersionRow) -> str:
    words = [*version.roles, *version.images]
    if version.scale_down_at:
        words.append(f"scaled down at {version.scale_down_at}")
    return ", ".join(words)


def _version_rows(table: Table, version: VersionRow, indent: str) -> None:
    children: list[tuple[str, str, Text, int, str]] = [
        (f"α {run.name}", "AnalysisRun", state(run.phase), run.age_seconds, _run_info(run))
        for run in version.runs
    ]
    info = f"{version.available}/{version.desired} available"
    pods = len(version.pods)
    mark = "└──" if not children else "├──"
    table.add_row(
        f"{indent}{mark}⧉ {version.name}", "ReplicaSet", state(version.status), age(version.age_seconds), info
    )
    bar = "   " if not children else "│  "
    for number, pod in enumerate(version.pods):
        sign = "└──" if number == pods - 1 else "├──"
        details = f"ready:{pod.ready}" + (f",restarts:{pod.restarts}" if pod.restarts else "")
        table.add_row(
            f"{indent}{bar}{sign}□ {pod.name}", "Pod", state(pod.status), age(pod.age_seconds), details
        )
    for number, (name, kind, status, seconds, text) in enumerate(children):
        sign = "└──" if number == len(children) - 1 else "├──"
        table.add_row(f"{indent}{sign}{name}", kind, status, age(seconds), text)


def _run_info(run: RunRow) -> str:
    parts = [
        f"{m.metric}: {m.value or m.phase} ({m.condition}) ✔{m.successful} ✖{m.failed}"
        + (f" ?{m.inconclusive}" if m.inconclusive else "")
        + (f" ⚠{m.errors}" if m.errors else "")
        for m in run.metrics
    ]
    return "; ".join(parts) or run.message
