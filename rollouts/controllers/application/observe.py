"""Freezing what is known of Git and of the cluster into a snapshot of one Application."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from rollouts import logs
from rollouts.api.argoproj import application as api
from rollouts.api.argoproj.appproject import AppProjectSpec
from rollouts.controllers.application.live import Live
from rollouts.controllers.application.owned import (
    autoscaled,
    route_ownership,
    service_ownership,
    workload_ownership,
)
from rollouts.controllers.application.settings import ApplicationSettings
from rollouts.controllers.application.snapshot import REFRESH, SKIP, ApplicationSnapshot, SourceView
from rollouts.gitops.comparison import Settled
from rollouts.gitops.diff.tracking import instance_name, owner_instance
from rollouts.gitops.policy.project import application_violations
from rollouts.gitops.render.directory import Rendered
from rollouts.gitops.render.errors import RenderError
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.source.errors import SourceError
from rollouts.gitops.source.repositories import Repositories
from rollouts.gitops.targets import Served, Targets, build
from rollouts.gitops.transplant import NOTHING, Owned
from rollouts.kube import objects
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Key, Manifest, ObjectKey, Resource
from rollouts.runtime.reconciler import Request

_WORKLOADS = ("Deployment", "StatefulSet", "ReplicaSet", "Rollout")
HEALS_KEPT = 64


@dataclass
class Memory:
    """What is remembered of an Application between reconciles; all of it can be found out again."""

    settled: dict[ObjectKey, Settled] = field(default_factory=dict)
    agreed: dict[ObjectKey, Manifest] = field(default_factory=dict)
    heals: deque[datetime] = field(default_factory=lambda: deque(maxlen=HEALS_KEPT))
    refresh: int | None = None
    built: tuple[Sequence[Rendered], Served, str, Targets] | None = None


class Observer:
    """Builds snapshots. Network of Git is never waited for: a change there wakes the Application."""

    def __init__(
        self,
        cache: Cache,
        live: Live,
        repositories: Repositories,
        renderer: Renderer,
        settings: ApplicationSettings,
    ) -> None:
        self._cache = cache
        self._live = live
        self._repositories = repositories
        self._renderer = renderer
        self._settings = settings
        self._memories: dict[Key, Memory] = {}

    def memory(self, key: Key) -> Memory:
        """Return what is remembered of an Application."""
        return self._memories.setdefault(key, Memory())

    def forget(self, key: Key) -> None:
        """Drop what is remembered of an Application that is gone."""
        self._memories.pop(key, None)
        self._repositories.forget(key)

    async def snapshot(self, request: Request) -> ApplicationSnapshot | None:
        """Return the Application's snapshot; None when it is gone or to be skipped.

        Raises KubeError when discovery fails.
        """
        key = request.key
        manifest = self._cache.get(objects.APPLICATIONS, key.namespace, key.name)
        if manifest is None:
            self.forget(key)
            return None
        if objects.annotations_of(manifest).get(SKIP) == "true":
            self._repositories.forget(key)
            return None
        spec, invalid = _spec(manifest)
        project = self._project(spec.project or api.DEFAULT_PROJECT)
        instance = instance_name(key.namespace, key.name, self._settings.control_namespace)
        memory = self.memory(key)
        source, rendered = await self._source(key, manifest, spec, project, invalid, memory)
        source, unseen = await self._wanted(request, manifest, spec, source, rendered, instance, memory)
        tracked = self._tracked(instance, source.targets)
        live = {**self._wanted_live(source.targets), **tracked}
        return ApplicationSnapshot(
            now=request.now,
            manifest=manifest,
            spec=spec,
            invalid=invalid,
            control_namespace=self._settings.control_namespace,
            project=project,
            source=source,
            live=live,
            tracked=frozenset(key for key, obj in live.items() if self._owner(obj) == instance),
            foreign=self._foreign(live, instance),
            owned=self._owned(source.targets, live),
            settled=dict(memory.settled),
            unseen=unseen,
            namespace_missing=self._namespace_missing(spec),
            heals=tuple(memory.heals),
        )

    # --- Git

    async def _source(
        self,
        key: Key,
        manifest: Manifest,
        spec: api.ApplicationSpec,
        project: AppProjectSpec | None,
        invalid: str,
        memory: Memory,
    ) -> tuple[SourceView, Sequence[Rendered] | None]:
        if invalid or project is None or spec.source is None or not spec.source.repo_url:
            return SourceView(), None
        name = spec.project or api.DEFAULT_PROJECT
        control = self._settings.control_namespace
        if application_violations(name, project, spec, key.namespace, control):
            return SourceView(), None  # a repository that the project does not permit is not even asked
        revision = _asked_revision(manifest) or spec.source.target_revision or api.DEFAULT_TARGET_REVISION
        try:
            look = self._repositories.look(key, spec.source.repo_url, revision)
            refreshed = self._refreshed(key, manifest, look.poll, memory)
            if look.error is not None:
                commit = look.tree.commit if look.tree else ""
                return SourceView(revision=commit, error=str(look.error), refreshed=refreshed), None
            if look.tree is None:
                return SourceView(pending=True), None
            mirror = self._repositories.mirror(spec.source.repo_url)
            rendered = await self._renderer.render(spec.source, look.tree, mirror)
        except (SourceError, RenderError) as error:
            return SourceView(error=logs.scrub(str(error)), refreshed=True), None
        return SourceView(revision=look.tree.commit, refreshed=refreshed), rendered

    def _refreshed(self, key: Key, manifest: Manifest, poll: int, memory: Memory) -> bool:
        """Have the repository polled when a refresh is asked for; tell whether that is done."""
        if REFRESH not in objects.annotations_of(manifest):
            memory.refresh = None
            return False
        if memory.refresh is None:
            memory.refresh = self._repositories.refresh(key)
        return poll >= memory.refresh

    async def _wanted(
        self,
        request: Request,
        manifest: Manifest,
        spec: api.ApplicationSpec,
        source: SourceView,
        rendered: Sequence[Rendered] | None,
        instance: str,
        memory: Memory,
    ) -> tuple[SourceView, Mapping[str, str]]:
        """Add the wanted objects to what is known of Git, and watch all kinds that matter."""
        served = await self._live.served(request.api)
        targets = self._build(rendered, served, spec, instance, memory)
        if targets is not None and any(not target.served for target in targets.objects):
            served = await self._live.served(request.api, incomplete=True)
            targets = self._build(rendered, served, spec, instance, memory)
        resources = set(targets.resources()) if targets else set()
        unseen = await self._live.watch(resources | _recorded(manifest, served))
        view = SourceView(
            revision=source.revision,
            targets=targets,
            error=source.error,
            pending=source.pending,
            refreshed=source.refreshed,
        )
        return view, {kind: why for kind, why in unseen.items() if kind in {str(r) for r in resources}}

    def _build(
        self,
        rendered: Sequence[Rendered] | None,
        served: Served,
        spec: api.ApplicationSpec,
        instance: str,
        memory: Memory,
    ) -> Targets | None:
        if rendered is None:
            return None
        namespace = spec.destination.namespace
        built = memory.built
        if built and built[0] is rendered and built[1] is served and built[2] == namespace:
            return built[3]
        targets = build(
            rendered, served, instance=instance, namespace=namespace, method=self._settings.tracking
        )
        memory.built = (rendered, served, namespace, targets)
        return targets

    # --- the cluster

    def _project(self, name: str) -> AppProjectSpec | None:
        found = self._cache.get(objects.APP_PROJECTS, self._settings.control_namespace, name)
        if found is None or objects.is_deleting(found):
            return None
        try:
            return AppProjectSpec.model_validate(found.get("spec") or {})
        except ValidationError:
            return None

    def _wanted_live(self, targets: Targets | None) -> Mapping[ObjectKey, Manifest]:
        found = {key: self._live.get(key) for key in (targets.by_key if targets else ())}
        return {key: obj for key, obj in found.items() if obj is not None}

    def _tracked(self, instance: str, targets: Targets | None) -> Mapping[ObjectKey, Manifest]:
        """Return what carries our mark, under the wanted object's key where the version differs."""
        wanted = {_place(key): key for key in (targets.by_key if targets else ())}
        return {
            key: obj
            for key, obj in self._live.tracked(instance).items()
            if wanted.get(_place(key), key) == key
        }

    def _owner(self, obj: Manifest) -> str:
        return owner_instance(obj, self._settings.tracking)

    def _foreign(self, live: Mapping[ObjectKey, Manifest], instance: str) -> Mapping[ObjectKey, str]:
        found = {}
        for key, obj in live.items():
            other = self._owner(obj)
            if other and other != instance:
                place = app_key(other, self._settings.control_namespace)
                if self._cache.get(objects.APPLICATIONS, place.namespace, place.name) is not None:
                    found[key] = other
        return found

    def _owned(
        self, targets: Targets | None, live: Mapping[ObjectKey, Manifest]
    ) -> Mapping[ObjectKey, Owned]:
        found: dict[ObjectKey, Owned] = {}
        for key in targets.by_key if targets else ():
            obj = live.get(key)
            owned = self._owned_in(key, obj, targets) if obj is not None else NOTHING
            if owned != NOTHING:
                found[key] = owned
        return found

    def _owned_in(self, key: ObjectKey, obj: Manifest, targets: Targets | None) -> Owned:
        kind = key.resource.kind
        if kind == "Service" or kind.endswith("Route") or kind in _WORKLOADS:
            rollouts = self._cache.list(objects.ROLLOUTS, key.namespace)
        else:
            return NOTHING
        if kind == "Service":
            return service_ownership(obj, rollouts) or NOTHING
        if kind.endswith("Route"):
            return route_ownership(obj, rollouts) or NOTHING
        scalers = [
            target.manifest
            for target in (targets.objects if targets else ())
            if target.key.resource.kind == "HorizontalPodAutoscaler" and target.key.namespace == key.namespace
        ]
        return workload_ownership(key.name, kind, rollouts) or autoscaled(key.name, kind, scalers) or NOTHING

    def _namespace_missing(self, spec: api.ApplicationSpec) -> bool:
        name = spec.destination.namespace
        if not name or not self._cache.synced(objects.NAMESPACES):
            return False
        return self._cache.get(objects.NAMESPACES, "", name) is None


