"""Gateway API: HTTPRoute, GRPCRoute, TCPRoute and TLSRoute, as the plugin argoproj-labs/gatewayAPI does it.

Names of managed rules and the in-progress label are the plugin's, so an update can be taken over midway.
Objects are edited as JSON in the version that was read: fields newer than this code are kept.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import orjson

from rollouts.kube.objects import Manifest, annotations_of, labels_of, name_of, namespace_of
from rollouts.traffic import gateway_rules as rules
from rollouts.traffic.gateway_config import (
    DEFAULT_LABEL_KEY,
    DEFAULT_LABEL_VALUE,
    GROUP,
    NAME,
    PATH,
    GatewayConfig,
    Target,
    needs,
    read_config,
    targets,
)
from rollouts.traffic.gateway_status import acceptance, settle_time
from rollouts.traffic.router import (
    Confidence,
    Config,
    Edit,
    Need,
    TrafficError,
    TrafficIntent,
    TrafficState,
)

RECORD = "rollouts.dev/gatewayapi-canary"
"""Annotation: per rollout in progress, the managed rules that it wrote, as name → digest."""

_Record = dict[str, dict[str, str]]


class GatewayApi:
    """The Gateway API router. Stateless."""

    name: ClassVar[str] = NAME

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the configured routes. Raises TrafficError for a bad configuration."""
        return needs(read_config(config), intent)

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the canary's weight in the live rules and what the routes' parents say about it.

        Where rules or routes disagree the highest weight is returned, and the message says so.
        """
        parsed = read_config(config)
        found = targets(parsed, intent, live)
        weights: dict[str, int] = {}
        for target in found:
            place = _place(target, intent)
            for index, rule in enumerate(rules.rules_of(target)):
                if place.is_source(rule) and not place.is_managed(rule):
                    weights[f"{target} rules[{index}]"] = _canary_share(place, rule)
        states = [acceptance(target.live, str(target), now) for target in found]
        messages = [state.message for state in states if state.message]
        if len(set(weights.values())) > 1:
            messages.append("weights differ: " + ", ".join(f"{k} has {v}" for k, v in weights.items()))
        return TrafficState(
            canary_weight=max(weights.values(), default=None),
            confidence=min(state.reached for state in states) if weights else Confidence.WRITTEN,
            attainable=min(state.attainable for state in states),
            message="; ".join(messages),
            settle=_settle(parsed, found),
            recheck_at=min((state.recheck_at for state in states if state.recheck_at), default=None),
        )

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return one edit per route that does not say the intent yet."""
        parsed = read_config(config)
        found = targets(parsed, intent, live)
        asked = rules.asked_names(intent)
        if asked and not any(target.wanted.extra_rules for target in found):
            raise TrafficError(
                f"managed route {asked[0]!r} has no route to go to: set useHeaderRoutes: true for an "
                f"entry of {PATH}.httpRoutes or grpcRoutes, or name the route in httpRoute or grpcRoute"
            )
        edits = (_edit(parsed, target, intent) for target in found)
        return tuple(edit for edit in edits if edit is not None)


def _settle(config: GatewayConfig, found: Sequence[Target]) -> timedelta:
    if config.settle_seconds is not None:
        return timedelta(seconds=config.settle_seconds)
    return max(settle_time(target.live) for target in found)


def _place(target: Target, intent: TrafficIntent) -> rules.Place:
    written = _record(target).get(_owner(intent), {})
    return rules.Place(target, intent, frozenset(written.values()))


def _owner(intent: TrafficIntent) -> str:
    return f"{intent.namespace}/{intent.rollout}"


def _edit(config: GatewayConfig, target: Target, intent: TrafficIntent) -> Edit | None:
    live = rules.rules_of(target)
    place = _place(target, intent)
    rules.check_sources(place, live)
    own = [rule for rule in live if not place.is_managed(rule)]
    weighed = [rules.weighed(place, rule) if place.is_source(rule) else rule for rule in own]
    added: list[Manifest] = []
    if target.wanted.extra_rules:
        added = rules.managed_rules(place, [rule for rule in weighed if place.is_source(rule)])
    _refuse_taken_names(target, own, added)
    # A header rule wins wherever it stands, and the plugin puts it last. A mirror rule can match exactly what
    # its source matches, and then the first one wins.
    first = bool(added and intent.mirror_routes)
    body = copy.deepcopy(target.live)
    if not _says(place, live, added, weighed, first=first):
        wanted = added + weighed if first else weighed + added
        rules.check_limits(target, wanted)
        body["spec"]["rules"] = copy.deepcopy(wanted)
    _mark(config, target, intent, added, body)
    if body == target.live:
        return None
    version = str(target.live["apiVersion"]).partition("/")[2]
    return Edit(
        verb="replace",
        group=GROUP,
        version=version,
        kind=target.wanted.kind.kind,
        namespace=namespace_of(target.live),
        name=name_of(target.live),
        body=body,
        summary=_summary(target, intent, added),
    )


