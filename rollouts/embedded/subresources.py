"""Subresources that are not a view of the object: scale, eviction and binding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.embedded.deletion import DeleteOptions, Deleter
from rollouts.embedded.failures import Cause, bad_request, conflict, invalid, too_many_requests
from rollouts.embedded.resources import Registry, ResourceType, ScalePaths
from rollouts.embedded.selectors import by_selector
from rollouts.embedded.store import Entry, Name
from rollouts.embedded.writes import Options, Writer, Written, patched
from rollouts.kube.api import PatchKind
from rollouts.kube.objects import Manifest

_SCALE_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    return obj


def _set(obj: Mapping[str, Any], path: tuple[str, ...], value: Any) -> Manifest:
    head, *rest = path
    below = _set(obj.get(head) or {}, tuple(rest), value) if rest else value
    return {**obj, head: below}


def _selector_text(selector: Any) -> str:
    if isinstance(selector, str):
        return selector
    pairs = [f"{k}={v}" for k, v in sorted((_at(selector, ("matchLabels",)) or {}).items())]
    words = {"In": "in", "NotIn": "notin"}
    for expression in _at(selector, ("matchExpressions",)) or ():
        key, operator = expression["key"], expression["operator"]
        if operator in words:
            pairs.append(f"{key} {words[operator]} ({','.join(expression.get('values') or ())})")
        else:
            pairs.append(key if operator == "Exists" else f"!{key}")
    return ",".join(pairs)


class Scales:
    """The scale subresource. As on a real server, scaling a custom resource records no manager."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def get(self, kind: ResourceType, key: Name) -> Entry:
        """Return the Scale of an object."""
        return self._view(kind, self._writer.current(kind, key))

    def _view(self, kind: ResourceType, entry: Entry) -> Entry:
        paths = kind.scale or ScalePaths()
        obj = entry.object
        status: Manifest = {"replicas": _at(obj, paths.status_replicas) or 0}
        selector = _selector_text(_at(obj, paths.selector)) if paths.selector else ""
        if selector:
            status["selector"] = selector
        scale: Manifest = {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {k: v for k, v in obj["metadata"].items() if k in _SCALE_METADATA},
            "spec": {"replicas": _at(obj, paths.spec_replicas) or 0},
            "status": status,
        }
        return Entry(scale, entry.version)

    def replace(self, kind: ResourceType, key: Name, body: Mapping[str, Any], options: Options) -> Written:
        """Set the replicas that a Scale names."""
        entry = self._writer.current(kind, key)
        paths = kind.scale or ScalePaths()
        replicas = _at(body, ("spec", "replicas")) or 0
        if not isinstance(replicas, int) or isinstance(replicas, bool):
            raise bad_request(f"spec.replicas: {replicas!r} is not a number")
        if replicas < 0:
            why = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise invalid("Scale", "autoscaling", key.name, [Cause("spec.replicas", why)])
        obj = _set(entry.object, paths.spec_replicas, replicas)
        version = _at(body, ("metadata", "resourceVersion"))
        uid = _at(body, ("metadata", "uid"))
        held = {**obj["metadata"], "resourceVersion": version, "uid": uid or obj["metadata"]["uid"]}
        obj["metadata"] = held
        managed = entry.object["metadata"].get("managedFields") if kind.custom else None
        written = self._writer.update(kind, key, entry, obj, options, "scale", managed)
        return Written(self._view(kind, written.entry), warnings=written.warnings)

    def patch(
        self, kind: ResourceType, key: Name, patch: Any, content: PatchKind, options: Options
    ) -> Written:
        """Patch the Scale."""
        scale = self.get(kind, key).object
        if content is PatchKind.APPLY:
            content = PatchKind.MERGE
        wanted = patched(kind, scale, patch, content)
        named = isinstance(patch, dict) and _at(patch, ("metadata", "resourceVersion"))
        if not named:
            held = {k: v for k, v in wanted["metadata"].items() if k != "resourceVersion"}
            wanted = {**wanted, "metadata": held}
        return self.replace(kind, key, wanted, options)


class Evictions:
    """POST pods/<name>/eviction: a delete that PodDisruptionBudgets may refuse."""

    def __init__(self, writer: Writer, deleter: Deleter, registry: Registry) -> None:
        self._writer = writer
        self._deleter = deleter
        self._registry = registry

    def evict(self, kind: ResourceType, key: Name, body: Mapping[str, Any], *, dry_run: bool) -> Manifest:
        """Delete the pod. Raises 429 when a budget allows no disruption."""
        pod = self._writer.current(kind, key).object
        asked = body.get("deleteOptions") or {}
        options = DeleteOptions(
            uid=_at(asked, ("preconditions", "uid")) or "",
            grace_period_seconds=asked.get("gracePeriodSeconds"),
            dry_run=dry_run,
        )
        running = _at(pod, ("status", "phase")) not in ("Succeeded", "Failed", "Pending")
        if running and not pod["metadata"].get("deletionTimestamp"):
            self._spend_budget(pod, dry_run=dry_run)
        self._deleter.delete(kind, key, options)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _spend_budget(self, pod: Manifest, *, dry_run: bool) -> None:
        budgets = self._registry.find("policy", "v1", "poddisruptionbudgets")
        labels = pod["metadata"].get("labels") or {}
        namespace = pod["metadata"]["namespace"]
        for key, entry in list(self._writer.collection(budgets).entries(namespace)):
            selector = _at(entry.object, ("spec", "selector"))
            if selector is None or not by_selector(selector)(labels):
                continue
            allowed = int(_at(entry.object, ("status", "disruptionsAllowed")) or 0)
            if allowed <= 0:
                why = f"The disruption budget {key.name} allows no further disruption at present"
                raise too_many_requests(
                    "Cannot evict pod as it would violate the pod's disruption budget.",
                    [Cause("", why, "DisruptionBudget")],
                )
            obj = _set(entry.object, ("status", "disruptionsAllowed"), allowed - 1)
            options = Options(manager="kube-apiserver", dry_run=dry_run)
            self._writer.update(budgets, key, entry, obj, options, "status")


class Bindings:
    """POST pods/<name>/binding: put a pod on a node, once."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def bind(self, kind: ResourceType, key: Name, body: Mapping[str, Any], *, dry_run: bool) -> Manifest:
        """Set spec.nodeName and the PodScheduled condition. Raises 409 when the pod is bound already."""
        entry = self._writer.current(kind, key)
        node = _at(body, ("target", "name"))
        if not node:
            why = "Required value"
            raise invalid("Binding", "", key.name, [Cause("target.name", why, "FieldValueRequired")])
        bound = _at(entry.object, ("spec", "nodeName"))
        if bound:
            why = f"pod {key.name} is already assigned to node {bound!r}"
            raise conflict("pods/binding", "", key.name, why)
        obj = _set(entry.object, ("spec", "nodeName"), node)
        condition = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": self._writer.now(),
        }
        conditions = [c for c in _at(obj, ("status", "conditions")) or () if c["type"] != "PodScheduled"]
        obj = _set(obj, ("status", "conditions"), [*conditions, condition])
        obj["metadata"] = dict(obj["metadata"])
        if not dry_run:
            self._writer.store.put(self._writer.collection(kind), key, obj)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
