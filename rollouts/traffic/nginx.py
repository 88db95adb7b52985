"""ingress-nginx: a canary Ingress beside each stable one, with the weight in annotations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from rollouts.api.argoproj.rollout import NginxRouting
from rollouts.kube.objects import Manifest, annotations_of, controller_owner, name_of
from rollouts.traffic import ingress as ing
from rollouts.traffic.config import ROOT, parse
from rollouts.traffic.live import creation, existing, find, items, replacement, title
from rollouts.traffic.router import Config, Edit, Need, TrafficError, TrafficIntent, TrafficState

PATH = f"{ROOT}.nginx"
DEFAULT_PREFIX = "nginx.ingress.kubernetes.io"
CLASS = "kubernetes.io/ingress.class"
_SUFFIX = "-canary"
_MAX_NAME = 253


class Nginx:
    """The ingress-nginx router. Stateless."""

    name: ClassVar[str] = "nginx"

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return each stable Ingress and its canary Ingress, which may not exist yet."""
        stable = _stable(_parse(config))
        canaries = (ing.need(intent, canary_name(intent.rollout, base)) for base in stable)
        return (
            *(ing.need(intent, base) for base in stable),
            *(replace(need, optional=True) for need in canaries),
        )

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the highest weight over the canary ingresses; a missing one carries nothing."""
        parsed = _parse(config)
        prefix = parsed.annotation_prefix or DEFAULT_PREFIX
        weights = []
        for base in _stable(parsed):
            canary = find(live, ing.need(intent, canary_name(intent.rollout, base)))
            weights.append(0 if canary is None else _weight(canary, prefix))
        return TrafficState(canary_weight=max(weights))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the canary ingresses to create or change. They go with the Rollout, which owns them."""
        parsed = _parse(config)
        _refuse_more(intent)
        edits: tuple[Edit, ...] = ()
        for base in _stable(parsed):
            stable = existing(live, ing.need(intent, base), f"{PATH}.stableIngress")
            ing.check_backend(stable, intent.stable_service)
            present = find(live, ing.need(intent, canary_name(intent.rollout, base)))
            edits += _plan_one(parsed, stable, present, intent)
        return edits


def canary_name(rollout: str, stable: str) -> str:
    """Return the canary Ingress's name as the peer has it: ``<rollout>-<stable>-canary``, cut to 253."""
    return f"{rollout}-{stable}"[: _MAX_NAME - len(_SUFFIX)] + _SUFFIX


def _parse(config: Config) -> NginxRouting:
    return parse(NginxRouting, dict(config), PATH)


def _stable(config: NginxRouting) -> tuple[str, ...]:
    return ing.names(config.stable_ingress, config.stable_ingresses, PATH, "stableIngress")


def _refuse_more(intent: TrafficIntent) -> None:
    if intent.header_routes or intent.mirror_routes:
        raise TrafficError(
            f"{PATH}: nginx has no header or mirror routes; remove the step or use another router"
        )
    if intent.additional:
        raise TrafficError(f"{PATH}: nginx cannot weigh experiments; remove the templates' weights")


def _plan_one(
    config: NginxRouting, stable: Manifest, present: Manifest | None, intent: TrafficIntent
) -> tuple[Edit, ...]:
    if present is None and intent.canary_weight is None:
        return ()
    canary = _canary(config, stable, present, intent)
    summary = f"{title(canary)}: {intent.canary_weight} of {intent.max_weight}"
    if present is None:
        return creation(canary, summary, "CreatingCanaryIngress")
    owner = controller_owner(present)
    wanted = (intent.owner or {}).get("uid")
    if wanted is not None and (owner is None or owner.get("uid") != wanted):
        whose = f"{owner.get('kind')} {owner.get('name')}" if owner else "nobody"
        raise TrafficError(
            f"{title(present)}: belongs to {whose}, not to Rollout {intent.rollout}; delete or rename it"
        )
    return replacement(present, canary, summary, "PatchingCanaryIngress")


def _canary(
    config: NginxRouting, stable: Manifest, present: Manifest | None, intent: TrafficIntent
) -> Manifest:
    body: Manifest = copy.deepcopy(present) if present is not None else _fresh(stable, intent)
    spec = {} if present is None else body["spec"]
    if "ingressClassName" in stable["spec"]:
        spec["ingressClassName"] = stable["spec"]["ingressClassName"]
    spec["rules"] = _rules(stable, intent)
    # A host's certificate is taken from any of its ingresses: a rule of the canary must not lose it.
    spec.pop("tls", None)
    if stable["spec"].get("tls"):
        spec["tls"] = copy.deepcopy(stable["spec"]["tls"])
    body["spec"] = spec
    body["metadata"]["annotations"] = _annotations(config, stable, body, intent)
    return body


def _fresh(stable: Manifest, intent: TrafficIntent) -> Manifest:
    name = canary_name(intent.rollout, name_of(stable))
    meta: Manifest = {"name": name, "namespace": intent.namespace}
    if intent.owner is not None:
        meta["ownerReferences"] = [dict(intent.owner)]
    return {"apiVersion": stable["apiVersion"], "kind": "Ingress", "metadata": meta}


def _rules(stable: Manifest, intent: TrafficIntent) -> list[Manifest]:
    """Return the stable rules that lead to the stable Service, leading to the canary Service instead."""
    rules = []
    for rule in copy.deepcopy(items(stable["spec"], "rules", f"{title(stable)} spec")):
        listed = (rule.get("http") or {}).get("paths") or []
        kept = [path for path in listed if ing.service_of(path) == intent.stable_service]
        for path in kept:
            path["backend"]["service"]["name"] = intent.canary_service
        if kept:
            rule["http"]["paths"] = kept
            rules.append(rule)
    return rules


def _annotations(
    config: NginxRouting, stable: Manifest, body: Manifest, intent: TrafficIntent
) -> dict[str, str]:
    prefix = config.annotation_prefix or DEFAULT_PREFIX
    total = f"{prefix}/canary-weight-total"
    found = {key: value for key, value in annotations_of(body).items() if key != total}
    if CLASS in annotations_of(stable):
        found[CLASS] = annotations_of(stable)[CLASS]
    for key, value in config.additional_ingress_annotations.items():
        found[key if key.startswith(f"{prefix}/") else f"{prefix}/{key}"] = value
    found |= config.canary_ingress_annotations
    found[f"{prefix}/canary"] = "true"
    if intent.canary_weight is not None:
        found[f"{prefix}/canary-weight"] = str(intent.canary_weight)
        if intent.max_weight != 100:
            found[total] = str(intent.max_weight)
    elif total in annotations_of(body):
        found[total] = annotations_of(body)[total]
    return found


def _weight(canary: Manifest, prefix: str) -> int:
    text = annotations_of(canary).get(f"{prefix}/canary-weight", "0")
    if not text.isdecimal():
        raise TrafficError(f"{title(canary)}: annotation {prefix}/canary-weight is {text!r}, no whole number")
    return int(text)
