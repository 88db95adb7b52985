"""Istio: weights of VirtualService routes, subsets of a DestinationRule, header and mirror routes.

Istio takes the first http route that matches, so managed routes stand before all others, in the order of
``managedRoutes``. Subsets are written before weights, so that a weight never leads to a subset without pods.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from rollouts.api.argoproj.rollout import IstioRouting, IstioVirtualService
from rollouts.kube.objects import Manifest, annotations_of, name_of, namespace_of
from rollouts.traffic import istio_routes as routes
from rollouts.traffic.config import ROOT, parse, require
from rollouts.traffic.istio_routes import Pair
from rollouts.traffic.live import existing, items, replacement, share, title
from rollouts.traffic.router import Config, Edit, Need, TrafficError, TrafficIntent, TrafficState

GROUP = "networking.istio.io"
PATH = f"{ROOT}.istio"
RULE = (GROUP, "DestinationRule")
HASH_LABEL = "rollouts-pod-template-hash"
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"


@dataclass(frozen=True, slots=True)
class _Wanted:
    service: IstioVirtualService
    need: Need
    path: str


class Istio:
    """The Istio router. Stateless."""

    name: ClassVar[str] = "istio"

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the VirtualServices and the DestinationRule."""
        parsed = _parse(config)
        rule = _rule_need(parsed, intent)
        return tuple(wanted.need for wanted in _wanted(parsed, intent)) + ((rule,) if rule else ())

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the highest canary weight over the selected routes. Istio reports nothing back."""
        parsed = _parse(config)
        pair = _pair(parsed, intent)
        weights = []
        for wanted in _wanted(parsed, intent):
            obj = existing(live, wanted.need, wanted.path)
            for section in ("http", "tls", "tcp"):
                listed = items(obj.get("spec"), section, f"{title(obj)} spec")
                for index in routes.selected(wanted.service, section, listed, obj, pair):
                    canary, total = routes.split(listed[index], pair, obj)
                    weights.append(share(canary, total, intent.max_weight))
        return TrafficState(canary_weight=max(weights, default=None))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the DestinationRule's edit, then one for each VirtualService."""
        parsed = _parse(config)
        edits = _plan_rule(parsed, live, intent)
        for wanted in _wanted(parsed, intent):
            obj = existing(live, wanted.need, wanted.path)
            edits += _plan_service(wanted.service, obj, intent, _pair(parsed, intent))
        return edits


def _parse(config: Config) -> IstioRouting:
    parsed = parse(IstioRouting, dict(config), PATH)
    if (parsed.virtual_service is None) == (not parsed.virtual_services):
        raise TrafficError(f"{PATH}: set exactly one of virtualService and virtualServices")
    return parsed


def _wanted(config: IstioRouting, intent: TrafficIntent) -> tuple[_Wanted, ...]:
    if config.virtual_service is not None:
        listed = [(config.virtual_service, f"{PATH}.virtualService")]
    else:
        listed = [(each, f"{PATH}.virtualServices[{i}]") for i, each in enumerate(config.virtual_services)]
    found = []
    for service, path in listed:
        name, _, namespace = require(service.name, f"{path}.name", "the VirtualService").partition(".")
        need = Need(group=GROUP, kind="VirtualService", namespace=namespace or intent.namespace, name=name)
        found.append(_Wanted(service, need, f"{path}.name"))
    return tuple(found)


def _rule_need(config: IstioRouting, intent: TrafficIntent) -> Need | None:
    rule = config.destination_rule
    if rule is None:
        return None
    path = f"{PATH}.destinationRule"
    require(rule.canary_subset_name, f"{path}.canarySubsetName", "the subset of the new version")
    require(rule.stable_subset_name, f"{path}.stableSubsetName", "the subset of the stable version")
    name = require(rule.name, f"{path}.name", "the DestinationRule")
    return Need(group=GROUP, kind="DestinationRule", namespace=intent.namespace, name=name)


def _pair(config: IstioRouting, intent: TrafficIntent) -> Pair:
    rule = config.destination_rule
    extra = tuple((d.service, d.weight) for d in intent.additional)
    gone = _retired(intent)
    if rule is None:
        return Pair(intent, intent.stable_service, intent.canary_service, extra, gone, subsets=False)
    names = (rule.stable_subset_name, rule.canary_subset_name)
    return Pair(intent, *names, extra, gone, subsets=True, fixed=rule.additional_subset_names)


