"""The table of results beside budgets and the peer's figures, written by ``make bench``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).with_name("RESULTS.md")
COMMAND = "make bench"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. Empty texts are not known."""

    what: str
    measured: str
    budget: str = ""
    peer: str = ""


class Table:
    """Collects rows in the order of the tests."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._load = os.getloadavg()[0]
        self.grounds: list[str] = []

    def add(self, what: str, measured: str, budget: str = "", peer: str = "") -> None:
        """Add a row, and show it."""
        self.rows.append(Row(what, measured, budget, peer))
        print(f"{what}: {measured} (budget {budget or '-'}, peer {peer or '-'})")

    def write(self, target: Path = TARGET) -> None:
        """Write the table as Markdown."""
        target.write_text(render(self.rows, self.grounds, (self._load, os.getloadavg()[0])))


def render(rows: Sequence[Row], grounds: Sequence[str], load: tuple[float, float]) -> str:
    """Return the table with the command that makes it."""
    lines = [
        "# Benchmarks",
        "",
        f"Made by `{COMMAND}` on 2 cores, which the controller shares with the API server and the kubelet.",
        "Counts and ratios travel to other machines and are asserted by the tests; times do not and are not.",
        f"Measured on: {'; '.join(dict.fromkeys(grounds))}.",
        f"The machine's load average was {load[0]:.1f} at the start and {load[1]:.1f} at the end;",
        "above about 2 the times are those of a machine busy with other work.",
        "The peer is Argo Rollouts, measured in the same way on the same kind of machine.",
        "",
        "| what | measured | budget | peer |",
        "|---|---|---|---|",
        *(f"| {row.what} | {row.measured} | {row.budget} | {row.peer} |" for row in rows),
        "",
    ]
    return "\n".join(lines)
