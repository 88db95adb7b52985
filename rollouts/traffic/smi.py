"""Service Mesh Interface: one TrafficSplit of the Rollout's own, created and kept by us."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from rollouts.api.argoproj.rollout import SmiRouting
from rollouts.kube.objects import Manifest, controller_owner
from rollouts.traffic.config import ROOT, parse
from rollouts.traffic.live import creation, find, items, replacement, share, stable_weight, title, whole
from rollouts.traffic.router import Config, Edit, Need, TrafficError, TrafficIntent, TrafficState

PATH = f"{ROOT}.smi"
GROUP = "split.smi-spec.io"
VERSION = "v1alpha4"
"""The last release's. A split is created in the version that is served; what we write is the same in all."""


class Smi:
    """The Service Mesh Interface router. Stateless."""

    name: ClassVar[str] = "smi"

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the TrafficSplit, which may not exist yet."""
        return (_need(_parse(config), intent),)

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the canary's share; without a split nothing is known to reach the canary."""
        split = find(live, _need(_parse(config), intent))
        if split is None:
            return TrafficState(canary_weight=0)
        where = f"{title(split)} spec"
        backends = items(split.get("spec"), "backends", where)
        weights = {b.get("service"): whole(b.get("weight", 0), f"{where}.backends weight") for b in backends}
        canary = weights.get(intent.canary_service, 0)
        return TrafficState(canary_weight=share(canary, sum(weights.values()), intent.max_weight))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the creation or the change of the split."""
        parsed = _parse(config)
        if intent.header_routes or intent.mirror_routes:
            raise TrafficError(f"{PATH}: smi has no header or mirror routes; remove the step")
        need = _need(parsed, intent)
        present = find(live, need)
        if intent.canary_weight is None:
            return ()
        summary = f"TrafficSplit {need.namespace}/{need.name}: canary {intent.canary_weight}"
        if present is None:
            return creation(
                _fresh(need, _spec(parsed, intent), intent), summary, "TrafficSplitCreated", any_version=True
            )
        _check_owner(present, intent)
        items(present.get("spec"), "backends", f"{title(present)} spec")
        body = copy.deepcopy(present)
        body["spec"] |= _spec(parsed, intent)
        return replacement(present, body, summary, "TrafficSplitModified")


def _parse(config: Config) -> SmiRouting:
    return parse(SmiRouting, dict(config), PATH)


def _need(config: SmiRouting, intent: TrafficIntent) -> Need:
    name = config.traffic_split_name or intent.rollout
    return Need(group=GROUP, kind="TrafficSplit", namespace=intent.namespace, name=name, optional=True)


def _spec(config: SmiRouting, intent: TrafficIntent) -> Manifest:
    weights = [(intent.canary_service, intent.canary_weight or 0)]
    weights += [(d.service, d.weight) for d in intent.additional]
    weights.append((intent.stable_service, stable_weight(intent)))
    backends = [{"service": service, "weight": weight} for service, weight in weights]
    return {"service": config.root_service or intent.stable_service, "backends": backends}


def _fresh(need: Need, spec: Manifest, intent: TrafficIntent) -> Manifest:
    meta: Manifest = {"name": need.name, "namespace": need.namespace}
    if intent.owner is not None:
        meta["ownerReferences"] = [dict(intent.owner)]
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": need.kind, "metadata": meta, "spec": spec}


def _check_owner(present: Manifest, intent: TrafficIntent) -> None:
    owner, wanted = controller_owner(present), (intent.owner or {}).get("uid")
    if wanted is not None and (owner is None or owner.get("uid") != wanted):
        raise TrafficError(
            f"{title(present)}: does not belong to Rollout {intent.rollout}; delete it, or name another by "
            f"{PATH}.trafficSplitName"
        )
