"""Freezing what the cache knows about one Rollout into a snapshot. No I/O: the cache answers from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from analysis.spec.guidance import of_run
from rollouts.api.argoproj import rollout as api
from rollouts.api.argoproj.validation import invalid_spec_message, validate_rollout
from rollouts.api.fields import inactive_fields, unknown_fields_with_hints
from rollouts.api.selectors import matches
from rollouts.controllers.rollout import tracking, workload_ref
from rollouts.controllers.rollout.budget import asked_for, gate_of
from rollouts.controllers.rollout.decide import in_force
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.traffic import intent_for
from rollouts.controllers.rollout.plugin_calls import PluginAnswer
from rollouts.controllers.rollout.routes import Interests
from rollouts.controllers.rollout.settling import Settling
from rollouts.controllers.rollout.snapshot import (
    AnalysisRun,
    Experiment,
    ExperimentVersion,
    PodView,
    RolloutSnapshot,
    RouterView,
    TemplateKey,
)
from rollouts.controllers.rollout.verifying import Verifying
from rollouts.kube import objects
from rollouts.kube.cache import Cache, IndexFunc
from rollouts.kube.objects import Key, Manifest, ReadOnly, Resource
from rollouts.traffic.registry import routers_for
from rollouts.traffic.router import Need, TrafficError, TrafficIntent, TrafficRouter
from rollouts.workloads import labels, replicaset
from rollouts.workloads.template_hash import pod_template_hash
from rollouts.workloads.tolerant import usable

WORKLOAD_HASH = "pod-template-hash"

ORPHANS = "orphans"
"""Index of ReplicaSets without an owner that were a Rollout's, by namespace: nearly always empty."""


def orphaned(replica_set: ReadOnly) -> Sequence[str]:
    """Return the namespace of a ReplicaSet that somebody may adopt; the function of the index."""
    stays = objects.controller_owner(replica_set) is None and not objects.is_deleting(replica_set)
    ours = labels.POD_TEMPLATE_HASH in objects.labels_of(replica_set)
    of_experiment = labels.EXPERIMENT_NAME in objects.annotations_of(replica_set)
    return [objects.namespace_of(replica_set)] if stays and ours and not of_experiment else []


class Indexed(Protocol):
    """A cache that takes indexes, as the informers' does."""

    def add_index(self, resource: Resource, name: str, func: IndexFunc) -> None:
        """Add an index to a resource."""
        ...


def add_indexes(cache: Indexed) -> None:
    """Add the indexes that an Observer asks for, to a cache that does not have them yet."""
    cache.add_index(objects.REPLICASETS, ORPHANS, orphaned)


FindResource = Callable[[str, str], Resource | None]
"""``find_resource(group, kind)`` returns a watched resource, None while it is not served or not listed."""


class _Parsed(NamedTuple):
    """A spec, what is wrong with it, and the fields that nothing reads, each with what was probably meant."""

    spec: api.RolloutSpec
    invalid: str = ""
    unknown: Mapping[str, str] = MappingProxyType({})


