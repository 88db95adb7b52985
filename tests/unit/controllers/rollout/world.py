"""A world in memory for decisions: objects in dicts, pods that become ready when told, time that is set.

It runs the real observe, decide and apply against the smallest API that keeps versions, uids and
preconditions. What needs a real API server is tested elsewhere.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.controllers.rollout.actions import Decision, Event
from rollouts.controllers.rollout.apply import Apply, reached_by
from rollouts.controllers.rollout.controller import service_weights
from rollouts.controllers.rollout.decide import decide
from rollouts.controllers.rollout.observe import ORPHANS, Observer, orphaned
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube import errors, objects
from rollouts.kube.api import PatchKind
from rollouts.kube.mergepatch import merge_patch
from rollouts.kube.objects import Key, Manifest, Resource
from rollouts.workloads import labels

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
KEY = Key("shop", "web")
RESOURCES = {
    "ConfigMap": objects.CONFIGMAPS,
    "HTTPRoute": objects.HTTP_ROUTES,
    "Deployment": objects.DEPLOYMENTS,
    "ServiceLevelObjective": objects.SERVICE_LEVEL_OBJECTIVES,
}


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


class MemoryApi:
    """Objects by resource and name; ``before_write`` may raise or record."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Resource, str], Manifest] = {}
        self.version = 0
        self.uids = 0
        self.now = START
        self.writes: list[str] = []
        self.before_write: Callable[[str], None] = lambda what: None
        self.after_write: Callable[[str], None] = lambda what: None

    def put(self, resource: Resource, body: Manifest) -> Manifest:
        """Create without the controller noticing, as a user would."""
        body = copy.deepcopy(body)
        meta = body.setdefault("metadata", {})
        self.uids += 1
        self.version += 1
        meta.update(
            uid=f"uid-{self.uids}", resourceVersion=str(self.version), generation=1,
            creationTimestamp=objects.format_time(self.now),
        )  # fmt: skip
        meta.setdefault("namespace", KEY.namespace)
        self.objects[(resource, meta["name"])] = body
        return body

    def change(self, resource: Resource, name: str, patch: Manifest) -> Manifest:
        """Patch without the controller noticing; a changed spec raises the generation."""
        before = self.objects[(resource, name)]
        after = merged(copy.deepcopy(before), patch)
        if after == before:
            return before
        self.version += 1
        after["metadata"]["resourceVersion"] = str(self.version)
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        self.objects[(resource, name)] = after
        return after

    def _write(self, what: str) -> None:
        self.before_write(what)
        self.writes.append(what)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        try:
            return self.objects[(resource, name)]
        except KeyError:
            raise errors.NotFound(f"{name} not found", status=404) from None

    async def create(self, resource: Resource, namespace: str | None, body: Any, **options: Any) -> Manifest:
        name = objects.name_of(body)
        what = f"create {resource.kind} {name}"
        self._write(what)
        if (resource, name) in self.objects:
            raise errors.AlreadyExists(f"{name} exists", status=409)
        created = self.put(resource, body)
        self.after_write(what)
        return created

    async def replace(
        self, resource: Resource, namespace: str | None, name: str, body: Any, **options: Any
    ) -> Manifest:
        what = f"replace {resource.kind} {name}"
        self._write(what)
        live = await self.get(resource, namespace, name)
        if objects.resource_version(body) not in ("", objects.resource_version(live)):
            raise errors.Conflict("changed", status=409)
        patch = merge_patch(live, body)
        replaced = self.change(resource, name, patch)
        self.after_write(what)
        return replaced

    async def patch(
        self, resource: Resource, namespace: str | None, name: str, body: Any, *,
        kind: PatchKind = PatchKind.MERGE, subresource: str = "", **options: Any,
    ) -> Manifest:  # fmt: skip
        what = f"patch {resource.kind} {name}{'/' + subresource if subresource else ''}"
        self._write(what)
        live = await self.get(resource, namespace, name)
        meta = dict(body.get("metadata") or {})
        for field in ("uid", "resourceVersion"):
            if field in meta and meta[field] != live["metadata"][field]:
                raise errors.Conflict(f"{field} differs", status=409)
            meta.pop(field, None)
        body = {k: v for k, v in {**body, "metadata": meta}.items() if v != {}}
        if subresource == "status":
            body = {"status": body.get("status", {})}
        patched = self.change(resource, name, body)
        self.after_write(what)
        return patched

    async def delete(self, resource: Resource, namespace: str | None, name: str, **options: Any) -> None:
        what = f"delete {resource.kind} {name}"
        self._write(what)
        if self.objects.pop((resource, name), None) is None:
            raise errors.NotFound(f"{name} not found", status=404)
        self.after_write(what)


