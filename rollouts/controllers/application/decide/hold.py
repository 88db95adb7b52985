"""Abort → hold: a pod template that a Rollout has aborted is not applied again. Pure.

Two ledgers live in annotations of the Application, since both flavours of its CRD keep those: which commit
brought the template of each Rollout, and which templates were aborted. The key is the hash of the template,
not the commit: an unrelated commit with the same template is held too, and a second push of it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from rollouts.controllers.application.snapshot import ApplicationSnapshot, RolloutView
from rollouts.gitops.diff.tracking import group_of
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ObjectKey, ReadOnly, format_time
from rollouts.workloads.template_hash import pod_template_hash

DELIVERED = "rollouts.dev/delivered-templates"
REJECTED = "rollouts.dev/rejected-templates"
KEPT = 5
"""Aborted templates that are remembered of each Rollout."""

Entry = Mapping[str, str]
Ledger = Mapping[str, tuple[Entry, ...]]
"""By "namespace/name" of the Rollout: entries with template, commit, and for an abort since and reason."""


@dataclass(frozen=True, slots=True)
class Holds:
    """What is held, by object, with the words for people; and the ledgers as they shall be written."""

    messages: Mapping[ObjectKey, str] = field(default_factory=dict)
    blocked: Mapping[ObjectKey, str] = field(default_factory=dict)
    annotations: Mapping[str, str | None] = field(default_factory=dict)


def read_ledger(text: str) -> Ledger:
    """Return a ledger; one that cannot be read counts as empty."""
    try:
        value: Any = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {
        str(place): tuple({str(k): str(v) for k, v in e.items()} for e in entries if isinstance(e, dict))
        for place, entries in value.items()
        if isinstance(entries, list)
    }


def rollouts_of(
    s: ApplicationSnapshot, live: Mapping[ObjectKey, Manifest]
) -> Mapping[ObjectKey, RolloutView]:
    """Return the Rollouts that the commit has, beside their live state."""
    targets = s.source.targets
    found = {}
    for target in targets.objects if targets else ():
        if group_of(target.manifest) == "argoproj.io" and target.manifest.get("kind") == "Rollout":
            template = _template(target.manifest)
            if template:
                found[target.key] = view(template, live.get(target.key))
    return found


def view(desired_template: str, live: ReadOnly | None) -> RolloutView:
    """Return what a live Rollout says about its own template."""
    if live is None:
        return RolloutView(desired_template=desired_template)
    status = live.get("status") or {}
    observed = str(status.get("observedGeneration") or "")
    up_to_date = not observed.isdecimal() or int(observed) == objects.generation(live)
    stable, current = status.get("stableRS"), status.get("currentPodHash")
    aborted = up_to_date and bool(status.get("abort")) and bool(stable) and stable != current
    return RolloutView(
        desired_template=desired_template,
        live_template=_template(live),
        aborted=aborted,
        promoted=up_to_date and not aborted and bool(stable) and stable == current,
        since=str(status.get("abortedAt") or ""),
        # Until the abort is acted on, the message is still that of the state before it.
        reason=str(status.get("message") or "") if status.get("phase") == "Degraded" else "",
    )


def _template(rollout: ReadOnly) -> str:
    template = (rollout.get("spec") or {}).get("template")
    return pod_template_hash(template) if isinstance(template, Mapping) else ""


def judge(s: ApplicationSnapshot, live: Mapping[ObjectKey, Manifest]) -> Holds:
    """Return what is held now, and bring both ledgers up to date."""
    delivered = dict(read_ledger(s.annotations.get(DELIVERED, "")))
    rejected = dict(read_ledger(s.annotations.get(REJECTED, "")))
    messages: dict[ObjectKey, str] = {}
    blocked: dict[ObjectKey, str] = {}
    for key, rollout in rollouts_of(s, live).items():
        place = f"{key.namespace}/{key.name}"
        delivered[place] = _delivered(s, rollout, delivered.get(place, ()))
        rejected[place] = _rejected(s, rollout, rejected.get(place, ()), delivered[place])
        entry = next((e for e in rejected[place] if e.get("template") == rollout.desired_template), None)
        if entry is None:
            continue
        if not rollout.live_template:
            blocked[key] = messages[key] = _words(key, rollout, entry)
        elif rollout.live_template != rollout.desired_template or rollout.aborted:
            messages[key] = _words(key, rollout, entry)
    return Holds(messages, blocked, _changed(s, {DELIVERED: delivered, REJECTED: rejected}))


def _delivered(s: ApplicationSnapshot, rollout: RolloutView, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The commit that first brought the live template: later commits with the same one do not count."""
    if not rollout.live_template or rollout.live_template != rollout.desired_template:
        return entries
    if entries and entries[-1].get("template") == rollout.live_template:
        return entries
    return ({"template": rollout.live_template, "commit": s.source.revision},)


def _rejected(
    s: ApplicationSnapshot, rollout: RolloutView, entries: tuple[Entry, ...], delivered: tuple[Entry, ...]
) -> tuple[Entry, ...]:
    known = any(entry.get("template") == rollout.live_template for entry in entries)
    if rollout.promoted and known:
        return tuple(entry for entry in entries if entry.get("template") != rollout.live_template)
    if not rollout.aborted:
        return entries
    if known:
        return tuple(_with_reason(entry, rollout) for entry in entries)
    commit = next((e["commit"] for e in delivered if e.get("template") == rollout.live_template), "")
    entry = {
        "template": rollout.live_template,
        "commit": commit,
        "since": rollout.since or format_time(s.now),
        "reason": rollout.reason[:300],
    }
    return (*entries, entry)[-KEPT:]


def _with_reason(entry: Entry, rollout: RolloutView) -> Entry:
    """Add the reason that came only after the abort was seen."""
    if entry.get("template") != rollout.live_template or entry.get("reason") or not rollout.reason:
        return entry
    return {**entry, "reason": rollout.reason[:300]}


def _words(key: ObjectKey, rollout: RolloutView, entry: Entry) -> str:
    commit = entry.get("commit") or ""
    which = f"commit {commit[:12]}" if commit else "a change that did not come from Git"
    if not rollout.live_template:
        state = "The Rollout does not exist and is not created with it"
    elif rollout.live_template != rollout.desired_template:
        state = "The live Rollout has another template, which is left as it is"
    else:
        state = "Traffic is on the stable version"
    reason = entry.get("reason") or "the Rollout was aborted"
    return (
        f"Held: {key} rejected the pod template of {which} (aborted at {entry.get('since')}: {reason}). "
        f"{state}, and Git's template is not applied again. Commit another template; or retry the "
        f"Rollout; or, to forget all rejections, remove the annotation {REJECTED} from the Application"
    )


def _changed(s: ApplicationSnapshot, ledgers: Mapping[str, Ledger]) -> Mapping[str, str | None]:
    """Return the annotations that differ from what is stored."""
    changed: dict[str, str | None] = {}
    for name, ledger in ledgers.items():
        kept = {place: list(entries) for place, entries in ledger.items() if entries}
        stored = read_ledger(s.annotations.get(name, ""))
        if {place: tuple(entries) for place, entries in kept.items()} != dict(stored):
            changed[name] = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode() if kept else None
    return changed