class Observer:
    """Builds snapshots from a cache."""

    def __init__(
        self,
        cache: Cache,
        find_resource: FindResource,
        third_party: Mapping[str, TrafficRouter] | None = None,
        interests: Interests | None = None,
        verifying: Verifying | None = None,
    ) -> None:
        self._cache = cache
        self._find_resource = find_resource
        self._third_party = third_party or {}
        self._interests = interests or Interests()
        self._parsed: dict[str, tuple[int, _Parsed]] = {}
        self._settling = Settling()
        self._verifying = verifying or Verifying()
        self._config_changes = tracking.Changes()

    def snapshot(self, key: Key, now: datetime) -> RolloutSnapshot | None:
        """Return the Rollout's snapshot, or None when it is gone or going."""
        manifest = self._cache.get(objects.ROLLOUTS, key.namespace, key.name)
        if manifest is None or objects.is_deleting(manifest):
            self._settling.forget(key)
            self._verifying.keep(key, ())
            self._config_changes.forget(key)
            return None
        spec, invalid, unknown = self._spec(manifest)
        status = _status(manifest)
        uid = objects.uid_of(manifest)
        owned = self._cache.indexed(objects.REPLICASETS, "owner", uid)
        snapshot = RolloutSnapshot(
            now=now,
            manifest=manifest,
            spec=spec,
            status=status,
            replica_sets=tuple(replicaset.read(rs) for rs in owned),
            services=self._services(key.namespace, spec),
            runs=tuple(_run(run) for run in self._cache.indexed(objects.ANALYSIS_RUNS, "owner", uid)),
            experiments=tuple(
                _experiment(found) for found in self._cache.indexed(objects.EXPERIMENTS, "owner", uid)
            ),
            templates=self._templates(key.namespace, spec),
            budget_gate=gate_of(manifest, lambda name: self._objective(key.namespace, name), now),
            invalid=invalid,
            template=usable(spec.template or {}),
            selector=spec.selector or {},
            inactive_fields=() if invalid else inactive_fields(manifest.get("spec") or {}, self._third_party),
            unknown_fields=unknown,
        )
        snapshot, needs = self._with_workload(snapshot)
        snapshot, config = tracking.follow(snapshot, self._cache, self._find_resource, self._config_changes)
        needs += config
        snapshot = self._with_strangers(self._with_orphans(snapshot))
        if snapshot.routed and not snapshot.invalid:
            snapshot, more = self._with_routers(snapshot)
            needs += more
        self._verifying.keep(key, [view.name for view in snapshot.routers if view.verification is not None])
        self._interests.set(key, needs + _objectives_needed(key.namespace, manifest))
        return snapshot

    def _spec(self, manifest: Manifest) -> _Parsed:
        """Parse and validate a spec, once per generation."""
        uid, generation = objects.uid_of(manifest), objects.generation(manifest)
        known = self._parsed.get(uid)
        if known is None or known[0] != generation:
            known = (generation, _parse(manifest))
            self._parsed[uid] = known
        return known[1]

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a deleted Rollout."""
        self._parsed.pop(uid, None)

    def _objective(self, namespace: str, name: str) -> ReadOnly | None:
        return next(self._needed(_objective_need(namespace, name)), None)

    def _services(self, namespace: str, spec: api.RolloutSpec) -> Mapping[str, Manifest]:
        found = {name: self._cache.get(objects.SERVICES, namespace, name) for name in service_names(spec)}
        return {name: service for name, service in found.items() if service is not None}

    def _templates(self, namespace: str, spec: api.RolloutSpec) -> Mapping[TemplateKey, ReadOnly]:
        """Return the templates that the spec names, and those that they name."""
        found: dict[TemplateKey, ReadOnly] = {}
        open_keys = [TemplateKey(ref.template_name, ref.cluster_scope) for ref in template_refs(spec)]
        while open_keys:
            key = open_keys.pop()
            template = self._template(namespace, key)
            if key in found or template is None:
                continue
            found[key] = template
            for ref in (template.get("spec") or {}).get("templates") or ():
                open_keys.append(TemplateKey(str(ref.get("templateName", "")), bool(ref.get("clusterScope"))))
        return found

    def _template(self, namespace: str, key: TemplateKey) -> ReadOnly | None:
        if key.cluster_scope:
            return self._cache.get(objects.CLUSTER_ANALYSIS_TEMPLATES, "", key.name)
        return self._cache.get(objects.ANALYSIS_TEMPLATES, namespace, key.name)

    def _with_workload(self, snapshot: RolloutSnapshot) -> tuple[RolloutSnapshot, tuple[Need, ...]]:
        """Take template and selector from the referenced workload; a selector of the Rollout's own wins."""
        ref = snapshot.spec.workload_ref
        if ref is None or snapshot.invalid:
            return snapshot, ()
        found = workload_ref.follow(ref, snapshot.name, snapshot.namespace, self._cache, self._find_resource)
        known = _replaced(
            snapshot,
            workload=found.workload,
            template=usable(without_hash(found.template)),
            selector=snapshot.selector or without_hash_rule(found.selector),
            invalid=found.problem,
        )
        return known, (found.need,)

    def _with_orphans(self, snapshot: RolloutSnapshot) -> RolloutSnapshot:
        """Find the ReplicaSets of its pods that nobody owns, such as those of a Rollout that was deleted."""
        if snapshot.invalid or not snapshot.selector:
            return snapshot
        orphans = tuple(
            replicaset.read(rs)
            for rs in self._cache.indexed(objects.REPLICASETS, ORPHANS, snapshot.namespace)
            if matches(snapshot.selector, objects.labels_of(rs))
        )
        return _replaced(snapshot, orphans=orphans) if orphans else snapshot

    def _with_strangers(self, snapshot: RolloutSnapshot) -> RolloutSnapshot:
        """Find the names that the next ReplicaSet cannot have.

        One of a Rollout of this name that was deleted is not among them: the garbage collector takes it.
        """
        if snapshot.invalid or not snapshot.template or snapshot.orphans or snapshot.new is not None:
            return snapshot
        held: set[str] = set()
        count = snapshot.status.collision_count
        while True:
            name = f"{snapshot.name}-{pod_template_hash(snapshot.template, count)}"
            found = self._cache.get(objects.REPLICASETS, snapshot.namespace, name)
            if found is None or _is_of(found, snapshot.name):
                return _replaced(snapshot, strangers=frozenset(held)) if held else snapshot
            held.add(name)
            count = (count or 0) + 1

    def _with_routers(self, snapshot: RolloutSnapshot) -> tuple[RolloutSnapshot, tuple[Need, ...]]:
        strategy = (snapshot.manifest.get("spec") or {}).get("strategy") or {}
        routing = (strategy.get("canary") or {}).get("trafficRouting") or {}
        try:
            configured = routers_for(routing, self._third_party)
            intent = intent_for(Draft(snapshot), None)
            needs = [(router, config, router.needs(config, intent)) for router, config in configured]
            views = tuple(
                self._settled(snapshot, self._view(router, config, part), intent)
                for router, config, part in needs
            )
        except TrafficError as error:
            return _replaced(snapshot, router_error=str(error)), ()
        return _replaced(snapshot, routers=views), tuple(need for _, _, part in needs for need in part)

    def _view(self, router: TrafficRouter, config: Mapping[str, Any], needs: tuple[Need, ...]) -> RouterView:
        live: list[Manifest] = []
        missing: list[str] = []
        for need in needs:
            found = list(self._needed(need))
            live.extend(obj for obj in found if obj not in live)
            if not found and need.name and not need.optional:
                missing.append(f"{need.kind} {need.namespace}/{need.name}")
        return RouterView(
            name=router.name, router=router, config=config, live=tuple(live), missing=tuple(missing)
        )

    def _settled(self, snapshot: RolloutSnapshot, view: RouterView, intent: TrafficIntent) -> RouterView:
        """Return the view with the moment since when the router is as sure as it is."""
        try:
            state = view.router.read(view.config, view.live, intent, snapshot.now)
        except TrafficError:
            return view  # deciding meets the same error and tells of it
        key = Key(snapshot.namespace, snapshot.name)
        since = self._settling.since(key, view.name, view.live, state.confidence, snapshot.now)
        asks = in_force.asks_data_planes(snapshot)
        seen = in_force.seen_before(snapshot, state.canary_weight)
        word = self._verifying.word(key, view.name, view.live, intent, seen=seen) if asks else None
        return replace(view, since=since, verification=word)

    def _needed(self, need: Need) -> Iterator[Manifest]:
        resource = self._find_resource(need.group, need.kind)
        if resource is None:
            return
        if need.name:
            found = self._cache.get(resource, need.namespace, need.name)
            if found is not None:
                yield found
            return
        for obj in self._cache.list(resource, need.namespace):
            if matches(need.selector or {}, objects.labels_of(obj)):
                yield obj