def _summary(target: Target, intent: TrafficIntent, added: Sequence[Manifest]) -> str:
    parts = []
    if intent.canary_weight is not None:
        parts.append(f"{intent.canary_service} {intent.canary_weight} of {intent.max_weight}")
    parts.append("managed rules " + (", ".join(str(rule["name"]) for rule in added) or "none"))
    return f"{target}: " + "; ".join(parts)


def _says(
    place: rules.Place,
    live: Sequence[Manifest],
    added: Sequence[Manifest],
    own: Sequence[Manifest],
    *,
    first: bool,
) -> bool:
    """Tell whether the live rules say it already, whatever other rollouts have in between."""
    managed = [i for i, rule in enumerate(live) if place.is_managed(rule)]
    sources = [i for i, rule in enumerate(live) if i not in managed and place.is_source(rule)]
    if len(managed) != len(added) or (first and managed and sources and managed[-1] > sources[0]):
        return False
    written = all(_same(live[i], want) for i, want in zip(managed, added, strict=True))
    return written and [rule for i, rule in enumerate(live) if i not in managed] == list(own)


def _same(have: Manifest, want: Manifest) -> bool:
    """Tell whether a live rule is the wanted one; an API server may have pruned its name."""
    return have == want or ("name" not in have and have == {k: v for k, v in want.items() if k != "name"})


def _refuse_taken_names(target: Target, own: Sequence[Manifest], added: Sequence[Manifest]) -> None:
    taken = {str(rule["name"]) for rule in own if rule.get("name")}
    for rule in added:
        if rule["name"] in taken:
            raise TrafficError(
                f"{target}: the managed route needs the rule name {rule['name']!r}, which another rule that "
                "does not lead to this Rollout's Services has; rename one of them"
            )


def _mark(
    config: GatewayConfig, target: Target, intent: TrafficIntent, added: Sequence[Manifest], body: Manifest
) -> None:
    """Keep label and record in step. The label stays while any rollout on the route is in progress."""
    record = _record(target)
    owner, before = _owner(intent), record.get(_owner(intent))
    labelled = not config.disable_in_progress_label
    if intent.canary_weight is None and not added and before is not None:
        in_progress = True
    else:
        in_progress = bool(intent.canary_weight) or bool(added)
    if added or (in_progress and labelled):
        record[owner] = {str(rule["name"]): rules.digest(rule) for rule in added}
    else:
        record.pop(owner, None)
    text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode() if record else None
    _set(body, "annotations", annotations_of(target.live), RECORD, text)
    key = config.in_progress_label_key or DEFAULT_LABEL_KEY
    if labelled and (in_progress or intent.canary_weight is not None):
        value = config.in_progress_label_value or DEFAULT_LABEL_VALUE
        _set(body, "labels", labels_of(target.live), key, value if in_progress or record else None)


def _set(body: Manifest, part: str, before: Mapping[str, str], key: str, value: str | None) -> None:
    """Set or remove one label or annotation; an empty map that we leave behind is removed too."""
    if before.get(key) == value:
        return
    entries = {k: v for k, v in before.items() if k != key} | ({} if value is None else {key: value})
    if entries:
        body["metadata"][part] = entries
    else:
        body["metadata"].pop(part, None)


def _record(target: Target) -> _Record:
    """Return our annotation. One that is not ours to read counts as empty, since it is written anew."""
    text = annotations_of(target.live).get(RECORD, "")
    try:
        decoded: Any = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(decoded, dict):
        return {}
    return {owner: dict(entry) for owner, entry in decoded.items() if isinstance(entry, dict)}


def _canary_share(place: rules.Place, rule: Manifest) -> int:
    """Return the canary's share among the rollout's Services in units of max_weight, rounded up."""
    intent = place.intent
    extra = [d.service for d in intent.additional] + list(intent.retired)
    services = dict.fromkeys((intent.canary_service, intent.stable_service, *extra))
    weights = {name: int((place.ref(rule, name) or {"weight": 0}).get("weight", 1)) for name in services}
    total, canary = sum(weights.values()), weights[intent.canary_service]
    if total in (0, intent.max_weight):
        return canary
    return -(-intent.max_weight * canary // total)


__all__ = ["RECORD", "GatewayApi"]
