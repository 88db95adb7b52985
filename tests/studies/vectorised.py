"""A second writing of the judge, for thousands of releases at once. It shares no code with the product."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.studies.worlds import Array, Batch, Simulation, World

GRID = np.array([1.3, 1.7, 2.3, 3.2, 4.5, 7, 14, 40])
WEIGHTS = np.array([0.05, 0.07, 0.13, 0.20, 0.23, 0.20, 0.08, 0.04])
PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
MEMBERS = np.array(
    [[1, 1, 1, 1]]
    + [[float(g != out) for g in range(4)] for out in range(4)]
    + [[float(g not in pair) for g in range(4)] for pair in PAIRS]
)
LEVELS = {"fast": (12.0, 2.0, 0.7), "careful": (15.0, 3.0, 1.0), "blind": (15.0, 3.0, 1.0)}


def over(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def spread(S: Array, V: Array) -> tuple[Array, Array]:
    has = V > 0
    a, total = has.sum(1), V.sum(1)
    b = over(total, a.astype(float))
    nu = np.where(a > 0, (a - 1) * 2 * b / (1 + 2 * b), 0)
    chi = np.where(has, (S - V) ** 2, 0).sum(1)
    return nu, over(chi, (V * (1 - over(V, total[:, None]))).sum(1))


class VectorisedJudge:
    """State of R runs."""

    def __init__(self, runs: int, *, blind: bool = False, cold: float = 0.0, sticky: bool = False) -> None:
        self.R, self.cold, self.sticky = runs, cold, sticky
        self.out = np.zeros((runs, 16), bool)
        self.held = np.full((runs, 2), np.nan)
        self.heldb, self.block = np.full((runs, 2), np.nan), np.zeros((runs, 3))
        self.prior = {
            "t": (np.full(runs, 10.0), np.ones(runs)),
            "d": (np.full(runs, 8.0), np.ones(runs)),
            "c": (np.full(runs, 6.0), np.full(runs, 2.0 if blind else 1.25)),
            "b": (np.full(runs, 2.0), np.full(runs, 2.0)),
        }
        self.reset()

    def reset(self) -> None:
        R = self.R
        self.L = np.zeros((R, 11, 8))
        self.S, self.V = np.zeros((R, 16)), np.zeros((R, 16))
        self.U, self.X, self.C = np.zeros((R, 4)), np.zeros((R, 4)), np.zeros((R, 4))
        self.t1, self.t2, self.tnu = np.zeros(R), np.zeros(R), np.zeros(R)
        self.d1, self.dnu, self.b1, self.bnu = np.zeros(R), np.zeros(R), np.zeros(R), np.zeros(R)

    def _stable(self, e: Array, n: Array, live: NDArray[np.bool_]) -> tuple[Array, Array, Array, Array]:
        e, n = np.where(self.out, 0, e), np.where(self.out, 0, n)
        live &= n.sum(1) > 0
        rows = np.arange(self.R)
        i = e.argmax(1)
        r = (e.sum(1) - e[rows, i]) / np.maximum(n.sum(1) - n[rows, i], 1)
        e = np.minimum(e, 2 + 5 * r[:, None] * n)
        E, N = e.sum(1), n.sum(1)
        v = over((E[:, None] * n), N[:, None])
        a = (n > 0).sum(1)
        b = over(E, a.astype(float))
        self.t1 += live * ((e - v) ** 2).sum(1)
        self.t2 += live * (v * (1 - over(n, N[:, None]))).sum(1)
        self.tnu += live * (a - 1) * 2 * b / (1 + 2 * b)
        self.S += live[:, None] * e
        self.V += live[:, None] * v
        self.d1, self.dnu = self._pair(self.held, self.d1, self.dnu, E, N, live)
        self.block += live[:, None] * np.stack([E, N, np.ones(self.R)], 1)
        full = self.block[:, 2] == 8
        self.b1, self.bnu = self._pair(
            self.heldb, self.b1, self.bnu, self.block[:, 0], self.block[:, 1], full
        )
        self.block[full] = 0
        return E, N, r, live

    @staticmethod
    def _pair(held: Array, chi: Array, nu: Array, E: Array, N: Array, live: Array) -> tuple[Array, Array]:
        empty = np.isnan(held[:, 0])
        use = live & ~empty
        E0, N0 = np.where(empty, 0, held[:, 0]), np.where(empty, 0, held[:, 1])
        q = over(N, N + N0)
        var = (E + E0) * q * (1 - q)
        count = use & (var > 0.5)
        chi = chi + np.where(count, over((E - (E + E0) * q) ** 2, var), 0)
        nu = nu + count
        hold = live & empty
        held[hold] = np.stack([E, N], 1)[hold]
        held[use] = np.nan
        return chi, nu

    def _exclude(self, live: NDArray[np.bool_]) -> None:
        rows = np.arange(self.R)
        i = (self.S - self.V).argmax(1)
        others = np.ones((self.R, 16), bool)
        others[rows, i] = False
        k = over((self.S * others).sum(1), (self.V * others).sum(1))
        x = self.V[rows, i] * k
        nu, raw = spread(np.where(others, self.S, 0), np.where(others, self.V * k[:, None], 0))
        D = np.maximum(1, (6 + nu * raw) / (4 + nu))
        hit = live & (self.S[rows, i] - x > 6 * np.sqrt(np.maximum(x, 0.5) * D)) & (self.S[rows, i] >= 6)
        hit &= (self.out.sum(1) < 2) & ((self.V > 0).sum(1) >= 4)
        self.V = np.where(hit[:, None], self.V * k[:, None], self.V)
        at = rows[hit], i[hit]
        self.S[at], self.V[at], self.out[at] = 0, 0, True
        self.t1[hit] = self.t2[hit] = self.tnu[hit] = 0

    def look_back(self, batches: list[Batch]) -> None:
        worth, chi = np.zeros(self.R), np.zeros(self.R)
        for number, batch in enumerate(batches, 1):
            self._stable(*batch.stable, ~batch.void)
            if number % 20 == 0:
                self._exclude(np.ones(self.R, bool))
                nu, raw = spread(self.S, self.V)
                worth, chi = worth + nu, chi + nu * raw
                self.S[:], self.V[:] = 0, 0
        self.prior = {
            "t": (
                np.minimum(10 + self.tnu, 60),
                (10 + self.tnu * over(self.t1, self.t2)) / (10 + self.tnu),
            ),
            "d": (np.minimum(8 + self.dnu, 30), (8 + self.d1) / (8 + self.dnu)),
            "c": (np.minimum(6 + worth, 40), (7.5 + chi) / (6 + worth)),
            "b": (np.minimum(2 + self.bnu, 20), (4 + self.b1) / (2 + self.bnu)),
        }
        self.reset()

    def dispersion(self) -> Array:
        def mixed(key: str, nu: Array, chi: Array) -> Array:
            prior = self.prior[key]
            return (prior[0] * prior[1] + chi) / (prior[0] + nu)

        nu, raw = spread(self.S, self.V)
        D_t = mixed("t", self.tnu, self.tnu * over(self.t1, self.t2))
        D_c, D_d = mixed("c", nu, nu * raw), mixed("d", self.dnu, self.d1)
        load = over(over((self.U**2).sum(1), self.U.sum(1)), over((self.V**2).sum(1), self.V.sum(1)))
        D = np.maximum(D_d, 1 + np.clip(load, 1, 10) * (np.maximum(1, np.maximum(D_t, D_c)) - 1))
        return np.maximum(D, mixed("b", self.bnu, self.b1)) if self.sticky else D

    def _lose(self, runs: NDArray[np.bool_]) -> None:
        """Forget everything but the priors."""
        for sums in (self.L, self.S, self.V, self.U, self.X, self.C, self.block, self.out):
            sums[runs] = 0
        for sums in (self.t1, self.t2, self.tnu, self.d1, self.dnu, self.b1, self.bnu):
            sums[runs] = 0
        self.held[runs] = self.heldb[runs] = np.nan

    def tick(self, batch: Batch) -> None:
        if batch.lost is not None:
            self._lose(batch.lost)
        c, m = batch.canary
        live = ~batch.void & (m.sum(1) > 0) & (np.where(self.out, 0, batch.stable[1]).sum(1) > 0)
        E, N, r, live = self._stable(*batch.stable, live)
        self.C += live[:, None] * c
        c = np.minimum(c, 2 + 5 * r[:, None] * m)
        self.X += live[:, None] * m
        self.U += live[:, None] * over(E, N)[:, None] * m
        self._exclude(live)
        B, M = c @ MEMBERS.T, m @ MEMBERS.T
        phi = 1.25 * (1 + self.cold * batch.young)
        usual = phi[:, None] * M
        safe = np.where(live, N, 1.0)[:, None, None]
        change = np.log((usual[:, :, None] * GRID + safe) / (usual[:, :, None] + safe))
        gain = B[:, :, None] * np.log(GRID) - (B + E[:, None])[:, :, None] * change
        use = live[:, None] & (M > 0)
        self.L += np.where(use[:, :, None], gain, 0)
        floor = -4 * self.dispersion()[:, None, None]
        self.L = np.where(live[:, None, None], np.maximum(self.L, floor), self.L)

    def outside(self) -> Array:
        """Return the canary's bad events less those of its worst group."""
        return np.asarray(self.C.sum(1) - self.C.max(1))

    def evidence(self) -> tuple[Array, Array, Array, Array]:
        """Return log e of all rows [R, 11], and of e, e1, e2."""
        z = np.log(WEIGHTS) + self.L / self.dispersion()[:, None, None]
        top = z.max(2, keepdims=True)
        rows = top[:, :, 0] + np.log(np.exp(z - top).sum(2)) - np.log(1.5) * self.out.any(1)[:, None]
        has = self.X > 0
        one = np.where(has, rows[:, 1:5], np.inf).min(1)
        one = np.where(has.sum(1) >= 2, one, -np.inf)
        both = np.stack([has[:, g] & has[:, h] for g, h in PAIRS], 1)
        two = np.where(both, rows[:, 5:], np.inf).min(1)
        two = np.where(has.sum(1) >= 3, two, np.inf)
        return rows, rows[:, 0], one, two