def with_answers(snapshot: RolloutSnapshot, answers: tuple[PluginAnswer, ...]) -> RolloutSnapshot:
    """Return the snapshot with what step plugins answered."""
    return _replaced(snapshot, plugin_answers=answers) if answers else snapshot


def with_pods(snapshot: RolloutSnapshot, pods: Iterable[Manifest]) -> RolloutSnapshot:
    """Return the snapshot with the pods of its ReplicaSets."""
    return _replaced(snapshot, pods=tuple(_pod(pod) for pod in pods))


def _objective_need(namespace: str, name: str) -> Need:
    kind = objects.SERVICE_LEVEL_OBJECTIVES
    return Need(group=kind.group, kind=kind.kind, namespace=namespace, name=name)


def _objectives_needed(namespace: str, manifest: ReadOnly) -> tuple[Need, ...]:
    return tuple(_objective_need(namespace, name) for name in asked_for(manifest))


def _pod(manifest: Manifest) -> PodView:
    created = objects.parse_time(objects.metadata(manifest).get("creationTimestamp"))
    return PodView(
        name=objects.name_of(manifest),
        uid=objects.uid_of(manifest),
        owner=str((objects.controller_owner(manifest) or {}).get("uid", "")),
        created=created or replicaset.EPOCH,
        deleting=objects.is_deleting(manifest),
        ready_since=_ready_since(manifest),
    )