def _retired(intent: TrafficIntent) -> tuple[str, ...]:
    kept = {intent.stable_service, intent.canary_service, *(d.service for d in intent.additional)}
    return tuple(name for name in intent.retired if name not in kept)


def _plan_rule(config: IstioRouting, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
    need, rule = _rule_need(config, intent), config.destination_rule
    if need is None or rule is None:
        return ()
    obj = existing(live, need, f"{PATH}.destinationRule.name")
    body = copy.deepcopy(obj)
    hashes = {rule.stable_subset_name: intent.stable_hash, rule.canary_subset_name: intent.canary_hash}
    subsets = items(body.get("spec"), "subsets", f"{title(obj)} spec")
    present = {subset.get("name"): subset for subset in subsets}
    for name, value in hashes.items():
        if name not in present:
            raise TrafficError(f"{title(obj)} spec.subsets: no subset {name!r}; add it")
        _select(present[name], value)
    kept = {*hashes, *rule.additional_subset_names}
    gone = set(_retired(intent)) - kept
    subsets = [subset for subset in subsets if subset.get("name") not in gone]
    # Routes lead to an experiment by its Service; its subset is there for policies, as the peer has it.
    for each in intent.additional:
        if each.service not in present:
            present[each.service] = {"name": each.service}
            subsets.append(present[each.service])
        _select(present[each.service], each.pod_hash)
    body["spec"]["subsets"] = subsets
    _mark(body, intent)
    return replacement(obj, body, f"{title(obj)}: subsets of {intent.rollout}", "UpdatedDestinationRule")


def _select(subset: Manifest, value: str) -> None:
    """Let a subset select one version's pods; without such a version, those of its other labels."""
    labels = {key: text for key, text in (subset.get("labels") or {}).items() if key != HASH_LABEL}
    if value:
        labels[HASH_LABEL] = value
    if labels or "labels" in subset:
        subset["labels"] = labels


def released(rule: Manifest) -> Manifest:
    """Return the DestinationRule as it is without a Rollout: no mark, no hash in any subset."""
    body = copy.deepcopy(rule)
    body["metadata"]["annotations"] = {k: v for k, v in annotations_of(rule).items() if k != MANAGED_BY}
    for subset in items(body.get("spec"), "subsets", f"{title(rule)} spec"):
        _select(subset, "")
    return body


def _mark(body: Manifest, intent: TrafficIntent) -> None:
    annotations: Mapping[str, Any] = body["metadata"].get("annotations") or {}
    owner = annotations.get(MANAGED_BY)
    if owner not in (None, intent.rollout):
        raise TrafficError(
            f"{title(body)}: is managed by Rollout {owner!r} (annotation {MANAGED_BY}); use a "
            "DestinationRule for each Rollout, or remove the annotation when that Rollout is gone"
        )
    body["metadata"]["annotations"] = {**annotations, MANAGED_BY: intent.rollout}


def _plan_service(
    config: IstioVirtualService, obj: Manifest, intent: TrafficIntent, pair: Pair
) -> tuple[Edit, ...]:
    body = copy.deepcopy(obj)
    where = f"{title(obj)} spec"
    asked = [r.name for r in intent.header_routes] + [r.name for r in intent.mirror_routes]
    touched = 0
    for section in ("http", "tls", "tcp"):
        listed = items(body.get("spec"), section, where)
        chosen = routes.selected(config, section, listed, obj, pair)
        touched += len(chosen)
        if section == "http" and asked and not chosen:
            raise TrafficError(
                f"{title(obj)}: managed route {asked[0]!r} needs an http route of the Rollout; tls and "
                f"tcp carry weights only. Name one in {PATH}.virtualService.routes or remove the step"
            )
        for index in chosen:
            routes.weigh(listed[index], pair, obj)
        if section == "http" and listed:
            own = [route for route in listed if not routes.is_managed(route, intent)]
            added = routes.managed(intent, [listed[index] for index in chosen], pair, obj)
            body["spec"]["http"] = added + own
    if not touched:
        raise TrafficError(
            f"{title(obj)}: no http, tls or tcp route is selected; name one under {PATH} (virtual service "
            f"{name_of(obj)} in namespace {namespace_of(obj)})"
        )
    summary = f"{title(obj)}: canary {intent.canary_weight} of {intent.max_weight}"
    return replacement(obj, body, summary, "Updated VirtualService")
