"""How many pods the canary and the stable version get. Pure integer arithmetic.

The rules are those that Argo Rollouts users know: without a router the replica ratio is the traffic
weight, with one the two are apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rollouts.api.scalars import int_or_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Surge and unavailability resolved to pods for a replica count."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        """Return how many pods may exist at once."""
        return self.replicas + self.surge

    @property
    def least(self) -> int:
        """Return how many pods must stay available."""
        return self.replicas - self.unavailable


def bounds(replicas: int, max_surge: int | str, max_unavailable: int | str) -> Bounds:
    """Resolve percentages: surge rounds up, unavailability down; if both give 0 one pod may be missing."""
    surge = int_or_percent(max_surge, replicas, round_up=True)
    unavailable = int_or_percent(max_unavailable, replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(replicas=replicas, surge=surge, unavailable=min(unavailable, replicas))


@dataclass(frozen=True, slots=True)
class Counts:
    """Pods wanted of each side."""

    canary: int
    stable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one ReplicaSet has now: ``spec`` asked for, ``available`` of them."""

    spec: int
    available: int

    def countable(self, *, ignore_availability: bool) -> int:
        """Return the pods that count toward availability when deciding what may go.

        Pods above ``spec`` are about to go and never count.
        """
        if self.spec < self.available or ignore_availability:
            return self.spec
        return self.available


def weighted_counts(replicas: int, weight: int, *, max_weight: int = 100, surge: int = 0) -> Counts:
    """Return the replica ratio nearest to ``weight``/``max_weight``.

    Between 0 and ``max_weight`` both sides keep a pod as far as the pods allow it; one more pod than
    ``replicas`` is used where surge allows it and it comes nearer. The larger canary wins a tie.
    """
    if replicas == 0:
        return Counts(0, 0)
    share = Fraction(replicas * weight, max_weight)
    floor, ceil = int(share), -int(-share // 1)
    may_be_empty = weight in (0, max_weight) or (replicas == 1 and surge == 0)
    canaries = [ceil] if share - floor == Fraction(1, 2) or floor == ceil else [ceil, floor]
    totals = [replicas] if surge == 0 else [replicas, replicas + 1]
    wanted = Fraction(weight, max_weight)
    options = [
        (abs(Fraction(canary, total) - wanted), index, canary, total)
        for index, (total, canary) in enumerate((t, c) for t in totals for c in canaries)
        if may_be_empty or 0 < canary < total
    ]
    if not options:  # a tie whose larger canary would leave stable nothing
        return Counts(floor, replicas - floor)
    _, _, canary, total = min(options)
    return Counts(canary, total - canary)


def next_basic_counts(
    limits: Bounds,
    wanted: Counts,
    canary: Side,
    stable: Side | None,
    others: Sequence[Side] = (),
) -> Counts:
    """Return the counts to ask for now on the way to ``wanted``, without a router.

    Stable grows first, then the canary, within surge. Older ReplicaSets go before either shrinks. The
    shrinking side gives up only what availability allows; its own missing pods do not block it. No pod that
    is needed goes for one that is not ready.
    ``stable`` is None when there is no other version to keep.
    """
    old = sum(side.spec for side in others)
    have = canary.spec + (stable.spec if stable else 0) + old
    room = max(0, limits.most - have)
    next_stable = stable.spec if stable else 0
    if stable and stable.spec < wanted.stable:
        next_stable = min(wanted.stable, stable.spec + room)
        room -= next_stable - stable.spec
    next_canary = canary.spec
    if canary.spec < wanted.canary:
        next_canary = min(wanted.canary, canary.spec + room)
    if old > 0:
        return Counts(next_canary, next_stable)
    return _shrink(limits, wanted, canary, stable, Counts(next_canary, next_stable))


def _shrink(limits: Bounds, wanted: Counts, canary: Side, stable: Side | None, grown: Counts) -> Counts:
    """Shrink the side that the step takes pods from; the other one only by what is above the surge."""
    growing = wanted.canary >= canary.spec
    up = canary.countable(ignore_availability=not growing)
    up += stable.countable(ignore_availability=growing) if stable else 0
    spare = up - limits.least
    if spare <= 0 or (growing and stable is None):
        return grown
    if growing and stable is not None:
        shrunk = _less(stable, wanted.stable, spare, grown.stable)
        next_stable, next_canary = _within(limits, (stable, shrunk), (canary, grown.canary))
        return Counts(next_canary, next_stable)
    shrunk = _less(canary, wanted.canary, spare, grown.canary)
    if stable is None:
        return Counts(shrunk, grown.stable)
    return Counts(*_within(limits, (canary, shrunk), (stable, grown.stable)))


def _less(side: Side, wanted: int, spare: int, grown: int) -> int:
    return max(wanted, side.spec - spare) if side.spec > wanted else grown


def _within(limits: Bounds, drained: tuple[Side, int], kept: tuple[Side, int]) -> tuple[int, int]:
    """Return the counts of (drained, kept) without what is above the surge.

    The kept side gives it up as long as enough pods stay available, the drained side all that is left of it.
    """
    (draining, low), (keeping, high) = drained, kept
    over = max(0, low + high - limits.most)
    cut = high - over
    available = min(draining.available, low) + min(keeping.available, cut)
    back = min(max(0, keeping.available - cut), max(0, limits.least - available))
    return low - (back if over else 0), cut + (back if over else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedDemand:
    """What a routed canary asks for at the present step.

    ``weight`` is the step's traffic weight; ``scale_weight`` and ``scale_replicas`` come from setCanaryScale.
    ``actual_weight`` is the canary's share of traffic in force now.
    """

    replicas: int
    weight: int
    max_weight: int = 100
    scale_weight: int | None = None
    scale_replicas: int | None = None
    min_pods: int | None = None
    dynamic_stable: bool = False
    actual_weight: int = 0
    aborted: bool = False


def routed_counts(demand: RoutedDemand) -> Counts:
    """Return the counts with a router: the canary for its share, stable whole unless dynamic."""
    replicas, top = demand.replicas, demand.max_weight
    if demand.scale_replicas is not None:
        canary = demand.scale_replicas
    else:
        weight = demand.weight if demand.scale_weight is None else demand.scale_weight
        scale_top = top if demand.scale_weight is None else 100
        canary = _at_least(_ceil(replicas * weight, scale_top), demand.min_pods, replicas)
    if not demand.dynamic_stable:
        return Counts(canary, replicas)
    stable_for = _ceil(replicas * (top - demand.weight), top)
    stable_now = _ceil(replicas * (top - demand.actual_weight), top)
    stable = _at_least(max(stable_for, stable_now), demand.min_pods, replicas)
    if demand.aborted:
        canary = max(canary, _ceil(replicas * demand.actual_weight, top))
    return Counts(canary, stable)


def _at_least(count: int, min_pods: int | None, replicas: int) -> int:
    if count == 0 or min_pods is None:
        return count
    return max(count, min(min_pods, replicas))


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