def _ready_since(pod: Manifest) -> datetime | None:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return objects.parse_time(condition.get("lastTransitionTime")) or replicaset.EPOCH
    return None


def without_hash(template: ReadOnly) -> ReadOnly:
    """Return a workload's template without the hash label that its own controller added."""
    metadata = template.get("metadata") or {}
    kept = {k: v for k, v in (metadata.get("labels") or {}).items() if k != WORKLOAD_HASH}
    return {**template, "metadata": {**metadata, "labels": kept}}


def without_hash_rule(selector: ReadOnly) -> ReadOnly:
    """Return a workload's selector without the hash label that its own controller added."""
    kept = {k: v for k, v in (selector.get("matchLabels") or {}).items() if k != WORKLOAD_HASH}
    return {**selector, "matchLabels": kept}


def _is_of(replica_set: ReadOnly, rollout: str) -> bool:
    owner = objects.controller_owner(replica_set) or {}
    return owner.get("kind") == objects.ROLLOUTS.kind and owner.get("name") == rollout


def _replaced(snapshot: RolloutSnapshot, **changes: Any) -> RolloutSnapshot:
    fields = {name: getattr(snapshot, name) for name in RolloutSnapshot.__dataclass_fields__}
    return RolloutSnapshot(**{**fields, **changes})