class MemoryCache:
    """The Cache port over a MemoryApi, always fresh."""

    def __init__(self, api: MemoryApi) -> None:
        self._api = api

    def watched(self, resource: Resource) -> bool:
        return True

    def synced(self, resource: Resource) -> bool:
        return True

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        return self._api.objects.get((resource, name))

    def list(self, resource: Resource, namespace: str | None = None) -> Sequence[Manifest]:
        return [obj for (kind, _), obj in sorted(self._api.objects.items()) if kind == resource]

    def indexed(self, resource: Resource, index: str, value: str) -> Sequence[Manifest]:
        if index == ORPHANS:
            return [obj for obj in self.list(resource) if value in orphaned(obj)]
        assert index == "owner"
        owned = (objects.controller_owner(obj) or {} for obj in self.list(resource))
        pairs = zip(self.list(resource), owned, strict=True)
        return [obj for obj, owner in pairs if owner.get("uid") == value]

    def on_change(self, resource: Resource, handler: Any) -> None:
        raise NotImplementedError


class World:
    """One Rollout and what belongs to it."""

    def __init__(self, spec: Manifest, *, services: Sequence[str] = (), route: bool = False) -> None:
        self.api = MemoryApi()
        self.cache = MemoryCache(self.api)
        self.observer = Observer(self.cache, lambda group, kind: RESOURCES.get(kind))
        self.events: list[Event] = []
        self.requeue_at: datetime | None = None
        for name in services:
            body = {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
            self.api.put(objects.SERVICES, body)
        if route:
            made = self.api.put(objects.HTTP_ROUTES, http_route())
            # Long ago: a parent that has not reported by now never will.
            made["metadata"]["creationTimestamp"] = objects.format_time(START - timedelta(days=1))
        self.api.put(objects.ROLLOUTS, {"metadata": {"name": KEY.name}, "spec": spec})

    # -- time and the controller --

    @property
    def now(self) -> datetime:
        return self.api.now

    def wait(self, seconds: float) -> None:
        self.api.now += timedelta(seconds=seconds)

    def snapshot(self) -> RolloutSnapshot:
        found = self.observer.snapshot(KEY, self.api.now)
        assert found is not None
        return found

    def decide(self) -> Decision:
        return decide(self.snapshot())

    def reconcile(self) -> Decision:
        """Observe, decide and apply once."""
        snapshot = self.snapshot()
        decision = decide(snapshot)
        apply = Apply(self.api, snapshot, self.events.append, self._resource_of, self._reached)  # type: ignore[arg-type]
        asyncio.run(apply.run(decision))
        self.requeue_at = decision.requeue_at
        return decision

    def _resource_of(self, group: str, version: str, kind: str) -> Resource:
        assert kind == "HTTPRoute"
        return objects.HTTP_ROUTES

    def _reached(self, namespace: str, pod_hash: str) -> str:
        weights = service_weights(self.snapshot())
        return reached_by(self.cache.list(objects.SERVICES), weights, pod_hash)

    def settle(self, *, pods: bool = True, limit: int = 60) -> None:
        """Reconcile until nothing changes any more; pods become ready in between when ``pods``."""
        for _ in range(limit):
            before = self.api.version
            self.reconcile()
            if pods:
                self.ready_pods()
            if self.api.version == before:
                return
        raise AssertionError(f"not settled after {limit} reconciles: {self.api.writes[-12:]}")

    # -- what others do --

    def ready_pods(self, available: dict[str, int] | None = None) -> None:
        """Let every ReplicaSet have its pods; ``available`` limits those of a hash that become ready."""
        for rs in list(self.cache.list(objects.REPLICASETS)):
            want = rs["spec"]["replicas"]
            ready = min(want, (available or {}).get(hash_of(rs), want))
            status = {
                "replicas": want, "readyReplicas": ready, "availableReplicas": ready,
                "observedGeneration": rs["metadata"]["generation"],
            }  # fmt: skip
            self.api.change(objects.REPLICASETS, objects.name_of(rs), {"status": status})

    def accept_route(self, controller: str = "rollouts.dev/embedded-gateway") -> None:
        """Report the route as accepted at its present generation; the embedded gateway settles at once."""
        route = self.api.objects[(objects.HTTP_ROUTES, "web")]
        generation = route["metadata"]["generation"]
        conditions = [
            {"type": kind, "status": "True", "reason": "Accepted", "observedGeneration": generation}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parent = {"parentRef": {"name": "gw"}, "controllerName": controller, "conditions": conditions}
        self.api.change(objects.HTTP_ROUTES, "web", {"status": {"parents": [parent]}})

    def deploy(self, image: str) -> None:
        """Change the image in the template."""
        container = {"name": "web", "image": image}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self.api.change(objects.ROLLOUTS, KEY.name, patch)

    def user(self, **status: Any) -> None:
        """Patch the status as the kubectl plugin does."""
        self.api.change(objects.ROLLOUTS, KEY.name, {"status": status})

    def spec(self, **fields: Any) -> None:
        """Patch the spec."""
        self.api.change(objects.ROLLOUTS, KEY.name, {"spec": fields})

    def finish_run(self, name: str, phase: str, message: str = "") -> None:
        """Give an AnalysisRun its verdict."""
        self.api.change(objects.ANALYSIS_RUNS, name, {"status": {"phase": phase, "message": message}})

    # -- what is there --

    @property
    def rollout(self) -> Manifest:
        return self.api.objects[(objects.ROLLOUTS, KEY.name)]

    @property
    def status(self) -> Manifest:
        status: Manifest = self.rollout.get("status") or {}
        return status

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    def sizes(self) -> dict[str, int]:
        """Return replicas asked for by image tag."""
        found = {}
        for rs in self.cache.list(objects.REPLICASETS):
            image = rs["spec"]["template"]["spec"]["containers"][0]["image"]
            found[image.partition(":")[2]] = rs["spec"]["replicas"]
        return found

    def hash(self, tag: str) -> str:
        """Return the pod hash of an image tag."""
        for rs in self.cache.list(objects.REPLICASETS):
            if rs["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{tag}"):
                return hash_of(rs)
        raise AssertionError(f"no ReplicaSet runs {tag}")

    def selects(self, service: str) -> str:
        """Return the image tag that a Service selects, "" for none."""
        selector = self.api.objects[(objects.SERVICES, service)]["spec"]["selector"]
        wanted = selector.get(labels.POD_TEMPLATE_HASH)
        for rs in self.cache.list(objects.REPLICASETS):
            if hash_of(rs) == wanted:
                return str(rs["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")[2])
        return ""

    def weights(self) -> tuple[int, int]:
        """Return the route's weights (stable, canary)."""
        refs = self.api.objects[(objects.HTTP_ROUTES, "web")]["spec"]["rules"][0]["backendRefs"]
        by_name = {ref["name"]: ref.get("weight", 1) for ref in refs}
        return by_name["stable"], by_name["canary"]

    def runs(self) -> dict[str, Manifest]:
        return {objects.name_of(run): run for run in self.cache.list(objects.ANALYSIS_RUNS)}

    def reasons(self) -> list[str]:
        """Return the reasons of all events so far, in order."""
        return [event.reason for event in self.events]


def hash_of(rs: Manifest) -> str:
    return str(rs["metadata"]["labels"][labels.POD_TEMPLATE_HASH])


def http_route() -> Manifest:
    refs = [{"name": "stable", "port": 80, "weight": 100}, {"name": "canary", "port": 80, "weight": 0}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web"},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": refs}]},
    }


