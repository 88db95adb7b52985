"""No router: the share of the canary is its share of the ready pods, and an honest word about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RatioShare:
    """The share that replica counts give. ``reached`` is in percent of ``stable + canary`` pods."""

    asked: int
    maximum: int
    stable: int
    canary: int

    @property
    def reached(self) -> float:
        """Return the canary's percentage of the pods; 0 without pods."""
        pods = self.stable + self.canary
        return 100.0 * self.canary / pods if pods else 0.0

    @property
    def smallest_step(self) -> float:
        """Return the percentage that one pod makes."""
        pods = self.stable + self.canary
        return 100.0 / pods if pods else 0.0


def ratio_message(share: RatioShare) -> str:
    """Return what to tell the user, or "" when the share is the asked one to half a percentage point.

    Connections spread over pods, so even this share holds only on average: there is no router to keep it.
    """
    asked = 100.0 * share.asked / share.maximum
    if share.stable + share.canary == 0 or abs(share.reached - asked) < 0.5:
        return ""
    pods = share.stable + share.canary
    return (
        f"setWeight asked for {_percent(asked)}, {share.canary} of {pods} pods give "
        f"{_percent(share.reached)}: without trafficRouting the canary gets its share of pods, in steps of "
        f"{_percent(share.smallest_step)}. Set spec.strategy.canary.trafficRouting for exact weights, "
        "or more replicas"
    )


def _percent(value: float) -> str:
    return f"{value:.0f} %"