@dataclass
class Outcome:
    """Per run: tick of the abort (-1 for none), canary errors until then (or the end), suspected, frozen."""

    aborted: NDArray[np.int64]
    errors: Array
    suspected: NDArray[np.bool_]
    frozen: NDArray[np.bool_]
    first_suspicion: NDArray[np.int64]

    @property
    def found(self) -> float:
        return float((self.aborted >= 0).mean())

    def median_minutes(self, onset: int = 0) -> float:
        """Return the median over all runs that aborted, from the onset."""
        return float(np.median(self.aborted[self.aborted >= 0] + 1 - onset) / 4)

    def errors_at(self, quantile: float) -> float:
        return float(np.quantile(self.errors[self.aborted >= 0], quantile))


def rules(batches: list[Batch]) -> tuple[int, int]:
    """Return how many runs two rules of today abort: over 1 %, and over twice the baseline.

    Windows of a minute; the fourth that is over aborts.
    """
    counts = np.array(
        [[b.canary[0].sum(1), b.canary[1].sum(1), b.stable[0].sum(1), b.stable[1].sum(1)] for b in batches]
    )
    counts *= np.array([~b.void for b in batches])[:, None, :]
    windows = counts[: len(batches) // 4 * 4].reshape(-1, 4, 4, counts.shape[2]).sum(1)
    canary, stable = over(windows[:, 0], windows[:, 1]), over(windows[:, 2], windows[:, 3])
    fixed, twice = ((hit.sum(0) >= 4).sum() for hit in (canary > 0.01, canary > 2 * stable))
    return int(fixed), int(twice)


def play(
    world: World,
    runs: int,
    seed: int,
    profiles: tuple[str, ...] = ("fast", "careful", "blind"),
    *,
    cold: float = 0.0,
    sticky: bool = False,
    keep: list[Batch] | None = None,
) -> dict[str, Outcome]:
    """Simulate one row and judge it under each profile. Fast and careful share one judge.

    ``keep`` takes the batches of the release, for other rules to look at.
    """
    simulation = Simulation(world, runs, seed)
    informed = VectorisedJudge(runs, cold=cold, sticky=sticky)
    informed.look_back(list(simulation.look_back()))
    blind = VectorisedJudge(runs, blind=True, cold=cold, sticky=sticky)
    judges = [blind] if profiles == ("blind",) else [informed, blind] if "blind" in profiles else [informed]
    over_level: dict[str, list[Array]] = {name: [] for name in profiles}
    hits: dict[str, list[Array]] = {name: [] for name in profiles}
    freezes: dict[str, list[Array]] = {name: [] for name in profiles}
    served = []
    for batch in simulation.release():
        served.append(batch.served)
        if keep is not None:
            keep.append(batch)
        seen = {}
        for judge in judges:
            judge.tick(batch)
            seen[id(judge)] = judge.evidence()
        for name in profiles:
            judge = blind if name == "blind" else informed
            _, e, one, two = seen[id(judge)]
            A, A1, A2 = np.log(LEVELS[name])
            over_level[name].append(e >= A)
            hits[name].append((e >= A) & (one >= A1) & (two >= A2) & (judge.outside() >= 2))
            freezes[name].append(e >= np.log(4))
    # Errors are counted from the onset on.
    errors = np.cumsum(np.array(served)[world.onset :], 0)
    errors = np.concatenate([np.zeros((world.onset, runs)), errors])
    return {
        name: _outcome(np.array(over_level[name]), np.array(hits[name]), np.array(freezes[name]), errors)
        for name in profiles
    }


def _outcome(over_level: Array, hit: Array, frozen: Array, errors: Array) -> Outcome:
    runs = np.arange(hit.shape[1])
    aborted = np.where(hit.any(0), hit.argmax(0), -1)
    first = np.where(over_level.any(0), over_level.argmax(0), -1)
    last = np.where(aborted >= 0, aborted, hit.shape[0])
    # Suspected: the level was reached and no abort came within 60 s.
    suspected = (first >= 0) & (last - first > 4)
    return Outcome(aborted, errors[aborted, runs], suspected, frozen.any(0), first)
