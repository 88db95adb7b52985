"""A picture of a backtest, where matplotlib is installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from analysis.backtest.rehearsal import Rehearsed
from analysis.backtest.report import number_of, verdict
from analysis.spec.status import Phase

_COLOURS = {
    Phase.SUCCESSFUL.value: "tab:green",
    Phase.FAILED.value: "tab:red",
    Phase.INCONCLUSIVE.value: "tab:orange",
    Phase.ERROR.value: "tab:purple",
}


class NoPlot(Exception):
    """matplotlib is not installed; the text says what to do."""


def plot(run: Rehearsed, file: Path) -> None:
    """Write a picture with one panel for each metric: values over time, coloured by phase. Raises NoPlot."""
    pyplot = _pyplot()
    names = list(dict.fromkeys(taken.metric for taken in run.taken))
    figure, panels = pyplot.subplots(
        len(names), 1, sharex=True, squeeze=False, figsize=(10, 2.5 * len(names))
    )
    for name, panel in zip(names, panels[:, 0], strict=True):
        own = [(t, number_of(t)) for t in run.taken if t.metric == name]
        known = [(taken, value) for taken, value in own if value is not None]
        panel.plot([t.at for t, _ in known], [value for _, value in known], color="lightgray", zorder=1)
        colours = [_COLOURS.get(t.measurement.phase, "gray") for t, _ in known]
        panel.scatter([t.at for t, _ in known], [value for _, value in known], c=colours, s=14, zorder=2)
        panel.set_title(name, fontsize=9, loc="left")
    figure.suptitle(verdict(run), fontsize=10)
    figure.autofmt_xdate()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _pyplot() -> Any:
    try:
        importlib.import_module("matplotlib").use("Agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError:
        raise NoPlot("it needs matplotlib, which is not installed; the sparklines say the same") from None
