"""What the judge of canaries costs a tick and metric, beyond the query."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from analysis.counts.arms import Arm
from analysis.counts.groups import ALWAYS, Groups
from analysis.counts.vectors import Vectors, boundaries
from analysis.judges.ledger import spend
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.intervals import pods_at
from analysis.providers.canary.looking import look
from analysis.providers.canary.opening import HistoryReader, Opener
from analysis.providers.canary.session import Session
from tests.benchmarks.table import Table

START, TICK, TICKS = 1_800_000_000.0, 15.0, 40
STABLE, CANARY = "5d9c7b", "77f8cc"
CALLS = {"errors": 5_500, "latency": 36_000}
"""Most calls of functions for one tick: they travel to other machines, times do not."""
BASE: dict[str, Any] = {"stable": STABLE, "canary": CANARY, "address": "http://prometheus"}
CONFIGS: Mapping[str, dict[str, Any]] = {
    "errors": {"errors": {"total": "hits_total", "badLabels": {"code": "5.."}}},
    "latency": {"latency": {"buckets": "seconds_bucket"}},
}
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, math.inf)


def vector(kind: str, moment: float) -> dict[Any, float]:
    """Return the counters of 20 stable and, from START on, 4 canary pods."""
    found: dict[Any, float] = {}
    names = [f"web-{STABLE}-p{i:02}" for i in range(20)]
    names += [f"web-{CANARY}-p{i}" for i in range(4)] if moment > START else []
    for number, name in enumerate(names):
        total = math.floor((moment - START + 3_000) * (4 + number % 3))
        if kind == "errors":
            bad = total // 500
            found[(("code", "200"), ("pod", name))] = total - bad
            found[(("code", "503"), ("pod", name))] = bad
            continue
        for edge in EDGES:
            label = "+Inf" if edge == math.inf else f"{edge:g}"
            found[(("le", label), ("pod", name))] = math.floor(total * (1 - math.exp(-edge / 0.1)))
    return found


def answers(kind: str, start: float, end: float) -> tuple[Vectors, ...]:
    asked = boundaries(start, end, TICK)
    return (Vectors(asked, tuple(vector(kind, moment) for moment in asked)),)


def opened(kind: str, config: CanaryConfig) -> Session:
    past = answers(kind, START - 120 * TICK, START)
    reader = HistoryReader.of(config, past)
    for _ in reader.steps():
        pass
    opening = reader.opening()
    opener = Opener(config, past, opening, opening.history, False, spend(1))
    for _ in opener.steps():
        pass
    session = opener.session()
    assert session.look_back == 120
    assert (
        Groups({}).with_pods(pods_at(config, past, -1), ALWAYS).names(pods_at(config, past, -1), Arm.STABLE)
    )
    return session


def calls_of(work: Callable[[], object]) -> int:
    """Return how many functions a piece of work calls."""
    count = 0

    def seen(_: Any, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_tick_costs_little_beyond_its_query(kind: str, table: Table) -> None:
    config = CanaryConfig.model_validate({**BASE, **CONFIGS[kind]})
    session = opened(kind, config)
    ahead = [answers(kind, START + n * TICK, START + (n + 1) * TICK) for n in range(TICKS)]

    def one_look_a_tick() -> Session:
        now = session
        for answer in ahead:
            now = Session.load(look(now, config, answer).session.dump())
        return now

    began = time.process_time()
    assert one_look_a_tick().trial.judged > TICKS // 2
    spent = (time.process_time() - began) / TICKS
    calls = calls_of(one_look_a_tick) / TICKS
    table.add(
        f"CPU of the canary judge a tick and metric, 24 pods, {kind}, state read and written",
        f"{spent * 1000:.1f} ms, {calls:.0f} calls",
        "< 1 ms beyond the query" if kind == "errors" else f"< 1 ms for each of {len(EDGES) - 1} edges",
        "-",
    )
    assert calls <= CALLS[kind]
