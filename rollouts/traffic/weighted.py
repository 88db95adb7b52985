"""Weighted backends described by data: where they are, and how a backend names its Service and weight.

A mesh whose objects hold ``{name, weight}`` lists needs no code: ``rollouts.dev/weighted`` takes the same
description from the Rollout. Traefik is a description here, APISIX one with header routes beside it, and
``presets`` has further ones.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from rollouts.api.argoproj.rollout import TraefikRouting
from rollouts.api.base import ApiModel
from rollouts.kube.objects import Manifest
from rollouts.traffic.config import ROOT, parse, require
from rollouts.traffic.live import existing, replacement, share, stable_weight, title, whole
from rollouts.traffic.router import Config, Edit, Need, TrafficError, TrafficIntent, TrafficState

_SEGMENT = re.compile(r"(?P<key>[A-Za-z0-9_-]+)(?P<every>\[\*\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Where one object holds weighted backends.

    ``lists`` are dotted paths to lists of backends, or to a single backend; ``[*]`` goes through every item.
    Several paths make one split out of all that they find. ``only`` limits the items that ``[*]`` goes
    through to those names. ``service`` is the dotted path to a backend's name, ``weight`` its field.
    ``stable`` and ``canary`` are the names in backends where they are not the Services'.
    """

    need: Need
    path: str
    lists: tuple[str, ...]
    service: str = "name"
    weight: str = "weight"
    only: tuple[str, ...] = ()
    stable: str = ""
    canary: str = ""

    def names(self, intent: TrafficIntent) -> tuple[str, str]:
        """Return the names of canary and stable in backends."""
        return self.canary or intent.canary_service, self.stable or intent.stable_service


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class WeightedConfig(ApiModel):
    """Configuration of ``rollouts.dev/weighted``."""

    api_group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str | None = None
    backends: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    stable_name: str | None = None
    canary_name: str | None = None
    service_field: str = "name"
    weight_field: str = "weight"