def rollout_spec(strategy: Manifest, *, replicas: int | None = 4, **more: Any) -> Manifest:
    spec: Manifest = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        },
        "strategy": strategy,
        **more,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return spec


GATEWAY = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}


def basic(steps: Sequence[Manifest] = (), *, replicas: int | None = 4, **canary: Any) -> World:
    """Return a world with a canary that no router serves."""
    return World(rollout_spec({"canary": {"steps": list(steps), **canary}}, replicas=replicas))


def routed(steps: Sequence[Manifest] = (), *, replicas: int = 4, **canary: Any) -> World:
    """Return a world with a canary behind an HTTPRoute."""
    strategy = {
        "canary": {
            "steps": list(steps), "canaryService": "canary", "stableService": "stable",
            "trafficRouting": GATEWAY, **canary,
        }
    }  # fmt: skip
    return World(rollout_spec(strategy, replicas=replicas), services=("canary", "stable"), route=True)


def ping_pong(steps: Sequence[Manifest] = ()) -> World:
    """Return a world with a canary whose two Services take turns."""
    turns = {"pingService": "stable", "pongService": "canary"}
    strategy = {"canary": {"steps": list(steps), "pingPong": turns, "trafficRouting": GATEWAY}}
    return World(rollout_spec(strategy), services=("canary", "stable"), route=True)


def blue_green(*, replicas: int = 2, **strategy: Any) -> World:
    """Return a world with a blue-green Rollout."""
    names = ("active", "preview")
    full = {"activeService": "active", "previewService": "preview", **strategy}
    return World(rollout_spec({"blueGreen": full}, replicas=replicas), services=names)
