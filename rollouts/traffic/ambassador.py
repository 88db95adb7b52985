"""Ambassador: beside each of the user's Mappings a canary Mapping of the same prefix, with a weight.

A Mapping without a weight takes what weighted ones of its prefix leave, so the user's own stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from rollouts.api.argoproj.rollout import AmbassadorRouting
from rollouts.kube.objects import Manifest, controller_owner, name_of
from rollouts.traffic.config import ROOT, parse
from rollouts.traffic.live import creation, deletion, existing, find, replacement, title, whole
from rollouts.traffic.router import Config, Edit, Need, TrafficError, TrafficIntent, TrafficState

PATH = f"{ROOT}.ambassador"
GROUP = "getambassador.io"
EVENT = "CanaryMappingWeightUpdate"
_SUFFIX = "-canary"
_MAX_NAME = 253


class Ambassador:
    """The Ambassador router. Stateless."""

    name: ClassVar[str] = "ambassador"

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return each Mapping and its canary Mapping, which exists only while it has a weight."""
        names = _mappings(config)
        canaries = (replace(_need(intent, canary_name(base)), optional=True) for base in names)
        return (*(_need(intent, base) for base in names), *canaries)

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the highest weight over the canary Mappings; a missing one carries nothing."""
        weights = []
        for base in _mappings(config):
            canary = find(live, _need(intent, canary_name(base)))
            weights.append(0 if canary is None else whole(_spec(canary).get("weight", 0), title(canary)))
        return TrafficState(canary_weight=max(weights))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the canary Mappings to create, change, or, at weight 0, to delete."""
        names = _mappings(config)
        _refuse_more(intent)
        edits: tuple[Edit, ...] = ()
        for base in names:
            stable = existing(live, _need(intent, base), f"{PATH}.mappings")
            _check(stable, intent)
            present = find(live, _need(intent, canary_name(base)))
            edits += _plan_one(stable, present, intent)
        return edits


def canary_name(mapping: str) -> str:
    """Return the canary Mapping's name as the peer has it: ``<mapping>-canary``."""
    return mapping[: _MAX_NAME - len(_SUFFIX)] + _SUFFIX


def _mappings(config: Config) -> tuple[str, ...]:
    names = parse(AmbassadorRouting, dict(config), PATH).mappings
    if not names or not all(names):
        raise TrafficError(f"{PATH}.mappings: name at least one Mapping, and no empty one")
    return tuple(dict.fromkeys(names))


def _need(intent: TrafficIntent, name: str) -> Need:
    return Need(group=GROUP, kind="Mapping", namespace=intent.namespace, name=name)


def _refuse_more(intent: TrafficIntent) -> None:
    if intent.header_routes or intent.mirror_routes or intent.additional:
        raise TrafficError(
            f"{PATH}: ambassador carries the canary's weight only; remove header and mirror steps and "
            "experiment weights, or use another router"
        )
    if intent.max_weight != 100:
        raise TrafficError(f"{ROOT}.maxTrafficWeight: Ambassador's weights are percent; remove the field")


def _spec(mapping: Manifest) -> Manifest:
    spec = mapping.get("spec")
    if not isinstance(spec, dict):
        raise TrafficError(f"{title(mapping)} spec: must be an object; correct it")
    return spec


def _check(stable: Manifest, intent: TrafficIntent) -> None:
    spec = _spec(stable)
    if "weight" in spec:
        raise TrafficError(
            f"{title(stable)} spec.weight: must be absent, so that it takes what the canary leaves; remove it"
        )
    host, _ = _service(stable)
    if host == intent.canary_service:
        raise TrafficError(
            f"{title(stable)} spec.service: leads to the canary Service {host!r}; let it lead to the stable "
            f"Service {intent.stable_service!r}"
        )


def _service(mapping: Manifest) -> tuple[str, str]:
    """Return the Service's name and all that follows it: namespace and port. A scheme is not counted."""
    text = _spec(mapping).get("service")
    if not isinstance(text, str) or not text:
        raise TrafficError(f"{title(mapping)} spec.service: must name a Service; correct it")
    bare = text.rpartition("://")[2]
    name = bare.partition(":")[0].partition(".")[0]
    return name, bare[len(name) :]


def _plan_one(stable: Manifest, present: Manifest | None, intent: TrafficIntent) -> tuple[Edit, ...]:
    weight = intent.canary_weight
    if weight is None:
        return ()
    name = canary_name(name_of(stable))
    summary = f"Mapping {intent.namespace}/{name}: canary {weight}"
    if present is None:
        return () if weight == 0 else creation(_fresh(stable, name, intent), summary, EVENT)
    owner, ours = controller_owner(present), (intent.owner or {}).get("uid")
    if owner is not None and ours is not None and owner.get("uid") != ours:
        raise TrafficError(
            f"{title(present)}: belongs to {owner.get('kind')} {owner.get('name')}, not to Rollout "
            f"{intent.rollout}; delete or rename it"
        )
    if weight == 0:
        return deletion(present, summary, EVENT)
    body = copy.deepcopy(present)
    body["spec"] = _canary_spec(stable, intent)
    return replacement(present, body, summary, EVENT)


def _fresh(stable: Manifest, name: str, intent: TrafficIntent) -> Manifest:
    meta: Manifest = {"name": name, "namespace": intent.namespace}
    if intent.owner is not None:
        meta["ownerReferences"] = [dict(intent.owner)]
    spec = _canary_spec(stable, intent)
    return {"apiVersion": stable["apiVersion"], "kind": "Mapping", "metadata": meta, "spec": spec}


def _canary_spec(stable: Manifest, intent: TrafficIntent) -> Manifest:
    spec = copy.deepcopy(_spec(stable))
    before, _, _ = str(spec["service"]).rpartition("://")
    scheme = f"{before}://" if before else ""
    host, rest = _service(stable)
    if host != intent.stable_service:  # some root Service, whose namespace says nothing of the canary's
        rest = "".join(rest.partition(":")[1:])
    spec["service"] = f"{scheme}{intent.canary_service}{rest}"
    spec["weight"] = intent.canary_weight
    return spec
