"""Releases with the troubles of real fleets, thousands at once. Counts are per tick of 15 s and per group."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TICK = 15.0
LOOK_BACK = 120


@dataclass(frozen=True)
class World:
    """One scenario. Pairs are (size, time constant) as their comments say; zeros switch a process off."""

    rps: float = 100.0
    base: float = 0.002
    stable: int = 20
    steps: tuple[tuple[float, int, int], ...] = ((0.05, 2, 20), (0.2, 4, 20), (0.5, 10, 40))
    """(weight, canary pods, ticks)"""
    factor: float = 1.0
    onset: int = 0
    spread: float = 0.0
    pod_ar: tuple[float, float] = (0.0, 0.0)
    """(sigma, coefficient)"""
    arm_ar: tuple[float, float] = (0.0, 0.0)
    wave: tuple[float, float] = (0.0, 1.0)
    """(amplitude, period in s)"""
    incident: tuple[float, float] = (1.0, 0.0)
    """(factor, s)"""
    skew: float = 0.0
    flap: tuple[float, float, float] = (0.0, 60.0, 0.0)
    """(per hour, s, added error rate)"""
    sick: tuple[float, float] = (0.0, 0.0)
    """(probability, added error rate)"""
    sick_canary: float = 0.0
    sick_stable: float = 0.0
    bursts: tuple[float, float] = (1.0, 0.0)
    """(mean size, share)"""
    arm_rho: float = 0.0
    cold: tuple[float, float] = (0.0, 1.0)
    """(amplitude, s)"""
    gap: float = 0.0
    merge: float = 0.0
    reset: float = 0.0
    added: float = 0.0
    """share of canary requests that get a second more (latency alone)"""
    alone: bool = False
    """each canary pod gets the whole weight: one at a time is used"""
    restart: int = 0
    """ticks that a restart loses"""
    state_lost: bool = False

    @property
    def ticks(self) -> int:
        return sum(ticks for _, _, ticks in self.steps)

    def but(self, **changes: object) -> "World":
        return replace(self, **changes)


@dataclass
class Batch:
    """One tick of all runs. ``void`` marks runs that lost it; ``served`` are true canary errors."""

    stable: tuple[Array, Array]
    canary: tuple[Array, Array]
    young: Array
    void: NDArray[np.bool_]
    served: Array
    lost: NDArray[np.bool_] | None = None
    """Runs whose judge loses its state before this tick."""


def grouped(counts: Array, groups: int) -> Array:
    """Sum pods into groups, round-robin."""
    total = np.zeros((counts.shape[0], groups))
    for pod in range(counts.shape[1]):
        total[:, pod % groups] += counts[:, pod]
    return total


class Simulation:
    """Draws the look-back first, then the release, tick by tick, with lasting state between them."""

    def __init__(self, world: World, runs: int, seed: int) -> None:
        self.world, self.runs = world, runs
        self.rng = np.random.default_rng(seed)
        self.pods = max(pods for _, pods, _ in world.steps)
        total = world.stable + self.pods
        z = self.rng.standard_normal
        self.lasting = np.exp(world.spread * z((runs, total)) - world.spread**2 / 2)
        self.x = z((runs, total))
        self.arm = z((runs, 2))
        self.phase = self.rng.uniform(0, 2 * np.pi, runs)
        self.incident_at = self.rng.uniform(0, world.ticks * TICK, runs)
        rate, length, _ = world.flap
        self.on_rate, self.off_rate = 1 - np.exp(-rate * TICK / 3600), 1 - np.exp(-TICK / length)
        stationary = self.on_rate / (self.on_rate + self.off_rate) if rate else 0.0
        self.on = self.rng.random((runs, total)) < stationary
        self.ill = (self.rng.random((runs, total)) < world.sick[0]) * world.sick[1]
        self.ill[:, world.stable] += world.sick_canary
        self.ill[:, 0] += world.sick_stable
        self.late = np.zeros((2, runs, self.pods))
        self.waiting: list[Array] = []
        self.lost_at = self.rng.integers(0, world.ticks, runs)

    def look_back(self) -> Iterator[Batch]:
        for tick in range(LOOK_BACK):
            yield self._tick(0.0, 0, np.array([]), (tick - LOOK_BACK) * TICK, -1)

    def release(self) -> Iterator[Batch]:
        number, born = 0, np.zeros(self.pods)
        for step, (weight, pods, ticks) in enumerate(self.world.steps):
            before = self.world.steps[step - 1][1] if step else 0
            born[before:pods] = number * TICK
            for _ in range(ticks):
                now = number * TICK
                yield self._tick(weight, pods, now + TICK / 2 - born[:pods], now, number)
                number += 1

    def shares(self, weight: float, pods: int) -> Array:
        each = weight if self.world.alone else weight / max(pods, 1)
        return np.concatenate(
            [np.full(self.world.stable, (1 - weight) / self.world.stable), np.full(pods, each)]
        )

    def _tick(self, weight: float, pods: int, ages: Array, now: float, number: int) -> Batch:
        w, rng = self.world, self.rng
        rates = self._rates(pods, ages, now, number)
        shares = self.shares(weight, pods)
        n = rng.poisson(w.rps * TICK * shares, (self.runs, len(shares))).astype(float)
        e = self._errors(n, rates, w.rps * TICK * shares)
        n = np.maximum(n, e)
        served = e[:, w.stable :].sum(axis=1)
        if w.reset:
            hit = rng.random(n.shape) < w.reset
            kept = np.where(hit, rng.random(n.shape), 1.0)
            n, e = np.floor(n * kept), np.floor(e * kept)
        canary_n, canary_e = n[:, w.stable :], e[:, w.stable :]
        if w.skew and pods:
            canary_n, canary_e = self._delayed(canary_n, canary_e, pods)
        young = canary_n[:, ages < 45].sum(axis=1) / np.maximum(canary_n.sum(axis=1), 1)
        groups = [
            grouped(e[:, : w.stable], 16),
            grouped(n[:, : w.stable], 16),
            grouped(canary_e, 4),
            grouped(canary_n, 4),
        ]
        groups, void = self._read(groups, number)
        lost = self.lost_at + w.restart == number if w.state_lost else None
        return Batch((groups[0], groups[1]), (groups[2], groups[3]), young, void, served, lost)

    def _rates(self, pods: int, ages: Array, now: float, number: int) -> Array:
        w, rng = self.world, self.rng
        total = w.stable + pods
        f = w.base * self._factors(pods, ages, now, number)
        if w.flap[0]:
            draw = rng.random(self.on.shape)
            self.on = np.where(self.on, draw >= self.off_rate, draw < self.on_rate)
            f = f + w.flap[2] * self.on[:, :total]
        return np.clip(f + self.ill[:, :total], 0, 1)

    def _factors(self, pods: int, ages: Array, now: float, number: int) -> Array:
        """Return what multiplies the usual rate (or the usual latency) of each pod."""
        w, rng = self.world, self.rng
        total = w.stable + pods
        sigma, r = w.pod_ar
        f = self.lasting[:, :total].copy()
        if sigma:
            self.x = r * self.x + np.sqrt(1 - r * r) * rng.standard_normal(self.x.shape)
            f = f * np.exp(sigma * self.x[:, :total] - sigma**2 / 2)
        sigma, r = w.arm_ar
        if sigma:
            self.arm = r * self.arm + np.sqrt(1 - r * r) * rng.standard_normal(self.arm.shape)
            arm = np.exp(sigma * self.arm - sigma**2 / 2)
            f = f * np.repeat(arm, [w.stable, pods], axis=1)
        amplitude, period = w.wave
        f = f * (1 + amplitude * np.sin(2 * np.pi * (now + TICK / 2) / period + self.phase))[:, None]
        k, length = w.incident
        middle = now + TICK / 2
        f = f * np.where((self.incident_at <= middle) & (middle < self.incident_at + length), k, 1.0)[:, None]
        if pods and w.cold[0]:
            f[:, w.stable :] *= 1 + w.cold[0] * np.exp(-ages / w.cold[1])
        if pods and number >= w.onset:
            f[:, w.stable :] *= w.factor
        return f

    def _errors(self, n: Array, f: Array, load: Array) -> Array:
        w, rng = self.world, self.rng
        if w.arm_rho:
            both = 1 / w.arm_rho - 1
            for part in (slice(0, w.stable), slice(w.stable, None)):
                if f[:, part].shape[1]:
                    mean = np.clip(f[:, part].mean(axis=1), 1e-12, 1 - 1e-12)
                    f[:, part] = rng.beta(mean * both, (1 - mean) * both)[:, None]
        size, share = w.bursts
        if not share:
            return rng.binomial(n.astype(np.int64), f).astype(float)
        single = rng.poisson(load * f * (1 - share))
        bursts = rng.poisson(load * f * share / size)
        many = bursts + rng.negative_binomial(np.maximum(bursts, 1), 1 / size)
        return (single + np.where(bursts > 0, many, 0)).astype(float)

    def _delayed(self, n: Array, e: Array, pods: int) -> tuple[Array, Array]:
        delta = self.world.skew
        late_e = self.rng.binomial(e.astype(np.int64), delta)
        late_n = late_e + self.rng.binomial((n - e).astype(np.int64), delta)
        n, e = n - late_n + self.late[0][:, :pods], e - late_e + self.late[1][:, :pods]
        self.late[0][:, :pods], self.late[1][:, :pods] = late_n, late_e
        return n, e

    def _read(self, groups: list[Array], number: int) -> tuple[list[Array], NDArray[np.bool_]]:
        w, rng = self.world, self.rng
        void = rng.random(self.runs) < w.gap if w.gap else np.zeros(self.runs, bool)
        if w.restart and number >= 0:
            void |= (self.lost_at <= number) & (number < self.lost_at + w.restart)
        if w.merge:
            unread = (rng.random(self.runs) < w.merge) & ~void
            if self.waiting:
                groups = [now + before for now, before in zip(groups, self.waiting, strict=True)]
            self.waiting = [np.where(unread[:, None], now, 0.0) for now in groups]
            void |= unread
        return groups, void
