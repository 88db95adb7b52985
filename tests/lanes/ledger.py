"""Counts outcomes per lane and renders the closing table. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.lanes.registry import Lane

PREFIX = "lane "
"""How the reason of a test that skips for want of its lane begins."""


@dataclass(slots=True)
class Account:
    """What happened in one lane. ``seconds`` is the time inside its tests."""

    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def collected(self) -> int:
        """Return how many tests the lane had."""
        return self.passed + self.failed + self.skipped.total()

    @property
    def lacking(self) -> tuple[str, ...]:
        """Return the reasons of tests that skipped because a lane was missing."""
        return tuple(reason for reason in self.skipped if reason.startswith(PREFIX))


def skip_reason(lane: Lane, missing: str) -> str:
    """Return what a test says that skips because ``lane`` is missing."""
    return f"{PREFIX}{lane.name}: {missing}" + (f"; to get it: {lane.obtain}" if lane.obtain else "")


def problems(accounts: dict[str, Account], lanes: Iterable[Lane], *, whole_run: bool) -> list[str]:
    """Return why a run is incomplete: a lane that skipped, or in a whole run one without tests."""
    found = []
    for lane in lanes:
        account = accounts.get(lane.name, Account())
        found += [f"{lane.name}: skipped: {reason}" for reason in account.lacking]
        if account.collected and account.passed + account.failed == 0 and not account.lacking:
            found.append(f"{lane.name}: every test skipped: {'; '.join(account.skipped)}")
        if whole_run and not account.collected:
            found.append(f"{lane.name}: no test was collected")
    return found


def table(accounts: dict[str, Account], lanes: Sequence[Lane], *, whole_run: bool) -> list[str]:
    """Return the lines of the closing table; lanes without tests only in a whole run."""
    shown = [lane for lane in lanes if whole_run or accounts.get(lane.name, Account()).collected]
    width = max((len(lane.name) for lane in shown), default=0)
    lines = []
    for lane in shown:
        account = accounts.get(lane.name, Account())
        counts = f"{account.passed:5d} ok {account.failed:3d} failed {account.skipped.total():4d} skipped"
        head = f"{_state(account):8s} {lane.name:{width}s} {counts} {account.seconds:7.1f} s"
        lines.append(f"{head}  {lane.proves}")
        lines += [f"{'':9s}{'':{width}s} {count} x {reason}" for reason, count in account.skipped.items()]
    return lines


def _state(account: Account) -> str:
    if account.failed:
        return "FAILED"
    if account.passed:
        return "run"
    return "SKIPPED" if account.collected else "NO TESTS"
