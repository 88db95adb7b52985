"""What happened between two boundaries, series by series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from analysis.counts.arms import Pod, without
from analysis.counts.vectors import EDGE_LABEL, LabelSet, Vector

Increments = Mapping[Pod, Mapping[LabelSet, float]]


@dataclass(frozen=True, slots=True)
class Between:
    """Increments of every series by pod, and what was met on the way.

    ``uncounted`` are pods that came back after a gap: what they did in it is not known, so this interval
    leaves them out. ``births`` and ``resets`` count series.
    """

    increments: Increments
    uncounted: frozenset[Pod] = frozenset()
    births: int = 0
    resets: int = 0


@dataclass(slots=True)
class _Found:
    increments: dict[Pod, dict[LabelSet, float]] = field(default_factory=lambda: defaultdict(dict))
    uncounted: set[Pod] = field(default_factory=set)
    births: int = 0
    resets: int = 0


def between(
    before: Vector,
    after: Vector,
    pod_of: Callable[[LabelSet], Pod | None],
    known: Collection[Pod],
) -> Between:
    """Return what was counted from one boundary to the next.

    A counter that fell was reset and counts from zero, with all buckets of its histogram: some of them may
    have climbed past their old value already. A series that is new counts from zero when its pod is
    new, or was there with other series; ``known`` are pods that have been seen at any earlier boundary.
    """
    pods_before = {pod for labels in before if (pod := pod_of(labels)) is not None}
    fallen = _fallen_histograms(before, after)
    found = _Found()
    for labels, value in after.items():
        pod = pod_of(labels)
        if pod is None:
            continue
        earlier = before.get(labels)
        if earlier is None:
            if pod in known and pod not in pods_before:
                found.uncounted.add(pod)
                continue
            found.births += 1
            found.increments[pod][labels] = value
        elif value < earlier or (fallen and without(labels, (EDGE_LABEL,)) in fallen):
            found.resets += 1
            found.increments[pod][labels] = value
        else:
            found.increments[pod][labels] = value - earlier
    return Between(
        {pod: dict(series) for pod, series in found.increments.items()},
        frozenset(found.uncounted),
        found.births,
        found.resets,
    )


def _fallen_histograms(before: Vector, after: Vector) -> frozenset[LabelSet]:
    """Return the labels, less the edge, of histograms of which a bucket fell."""
    return frozenset(
        without(labels, (EDGE_LABEL,))
        for labels, value in after.items()
        if value < before.get(labels, 0.0) and any(name == EDGE_LABEL for name, _ in labels)
    )
