"""Latency in the study: log-normal requests, counted as slower than each edge, one judge an edge."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from tests.studies.vectorised import LEVELS, PAIRS, Outcome, VectorisedJudge, _outcome
from tests.studies.worlds import LOOK_BACK, TICK, Array, Batch, Simulation, World, grouped

EDGES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
MEDIAN, SIGMA = 0.08, 0.6
_normal = np.vectorize(lambda x: 0.5 * (1 + erf(x / sqrt(2))))
_GRID = np.linspace(-9, 9, 18_001)
_TABLE = _normal(_GRID)


def slower(edge: float, median: Array) -> Array:
    """Return the share of log-normal requests that take longer than an edge."""
    if edge <= 0:
        return np.ones_like(median)
    return 1 - np.interp(np.log(edge / median) / SIGMA, _GRID, _TABLE)


@dataclass
class LatencyBatch:
    """One tick: a batch for each edge (slower than it), and whether the canary is still warming up."""

    edges: list[Batch]
    warming: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))


class LatencySimulation(Simulation):
    """The same fleet; its factors multiply the median latency."""

    def batches(self, *, look_back: bool) -> Iterator[LatencyBatch]:
        if look_back:
            for tick in range(LOOK_BACK):
                yield self._latencies(0.0, 0, np.array([]), (tick - LOOK_BACK) * TICK, -1)
            return
        number, born = 0, np.zeros(self.pods)
        for step, (weight, pods, ticks) in enumerate(self.world.steps):
            before = self.world.steps[step - 1][1] if step else 0
            born[before:pods] = number * TICK
            for _ in range(ticks):
                now = number * TICK
                yield self._latencies(weight, pods, now + TICK / 2 - born[:pods], now, number)
                number += 1

    def _latencies(self, weight: float, pods: int, ages: Array, now: float, number: int) -> LatencyBatch:
        w, rng = self.world, self.rng
        median = MEDIAN * self._factors(pods, ages, now, number)
        n = rng.poisson(w.rps * TICK * self.shares(weight, pods), median.shape)
        counts, left, share_before = [], n, np.ones_like(median)
        for edge in EDGES:
            share = slower(edge, median)
            if pods and w.added:
                late = slower(edge - 1.0, median[:, w.stable :])
                share[:, w.stable :] = (1 - w.added) * share[:, w.stable :] + w.added * late
            left = rng.binomial(left, np.clip(np.where(share_before > 0, share / share_before, 0), 0, 1))
            share_before = share
            counts.append(left.astype(float))
        requests = n.astype(float)
        if w.reset:
            kept = np.where(rng.random(n.shape) < w.reset, rng.random(n.shape), 1.0)
            requests, counts = np.floor(requests * kept), [np.floor(c * kept) for c in counts]
        warm = requests[:, w.stable :][:, ages < 90].sum(1) > 0.55 * requests[:, w.stable :].sum(1)
        groups = [grouped(requests[:, : w.stable], 16), grouped(requests[:, w.stable :], 4)]
        for c in counts:
            groups += [grouped(c[:, : w.stable], 16), grouped(c[:, w.stable :], 4)]
        groups, void = self._read(groups, number)
        none = np.zeros(self.runs)
        edges = [
            Batch((groups[2 + 2 * i], groups[0]), (groups[3 + 2 * i], groups[1]), none, void, none)
            for i in range(len(EDGES))
        ]
        return LatencyBatch(edges, warm)


class LatencyJudge:
    """One judge for each edge, joined by the mean of e row by row."""

    def __init__(self, runs: int, *, blind: bool = False) -> None:
        self.judges = [VectorisedJudge(runs, blind=blind) for _ in EDGES]
        self.slow, self.ticks = np.zeros((len(EDGES), runs)), np.zeros((len(EDGES), runs))

    def _shares(self, batch: LatencyBatch, live: NDArray[np.bool_]) -> None:
        for i, edge in enumerate(batch.edges):
            bad, requests = (side.sum(1) for side in edge.stable)
            use = live & (requests > 0)
            self.slow[i] += np.where(use, bad / np.maximum(requests, 1), 0)
            self.ticks[i] += use

    def look_back(self, batches: list[LatencyBatch]) -> None:
        for i, judge in enumerate(self.judges):
            judge.look_back([batch.edges[i] for batch in batches])
        for batch in batches:
            self._shares(batch, ~batch.edges[0].void)

    def tick(self, batch: LatencyBatch) -> None:
        void = batch.edges[0].void | batch.warming
        live = ~void & (batch.edges[0].canary[1].sum(1) > 0)
        self._shares(batch, live)
        for judge, edge in zip(self.judges, batch.edges, strict=True):
            judge.tick(Batch(edge.stable, edge.canary, edge.young, void, edge.served))

    def evidence(self) -> tuple[Array, Array, Array, Array]:
        usual = self.slow / np.maximum(self.ticks, 1) <= 0.5
        rows = np.array(
            [np.where(usual[i][:, None], judge.evidence()[0], 0) for i, judge in enumerate(self.judges)]
        )
        top = rows.max(0)
        joined = top + np.log(np.exp(rows - top).mean(0))
        has = self.judges[0].X > 0
        one = np.where(has, joined[:, 1:5], np.inf).min(1)
        both = np.stack([has[:, g] & has[:, h] for g, h in PAIRS], 1)
        two = np.where(both, joined[:, 5:], np.inf).min(1)
        return (
            joined,
            joined[:, 0],
            np.where(has.sum(1) >= 2, one, -np.inf),
            np.where(has.sum(1) >= 3, two, np.inf),
        )


def play_latency(world: World, runs: int, seed: int) -> dict[str, Outcome]:
    """Simulate one row, judged with a look-back and blind, both at careful levels."""
    simulation = LatencySimulation(world, runs, seed)
    judges = {"look-back": LatencyJudge(runs), "blind": LatencyJudge(runs, blind=True)}
    judges["look-back"].look_back(list(simulation.batches(look_back=True)))
    over: dict[str, list[Array]] = {name: [] for name in judges}
    hits: dict[str, list[Array]] = {name: [] for name in judges}
    A, A1, A2 = np.log(LEVELS["careful"])
    for batch in simulation.batches(look_back=False):
        for name, judge in judges.items():
            judge.tick(batch)
            _, e, one, two = judge.evidence()
            over[name].append(e >= A)
            hits[name].append((e >= A) & (one >= A1) & (two >= A2))
    nothing = np.zeros((world.ticks, runs))
    return {
        name: _outcome(np.array(over[name]), np.array(hits[name]), nothing > 0, nothing) for name in judges
    }
