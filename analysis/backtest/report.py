"""What a backtest tells: a line for every measurement, a sparkline for every metric, the verdicts. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from analysis.backtest.rehearsal import Rehearsed, Taken
from analysis.spec.duration import format_duration
from analysis.spec.status import Phase

BARS = "▁▂▃▄▅▆▇█"
NOTHING = " "
MARKS = {
    Phase.SUCCESSFUL.value: "·",
    Phase.FAILED.value: "✗",
    Phase.INCONCLUSIVE.value: "?",
    Phase.ERROR.value: "!",
}
WIDTH = 80
"""Columns of a sparkline."""


def number_of(taken: Taken) -> float | None:
    """Return the first finite number of a measurement's value, None when it has none."""
    try:
        read = json.loads(taken.measurement.value or "null")
    except ValueError:
        head = taken.measurement.value.partition("=")[2] or taken.measurement.value
        read = _float(head.split()[0].split("/")[0].rstrip(",")) if head.split() else None
    if isinstance(read, list):
        read = read[0] if read else None
    if isinstance(read, bool) or not isinstance(read, int | float) or not math.isfinite(read):
        return None
    return float(read)


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def sparkline(values: Sequence[float | None]) -> str:
    """Return a bar for each value between the least and the greatest, a blank where there is none.

    More than ``WIDTH`` values are put together, the greatest of each group standing for it.
    """
    grouped = [_greatest(values[start:stop]) for start, stop in _groups(len(values))]
    known = [value for value in grouped if value is not None]
    if not known:
        return NOTHING * len(grouped)
    low, span = min(known), max(known) - min(known)
    return "".join(_bar(value, low, span) for value in grouped)


def marks(taken: Sequence[Taken]) -> str:
    """Return the phases below a sparkline; of a group the worst."""
    order = [Phase.SUCCESSFUL.value, Phase.INCONCLUSIVE.value, Phase.ERROR.value, Phase.FAILED.value]
    found = []
    for start, stop in _groups(len(taken)):
        phases = [one.measurement.phase for one in taken[start:stop] if one.measurement.phase in order]
        found.append(MARKS[max(phases, key=order.index)] if phases else "…")
    return "".join(found)


def _groups(length: int) -> Iterator[tuple[int, int]]:
    size = max(1, math.ceil(length / WIDTH))
    for start in range(0, length, size):
        yield start, min(start + size, length)


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _bar(value: float | None, low: float, span: float) -> str:
    if value is None:
        return NOTHING
    return BARS[round((value - low) / span * (len(BARS) - 1)) if span else 0]


def lines(run: Rehearsed, *, measurements: bool) -> Iterator[str]:
    """Return the text of one run."""
    yield f"started {_moment(run.started)}"
    if measurements:
        for taken in run.taken:
            yield f"  {_line(taken)}"
    for name in dict.fromkeys(taken.metric for taken in run.taken):
        own = [taken for taken in run.taken if taken.metric == name]
        values = [number_of(taken) for taken in own]
        known = [value for value in values if value is not None]
        if len(own) > 1 and known:
            yield f"  {name}: {min(known):g} to {max(known):g}"
            yield f"    {sparkline(values)}"
            yield f"    {marks(own)}"
    yield f"  {verdict(run)}"


def verdict(run: Rehearsed) -> str:
    """Return the verdict of one run in a sentence."""
    lasted = format_duration(run.lasted)
    if run.cut:
        return f"not decided when the history ended after {lasted}; stopped it is {run.status.phase}"
    message = f": {run.status.message}" if run.status.message else ""
    return f"{run.status.phase} after {lasted}{message}"


def summary(runs: Sequence[Rehearsed]) -> str:
    """Return how many runs ended how."""
    counted = Counter("not decided" if run.cut else run.status.phase for run in runs)
    told = ", ".join(f"{count} {phase}" for phase, count in sorted(counted.items()))
    return f"{len(runs)} runs: {told}"


def as_json(run: Rehearsed) -> dict[str, Any]:
    """Return one run as JSON."""
    return {
        "started": _moment(run.started),
        "ended": _moment(run.ended),
        "decided": not run.cut,
        "phase": run.status.phase,
        "message": run.status.message,
        "measurements": [
            {"at": _moment(t.at), "metric": t.metric, **t.measurement.manifest()} for t in run.taken
        ],
    }


def _line(taken: Taken) -> str:
    measurement = taken.measurement
    parts = [_moment(taken.at), taken.metric, measurement.phase, measurement.value, measurement.message]
    return "  ".join(part for part in parts if part)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
