"""From vectors at boundaries to counts per interval, grouped for the judge. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from analysis.counts.arms import Arm, Pod, Versions
from analysis.counts.differences import Between, between
from analysis.counts.errors import CountsError
from analysis.counts.events import Counts, edges_of, filled_shares, from_buckets, from_labels, from_two
from analysis.counts.groups import Groups
from analysis.counts.native import informative
from analysis.counts.vectors import LabelSet, Vectors, fingerprint
from analysis.judges.corroborated import Tick
from analysis.judges.latency import WARM_UP_SECONDS, WARM_UP_SHARE
from analysis.judges.terms import Counted
from analysis.providers.canary.config import MOST_EDGES, CanaryConfig
from analysis.spec.patterns import PatternError, compile_pattern

YOUNG_SECONDS = 45.0
Answers = Sequence[Vectors]
"""One answer for each query of the configuration, at the same boundaries."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened from ``start`` to ``end``; ``present`` are the pods that have counters at the end."""

    start: float
    end: float
    counts: Counts
    present: frozenset[Pod]
    uncounted: int

    def requests(self, arm: Arm) -> float:
        """Return the requests of one side."""
        return sum(value.requests for pod, value in self.counts.items() if pod.arm is arm)


def read_interval(
    config: CanaryConfig, answers: Answers, position: int, groups: Groups, edges: tuple[float, ...]
) -> Interval:
    """Return the interval after the boundary at ``position``; ``groups`` knows the pods seen before it."""
    pod_of = _remembering(config.versions)
    total = answers[0]
    befores, afters = total.vectors[position], total.vectors[position + 1]
    parts = [between(befores, afters, pod_of, groups.places)]
    if len(answers) > 1:
        # Bad events can begin long after their pod did: only a pod that was away is uncertain.
        here = {pod_of(labels) for labels in befores}
        away = [pod for pod in groups.places if pod not in here]
        parts += [
            between(answer.vectors[position], answer.vectors[position + 1], pod_of, away)
            for answer in answers[1:]
        ]
    uncounted = frozenset(pod for part in parts for pod in part.uncounted)
    counts = {pod: c for pod, c in _counts(config, parts, edges).items() if pod not in uncounted}
    present = {pod for labels in afters if (pod := pod_of(labels)) is not None}
    boundaries = total.boundaries
    return Interval(
        boundaries[position], boundaries[position + 1], counts, frozenset({*present, *counts}), len(uncounted)
    )


def _remembering(versions: Versions) -> Callable[[LabelSet], Pod | None]:
    """Return ``pod_of`` that looks at each series once, since every boundary has the same ones."""
    known: dict[LabelSet, Pod | None] = {}

    def pod_of(labels: LabelSet) -> Pod | None:
        try:
            return known[labels]
        except KeyError:
            return known.setdefault(labels, versions.pod_of(labels))

    return pod_of


def read_intervals(
    config: CanaryConfig, answers: Answers, groups: Groups, edges: tuple[float, ...]
) -> Iterator[tuple[Groups, Interval]]:
    """Yield every interval with the pods known after it."""
    for position in range(len(answers[0].boundaries) - 1):
        interval = read_interval(config, answers, position, groups, edges)
        groups = groups.with_pods(interval.present, interval.start)
        yield groups, interval


def pods_at(config: CanaryConfig, answers: Answers, position: int) -> frozenset[Pod]:
    """Return the pods of both sides that have counters at a boundary."""
    found = (config.versions.pod_of(labels) for labels in answers[0].vectors[position])
    return frozenset(pod for pod in found if pod is not None)


def edges_for(config: CanaryConfig, answers: Answers) -> tuple[float, ...]:
    """Return the histogram edges to judge at: the configured ones, else the largest of those seen."""
    if config.latency is None:
        return ()
    if config.latency.edges:
        return config.latency.edges
    if answers[0].native:
        found = informative(filled_shares(answers[0].vectors), MOST_EDGES)
        own = config.slo.edge if config.slo is not None else None
        return found if own is None or own in found else tuple(sorted((*found[1 - MOST_EDGES :], own)))
    return edges_of(list({labels for vector in answers[0].vectors for labels in vector}))[-MOST_EDGES:]


def print_at(answers: Answers, boundary: float) -> str:
    """Return the fingerprint of all answers at a boundary."""
    return fingerprint([answer.at(boundary) for answer in answers])


def ticks_of(groups: Groups, interval: Interval, edges: tuple[float, ...]) -> tuple[Tick, ...]:
    """Return the interval as one tick for each question (or edge)."""
    young = groups.young_share(interval.counts, (interval.start + interval.end) / 2, YOUNG_SECONDS)
    return tuple(
        Tick(
            groups.grouped(interval.counts, Arm.STABLE, question),
            groups.grouped(interval.counts, Arm.CANARY, question),
            young,
        )
        for question in range(len(edges) or 1)
    )


def counted(groups: Groups, interval: Interval, edges: tuple[float, ...]) -> Counted:
    """Return the interval as the trial takes it."""
    middle = (interval.start + interval.end) / 2
    return Counted(
        ticks_of(groups, interval, edges),
        groups.names(interval.present, Arm.CANARY),
        groups.young_share(interval.counts, middle, WARM_UP_SECONDS) > WARM_UP_SHARE,
    )


def _counts(config: CanaryConfig, parts: Sequence[Between], edges: tuple[float, ...]) -> Counts:
    if config.errors is None:
        return from_buckets(parts[0].increments, edges)
    if len(parts) == 2:
        return from_two(parts[0].increments, parts[1].increments)
    patterns = config.errors.bad_labels

    def is_bad(labels: LabelSet) -> bool:
        return any(name in patterns and _is_whole(patterns[name], value) for name, value in labels)

    return from_labels(parts[0].increments, is_bad)


@lru_cache(maxsize=4_096)
def _is_whole(pattern: str, value: str) -> bool:
    """Tell whether a pattern matches a whole label value, in linear time: both come from others."""
    try:
        return compile_pattern(rf"\A(?:{pattern})\z").found_in(value)
    except PatternError as error:
        raise CountsError(f"errors.badLabels: {pattern!r} on a label value: {error}") from error