class ByDescription:
    """Reads and plans from a description. Subclasses turn their configuration into one."""

    name: ClassVar[str]

    def describe(self, config: Config, intent: TrafficIntent) -> Backends:
        """Return where the weights are. Raises TrafficError for a bad configuration."""
        raise NotImplementedError

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the one object."""
        return (self.describe(config, intent).need,)

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the highest canary weight over the lists that hold both Services."""
        where = self.describe(config, intent)
        obj = existing(live, where.need, where.path)
        weights = []
        for backends in _lists(obj, where):
            pair = _pair(backends, where, intent)
            if pair is not None:
                canary, stable = (whole(each.get(where.weight, 0), title(obj)) for each in pair)
                weights.append(share(canary, canary + stable, intent.max_weight))
        return TrafficState(canary_weight=max(weights, default=None))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the edit of the object, if its weights differ."""
        where = self.describe(config, intent)
        if intent.header_routes or intent.mirror_routes or intent.additional:
            raise TrafficError(
                f"{where.path}: {self.name} carries weights of stable and canary only; remove header and "
                "mirror steps and experiment weights, or use another router"
            )
        obj = existing(live, where.need, where.path)
        body = copy.deepcopy(obj)
        found = 0
        for backends in _lists(body, where):
            pair = _pair(backends, where, intent)
            if pair is None:
                continue
            found += 1
            for each in pair:
                whole(each.get(where.weight, 0), f"{title(obj)} {where.weight}")
            if intent.canary_weight is not None:
                pair[0][where.weight], pair[1][where.weight] = intent.canary_weight, stable_weight(intent)
        if not found:
            canary, stable = where.names(intent)
            raise TrafficError(
                f"{title(obj)} {' and '.join(where.lists)}: nothing names both {stable!r} and {canary!r} in "
                f"{where.service!r}; add the missing backend"
            )
        return replacement(obj, body, f"{title(obj)}: canary {intent.canary_weight} of {intent.max_weight}")


class Traefik(ByDescription):
    """A weighted TraefikService."""

    name: ClassVar[str] = "traefik"

    def describe(self, config: Config, intent: TrafficIntent) -> Backends:
        """Return the lists of the TraefikService."""
        path = f"{ROOT}.traefik.weightedTraefikServiceName"
        parsed = parse(TraefikRouting, dict(config), f"{ROOT}.traefik")
        name = require(parsed.weighted_traefik_service_name, path, "the TraefikService")
        need = Need(group="traefik.io", kind="TraefikService", namespace=intent.namespace, name=name)
        return Backends(need=need, path=path, lists=("spec.weighted.services",))


class Weighted(ByDescription):
    """Any object with weighted lists, as the Rollout describes it."""

    name: ClassVar[str] = "rollouts.dev/weighted"

    def describe(self, config: Config, intent: TrafficIntent) -> Backends:
        """Return the lists that the configuration names."""
        path = f'{ROOT}.plugins["{self.name}"]'
        parsed = parse(WeightedConfig, dict(config), path)
        need = Need(
            group=parsed.api_group,
            kind=require(parsed.kind, f"{path}.kind", "the object's kind"),
            namespace=parsed.namespace or intent.namespace,
            name=require(parsed.name, f"{path}.name", "the object's name"),
        )
        where = f"{path}.backends"
        require(
            parsed.backends[0] if parsed.backends else "",
            where,
            "path to the lists, as spec.routes[*].services",
        )
        for listed in parsed.backends:
            if not all(_SEGMENT.fullmatch(part) for part in listed.split(".")):
                raise TrafficError(f"{where}: {listed!r} is no path; write it as spec.routes[*].services")
        return Backends(
            need=need,
            path=path,
            lists=parsed.backends,
            service=parsed.service_field,
            weight=parsed.weight_field,
            stable=parsed.stable_name or "",
            canary=parsed.canary_name or "",
        )


def _lists(obj: Manifest, where: Backends) -> Iterator[list[Manifest]]:
    """Yield the backends of each split. Raises TrafficError when the object has another shape."""
    if len(where.lists) == 1:
        yield from _lists_at(obj, where, where.lists[0])
        return
    yield [backend for path in where.lists for listed in _lists_at(obj, where, path) for backend in listed]


def _lists_at(obj: Manifest, where: Backends, path: str) -> Iterator[list[Manifest]]:
    for found in _walk(obj, path.split("."), where, title(obj)):
        listed = [found] if isinstance(found, dict) and len(where.lists) > 1 else found
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise TrafficError(f"{title(obj)} {path}: must be a list of objects; correct it")
        yield listed


def _walk(node: Any, parts: Sequence[str], where: Backends, at: str) -> Iterator[Any]:
    if not parts:
        yield node
        return
    segment = _SEGMENT.fullmatch(parts[0])
    key = segment["key"] if segment else parts[0]
    if not isinstance(node, Mapping):
        raise TrafficError(f"{at}: must be an object with {key!r}; correct it")
    child = node.get(key)
    if child is None:
        return
    if segment is None or not segment["every"]:
        yield from _walk(child, parts[1:], where, f"{at}.{key}")
        return
    if not isinstance(child, list):
        raise TrafficError(f"{at}.{key}: must be a list; correct it")
    for index, item in enumerate(child):
        named = item.get("name") if isinstance(item, Mapping) else None
        if not where.only or named in where.only:
            yield from _walk(item, parts[1:], where, f"{at}.{key}[{index}]")


def _pair(
    backends: list[Manifest], where: Backends, intent: TrafficIntent
) -> tuple[Manifest, Manifest] | None:
    """Return the canary's and the stable's entry of a list that has both."""
    by_name = {_field(backend, where.service): backend for backend in backends}
    canary, stable = (by_name.get(name) for name in where.names(intent))
    return (canary, stable) if canary is not None and stable is not None else None


def _field(backend: Manifest, path: str) -> str | None:
    node: Any = backend
    for key in path.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if isinstance(node, str) else None