def app_key(instance: str, control_namespace: str) -> Key:
    """Return the key of the Application that tracking calls ``instance``."""
    namespace, underscore, name = instance.partition("_")
    return Key(namespace, name) if underscore else Key(control_namespace, instance)


def _place(key: ObjectKey) -> tuple[str, str, str, str]:
    return key.resource.group, key.resource.kind, key.namespace, key.name


def _spec(manifest: Manifest) -> tuple[api.ApplicationSpec, str]:
    try:
        return api.ApplicationSpec.model_validate(manifest.get("spec") or {}), ""
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        return api.ApplicationSpec(), f"spec.{path}: {first['msg']}; correct the field"


def _asked_revision(manifest: Manifest) -> str:
    """Return the revision that a person's operation names, while it is asked for or under way."""
    state = (manifest.get("status") or {}).get("operationState") or {}
    operation = state.get("operation") if state.get("phase") == "Running" else manifest.get("operation")
    if not isinstance(operation, dict) or (operation.get("initiatedBy") or {}).get("automated"):
        return ""
    return str((operation.get("sync") or {}).get("revision") or "")


def _recorded(manifest: Manifest, served: Served) -> set[Resource]:
    """Return the resources that the status lists: objects of these kinds may have to be pruned."""
    rows = (manifest.get("status") or {}).get("resources") or ()
    found = {served.preferred(str(row.get("group") or ""), str(row.get("kind") or "")) for row in rows}
    return {resource for resource in found if resource is not None}
