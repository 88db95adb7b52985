"""A canary that another version has overtaken, and that the canary's share of traffic still leads to. Pure.

With a stable version that is scaled down for the canary's sake that share cannot simply go back.
"""

from __future__ import annotations

from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.scaling import canary_scale_step
from rollouts.workloads import replicaset
from rollouts.workloads.replicaset import ReplicaSet


def carrier(d: Draft) -> ReplicaSet | None:
    """Return the overtaken version that still gets the canary's share, None where the new one gets it."""
    weights = d.s.status.canary.weights
    if d.s.new is None or weights is None or weights.canary.weight == 0:
        return None
    if weights.canary.pod_template_hash == d.s.new.hash:
        return None
    found = replicaset.find(d.s.replica_sets, weights.canary.pod_template_hash)
    if found is None or found.available == 0 or takes_over(d, weights.canary.weight):
        return None
    return found


def takes_over(d: Draft, weight: int) -> bool:
    """Tell whether the new version has the pods for a canary's share of ``weight``.

    The stable version has none to spare: it is about to get all traffic.
    """
    s, new = d.s, d.s.new
    if new is None or new.available == 0 or (s.stable is not None and s.stable.name == new.name):
        return False
    return canary_scale_step(d) is not None or new.available * s.max_weight >= s.replicas * weight
