"""Which version a Service selects."""

from __future__ import annotations

from rollouts.controllers.rollout.actions import Event, SwitchService
from rollouts.controllers.rollout.decide import overtaken
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.kube import objects
from rollouts.workloads import labels
from rollouts.workloads.replicaset import ReplicaSet


def switch(d: Draft, service_name: str, pod_hash: str) -> bool:
    """Point a Service at a hash; True when it already does, or will after this plan."""
    service = d.s.services.get(service_name)
    if service is None or not pod_hash:
        return False
    now_at = d.s.service_hash(service_name)
    managed = objects.annotations_of(service).get(labels.MANAGED_BY)
    if now_at == pod_hash and managed:
        return True
    text = f"Switched selector for service '{service_name}' from '{now_at}' to '{pod_hash}'"
    return d.do(
        SwitchService(
            name=service_name,
            uid=objects.uid_of(service),
            hash=pod_hash,
            managed_by=None if managed else d.s.name,
            resource_version=objects.resource_version(service),
            event=Event("SwitchService", text),
        )
    )


def may_select(d: Draft, service_name: str, rs: ReplicaSet | None) -> bool:
    """Tell whether a Service may be pointed at the version: a Service that users reach unmanaged needs it
    whole, one that is managed already needs a pod that can answer.
    """
    if rs is None or rs.deleting:
        return False
    if d.s.replicas == 0:
        return True
    service = d.s.services.get(service_name) or {}
    managed = objects.annotations_of(service).get(labels.MANAGED_BY) and d.s.service_hash(service_name)
    if managed:
        return rs.available > 0
    return rs.desired > 0 and rs.available >= rs.desired


def point_canary_services(d: Draft) -> bool:
    """Stable Service to the stable version, canary Service to the new one when it can answer.

    While the update is aborted, or the version that the canary Service selects has been overtaken, it goes
    back to stable, but only once no traffic is sent to it any more.
    """
    s = d.s
    assert s.canary is not None  # noqa: S101 - the canary pipeline
    stable_name, canary_name = s.stable_service, s.canary_service
    if stable_name and may_select(d, stable_name, s.stable):
        assert s.stable is not None  # noqa: S101 - may_select said so
        switch(d, stable_name, s.stable.hash)
    if not canary_name:
        return False
    target = None if s.aborted else s.new
    ready = s.canary.ping_pong is not None or may_select(d, canary_name, target)
    if target is not None and ready and _may_leave(d, canary_name, target):
        switch(d, canary_name, target.hash)
    elif _overtaken(d, canary_name) and _quiet(d) and may_select(d, canary_name, s.stable):
        switch(d, canary_name, s.status.stable_rs)
    return False


def _overtaken(d: Draft, canary_name: str) -> bool:
    selected = d.s.service_hash(canary_name)
    known = {rs.hash for rs in (d.s.stable,) if rs}
    if not d.s.aborted and d.s.new:
        known.add(d.s.new.hash)
    return bool(selected) and selected not in known


def _may_leave(d: Draft, canary_name: str, target: ReplicaSet) -> bool:
    """Tell whether the canary Service may change versions: traffic on it must be 0, or be at its target.

    Where it cannot become 0, the version that has overtaken another takes its traffic once it has the pods.
    """
    if d.s.service_hash(canary_name) in ("", target.hash) or not d.s.routed or _quiet(d):
        return True
    settled = d.traffic is not None and d.traffic.settled and d.traffic.in_force
    return settled and d.traffic is not None and overtaken.takes_over(d, d.traffic.live_weight)


def _quiet(d: Draft) -> bool:
    """Tell whether no router sends traffic to the canary Service, as far as the live objects say."""
    if not d.s.routed:
        return True
    return d.traffic is not None and d.traffic.live_weight == 0 and d.traffic.settled
