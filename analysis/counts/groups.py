"""Pods in groups, in the order in which they first appeared. The map is state and survives restarts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.counts.arms import Arm, Pod
from analysis.counts.errors import CountsError
from analysis.counts.events import Counts, PodCounts

SIZES = {Arm.STABLE: 16, Arm.CANARY: 4}
MOST_PODS = 1_000
ALWAYS = float("-inf")
"""The birth of a pod that was there before anybody looked."""


@dataclass(frozen=True, slots=True)
class Place:
    """A pod's group, and when it was born (Unix seconds; ``ALWAYS`` when unknown)."""

    group: int
    born: float


@dataclass(frozen=True, slots=True)
class Groups:
    """Every pod seen so far and its place; round-robin over 16 stable and 4 canary groups."""

    places: Mapping[Pod, Place]

    def with_pods(self, pods: Iterable[Pod], born: float) -> Groups:
        """Return the map with new pods added, those that appear together in the order of their names."""
        fresh = sorted({pod for pod in pods if pod not in self.places}, key=lambda pod: (pod.arm, pod.name))
        if not fresh:
            return self
        places = dict(self.places)
        seen = {arm: sum(pod.arm is arm for pod in places) for arm in Arm}
        for pod in fresh:
            places[pod] = Place(seen[pod.arm] % SIZES[pod.arm], born)
            seen[pod.arm] += 1
        if len(places) > MOST_PODS:
            raise CountsError(f"more than {MOST_PODS} pods were seen; judge a part of them")
        return Groups(places)

    def grouped(self, counts: Counts, arm: Arm, question: int) -> tuple[tuple[float, float], ...]:
        """Return (bad events, requests) per group of one arm, for one question (or edge)."""
        totals = [[0.0, 0.0] for _ in range(SIZES[arm])]
        for pod in sorted(counts, key=lambda pod: pod.name):
            if pod.arm is arm:
                place = self.places[pod]
                totals[place.group][0] += counts[pod].bad[question]
                totals[place.group][1] += counts[pod].requests
        return tuple((bad, requests) for bad, requests in totals)

    def young_share(self, counts: Counts, middle: float, age: float) -> float:
        """Return the share of canary requests on pods younger than ``age`` s at the interval's middle."""
        canary = [(self.places[pod], value) for pod, value in counts.items() if pod.arm is Arm.CANARY]
        whole = sum(value.requests for _, value in canary)
        young = sum(value.requests for place, value in canary if middle - place.born < age)
        return young / whole if whole else 0.0

    def names(self, pods: Iterable[Pod], arm: Arm) -> dict[int, tuple[str, ...]]:
        """Return the given pods of one arm by group."""
        by_group: dict[int, list[str]] = defaultdict(list)
        for pod in pods:
            if pod.arm is arm:
                by_group[self.places[pod].group].append(pod.name)
        return {group: tuple(sorted(names)) for group, names in sorted(by_group.items())}

    def dump(self) -> dict[str, dict[str, list[float | None]]]:
        """Return JSON data for ``load``."""
        return {
            arm.value: {
                pod.name: [place.group, None if place.born == ALWAYS else place.born]
                for pod, place in self.places.items()
                if pod.arm is arm
            }
            for arm in Arm
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Groups:
        """Return what ``dump`` wrote. Raises ValueError, KeyError or TypeError."""
        return cls(
            {
                Pod(arm, name): Place(int(group), ALWAYS if born is None else float(born))
                for arm in Arm
                for name, (group, born) in data[arm.value].items()
            }
        )


def total(counts: Counts, arm: Arm) -> PodCounts:
    """Return the sum over an arm's pods."""
    mine = [value for pod, value in counts.items() if pod.arm is arm]
    width = max((len(value.bad) for value in mine), default=0)
    return PodCounts(
        sum(value.requests for value in mine),
        tuple(sum(value.bad[i] for value in mine) for i in range(width)),
    )
