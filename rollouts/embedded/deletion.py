"""Deleting: preconditions, finalizers, propagation and the graceful end of pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rollouts.clock import Clock
from rollouts.embedded import meta
from rollouts.embedded.failures import Cause, conflict, invalid
from rollouts.embedded.resources import ResourceType
from rollouts.embedded.store import Entry, Name
from rollouts.embedded.writes import Writer, is_finished
from rollouts.kube.objects import Manifest, format_time

POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a delete asks for; ``propagation`` "" leaves the object's own finalizers to decide."""

    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    grace_period_seconds: int | None = None
    dry_run: bool = False


class Deleter:
    """Deletes from the writer's store."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def delete(self, kind: ResourceType, key: Name, options: DeleteOptions) -> tuple[Entry, bool]:
        """Delete, or mark as being deleted. Returns (last state, whether it is gone)."""
        current = self._writer.current(kind, key)
        held = current.object["metadata"]
        self._check(kind, key, held, options)
        obj = {**current.object, "metadata": dict(held)}
        obj["metadata"].update(finalizers=self._finalizers(held, options.propagation))
        if not obj["metadata"]["finalizers"]:
            del obj["metadata"]["finalizers"]
        self._mark(kind, obj, options.grace_period_seconds)
        finished = is_finished(obj)
        if options.dry_run:
            return Entry(obj, current.version), finished
        collection = self._writer.collection(kind)
        if finished:
            return self._writer.store.remove(collection, key, obj), True
        if obj == current.object:
            return current, False
        return self._writer.store.put(collection, key, obj), False

    def _check(self, kind: ResourceType, key: Name, held: Mapping[str, Any], options: DeleteOptions) -> None:
        if options.propagation and options.propagation not in POLICIES:
            listed = ", ".join(f'"{policy}"' for policy in (*POLICIES, "nil"))
            why = f'Unsupported value: "{options.propagation}": supported values: {listed}'
            cause = Cause("propagationPolicy", why, "FieldValueNotSupported")
            raise invalid("DeleteOptions", "meta.k8s.io", "", [cause])
        if options.uid and options.uid != held["uid"]:
            why = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record "
                f"({held['uid']}). The object might have been deleted and then recreated"
            )
            raise conflict(kind.kind, kind.group, key.name, why)
        if options.resource_version and options.resource_version != held["resourceVersion"]:
            why = (
                f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
                f"ResourceVersion in record ({held['resourceVersion']}). The object might have been modified"
            )
            raise conflict(kind.kind, kind.group, key.name, why)

    def _finalizers(self, held: Mapping[str, Any], propagation: str) -> list[str]:
        present = list(held.get("finalizers") or ())
        if not propagation:
            return present
        kept = [f for f in present if f not in (meta.FOREGROUND, meta.ORPHAN)]
        added = {"Foreground": [meta.FOREGROUND], "Orphan": [meta.ORPHAN]}.get(propagation, [])
        return kept + added

    def _mark(self, kind: ResourceType, obj: Manifest, asked: int | None) -> None:
        """Set deletionTimestamp, or bring it closer when a shorter grace period is asked for."""
        held = obj["metadata"]
        grace = _grace_period(kind, obj, asked)
        if held.get("deletionTimestamp"):
            if grace < int(held.get("deletionGracePeriodSeconds") or 0):
                held["deletionGracePeriodSeconds"] = grace
                held["deletionTimestamp"] = self._moment(grace)
            return
        held["deletionTimestamp"] = self._moment(grace)
        held["deletionGracePeriodSeconds"] = grace
        if held.get("generation"):
            held["generation"] += 1
        if kind.kind == "Namespace":
            obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}

    def _moment(self, grace: int) -> str:
        return format_time(self._clock.now() + timedelta(seconds=grace))


def _grace_period(kind: ResourceType, obj: Mapping[str, Any], asked: int | None) -> int:
    """Only a pod that a kubelet has in hand ends gracefully."""
    if kind.kind != "Pod":
        return 0
    spec = obj.get("spec") or {}
    if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(0, asked)
    return int(spec.get("terminationGracePeriodSeconds", 30))