def _parse(manifest: Manifest) -> _Parsed:
    name = objects.name_of(manifest)
    try:
        spec = api.RolloutSpec.model_validate(manifest.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        return _Parsed(api.RolloutSpec(), f'The Rollout "{name}" is invalid: spec.{path}: {first["msg"]}')
    problems = validate_rollout(manifest)
    unknown = {f"spec.{path}": hint or "" for path, hint in unknown_fields_with_hints(spec)}
    return _Parsed(spec, invalid_spec_message(name, problems[0]) if problems else "", unknown)


def _status(manifest: Manifest) -> api.RolloutStatus:
    """Read the status; a field that somebody filled with nonsense counts as absent."""
    raw = dict(manifest.get("status") or {})
    while True:
        try:
            return api.RolloutStatus.model_validate(raw)
        except ValidationError as error:
            bad = {str(e["loc"][0]) for e in error.errors(include_input=False, include_url=False)}
            left = {k: v for k, v in raw.items() if k not in bad}
            if len(left) == len(raw):
                return api.RolloutStatus()
            raw = left


def _run(manifest: Manifest) -> AnalysisRun:
    own, notes = objects.labels_of(manifest), objects.annotations_of(manifest)
    status = manifest.get("status") or {}
    created = objects.parse_time(objects.metadata(manifest).get("creationTimestamp"))
    return AnalysisRun(
        name=objects.name_of(manifest),
        uid=objects.uid_of(manifest),
        kind=own.get(labels.ROLLOUT_TYPE, ""),
        hash=own.get(labels.POD_TEMPLATE_HASH, ""),
        revision=notes.get(labels.REVISION, ""),
        step_index=own.get(labels.STEP_INDEX, ""),
        attempt=notes.get(labels.ATTEMPT),
        phase=str(status.get("phase") or ""),
        message=str(status.get("message") or ""),
        terminating=bool((manifest.get("spec") or {}).get("terminate")),
        deleting=objects.is_deleting(manifest),
        created=created or replicaset.EPOCH,
        guidance=of_run(status),
    )


def _experiment(manifest: Manifest) -> Experiment:
    own, notes = objects.labels_of(manifest), objects.annotations_of(manifest)
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    ports = {str(version.get("name")): _first_port(version) for version in spec.get("templates") or ()}
    created = objects.parse_time(objects.metadata(manifest).get("creationTimestamp"))
    return Experiment(
        name=objects.name_of(manifest),
        uid=objects.uid_of(manifest),
        hash=own.get(labels.POD_TEMPLATE_HASH, ""),
        revision=notes.get(labels.REVISION, ""),
        step_index=own.get(labels.STEP_INDEX, ""),
        attempt=notes.get(labels.ATTEMPT),
        phase=str(status.get("phase") or ""),
        message=str(status.get("message") or ""),
        terminating=bool(spec.get("terminate")),
        deleting=objects.is_deleting(manifest),
        created=created or replicaset.EPOCH,
        versions=tuple(
            ExperimentVersion(
                name=str(version.get("name", "")),
                hash=str(version.get("podTemplateHash") or ""),
                service=str(version.get("serviceName") or ""),
                port=ports.get(str(version.get("name", "")), 0),
            )
            for version in status.get("templateStatuses") or ()
        ),
    )


def _first_port(version: ReadOnly) -> int:
    pod = (version.get("template") or {}).get("spec") or {}
    ports = [port for container in pod.get("containers") or () for port in container.get("ports") or ()]
    return int(ports[0].get("containerPort") or 0) if ports else 0


def service_names(spec: api.RolloutSpec) -> tuple[str, ...]:
    """Return the Services that a spec names, sorted."""
    canary, blue_green = spec.strategy.canary, spec.strategy.blue_green
    names: set[str | None] = set()
    if canary is not None:
        names |= {canary.canary_service, canary.stable_service}
        if canary.ping_pong is not None:
            names |= {canary.ping_pong.ping_service, canary.ping_pong.pong_service}
    if blue_green is not None:
        names |= {blue_green.active_service, blue_green.preview_service}
    return tuple(sorted(name for name in names if name))


def template_refs(spec: api.RolloutSpec) -> tuple[api.TemplateRef, ...]:
    """Return the analysis templates that a spec names, in the order of the spec."""
    canary, blue_green = spec.strategy.canary, spec.strategy.blue_green
    analyses: list[api.RolloutAnalysis | None] = []
    if canary is not None:
        analyses += [canary.analysis, *(step.analysis for step in canary.steps)]
    if blue_green is not None:
        analyses += [blue_green.pre_promotion_analysis, blue_green.post_promotion_analysis]
    refs = [ref for wanted in analyses if wanted is not None for ref in wanted.templates]
    for step in canary.steps if canary is not None else ():
        wanted_here = step.experiment.analyses if step.experiment is not None else ()
        refs += [
            api.TemplateRef(template_name=wanted.template_name, cluster_scope=wanted.cluster_scope)
            for wanted in wanted_here
        ]
    return tuple(refs)
