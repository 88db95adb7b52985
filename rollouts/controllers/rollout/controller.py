"""The Rollout reconciler: observe, decide, apply; and what wakes it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.actions import Event
from rollouts.controllers.rollout.apply import Apply, Reached, ShrinkRefusedError, reached_by
from rollouts.controllers.rollout.decide import decide, guided
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.restart import restart_due
from rollouts.controllers.rollout.decide.traffic import live_weight
from rollouts.controllers.rollout.metrics import register_metrics
from rollouts.controllers.rollout.observe import (
    Observer,
    add_indexes,
    service_names,
    template_refs,
    with_answers,
    with_pods,
)
from rollouts.controllers.rollout.patience import Patience, would_be_missed
from rollouts.controllers.rollout.plugin_calls import calls_due
from rollouts.controllers.rollout.routes import Interests, RouteResources
from rollouts.controllers.rollout.rule_release import RuleReconciler
from rollouts.controllers.rollout.service_release import ServiceReconciler
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.controllers.rollout.step_plugins import StepPlugins
from rollouts.controllers.rollout.verifiers import verifiers_for
from rollouts.controllers.rollout.verifying import ListPods, Verifying
from rollouts.kube import objects
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache
from rollouts.kube.events import Recorder
from rollouts.kube.objects import Key, Manifest
from rollouts.runtime.identity import own_namespace
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result
from rollouts.runtime.worker import Controller, KeysOf, Watch, owned_by
from rollouts.settings import Settings
from rollouts.traffic.registry import third_party_routers
from rollouts.workloads import configcopies, labels
from rollouts.workloads.selector import format_selector

log = logging.getLogger(__name__)

RETRY_SECONDS = 10
ERROR_SECONDS = 60
"""A problem that a person must mend: its objects are watched, so this only repeats the warning."""


class RolloutReconciler:
    """Brings one Rollout closer to its spec per call."""

    def __init__(
        self,
        cache: Cache,
        recorder: Recorder,
        observer: Observer,
        routes: RouteResources,
        plugins: StepPlugins,
        verifying: Verifying | None = None,
    ) -> None:
        self._cache = cache
        self._recorder = recorder
        self._observer = observer
        self._routes = routes
        self._plugins = plugins
        self._verifying = verifying or Verifying()
        self._greeted: set[str] = set()
        self._patience = Patience()

    async def reconcile(self, request: Request) -> Result:
        """Decide once from the present state and write what was decided."""
        snapshot = self._observer.snapshot(request.key, request.now)
        if snapshot is not None and await self._routes.discover(request.api, request.now):
            snapshot = self._observer.snapshot(request.key, request.now)
        if snapshot is None:
            return Result()
        self._verifying.pursue(request.key)
        if restart_due(snapshot) is not None or guided.pods_asked(snapshot):
            snapshot = await self._with_pods(snapshot, request.api)
        self._greet(snapshot)
        answers = await self._plugins.call(calls_due(snapshot), snapshot.manifest, request.api, request.now)
        snapshot = with_answers(snapshot, answers)
        decision = decide(snapshot)

        def tell(event: Event) -> None:
            self._recorder.event(snapshot.manifest, event.type, event.reason, event.message)

        reached = self._reached(request.key, request)
        apply = Apply(request.api, snapshot, tell, self._routes.resource_of, reached)
        later: list[datetime] = []

        def may_wait(patch: Manifest) -> bool:
            status = snapshot.manifest.get("status") or {}
            missed = would_be_missed(decision.status, snapshot.replicas)
            uid = objects.uid_of(snapshot.manifest)
            due = self._patience.until(uid, status, patch, request.now, missed=missed)
            later.extend([due] if due is not None else [])
            return due is not None

        try:
            await apply.run(decision, may_wait)
        except ShrinkRefusedError as refused:
            log.warning("%s", refused, extra={"key": str(request.key)})
            return Result(request.now + timedelta(seconds=RETRY_SECONDS))
        if decision.error:
            log.warning("%s", decision.error, extra={"key": str(request.key)})
            again = request.now + timedelta(seconds=ERROR_SECONDS)
            return Result(min(again, decision.requeue_at or again))
        return Result(min(filter(None, (decision.requeue_at, *later)), default=None))

    async def _with_pods(self, snapshot: RolloutSnapshot, api: KubeApi) -> RolloutSnapshot:
        """Read the pods live: they are not watched, since only what replaces pods looks at them."""
        pods = await api.list(
            objects.PODS, snapshot.namespace, label_selector=format_selector(snapshot.selector)
        )
        return with_pods(snapshot, pods.items)

    def _greet(self, snapshot: RolloutSnapshot) -> None:
        """Tell once of a Rollout that nobody has handled before."""
        uid = objects.uid_of(snapshot.manifest)
        if uid in self._greeted or snapshot.manifest.get("status"):
            return
        self._greeted.add(uid)
        text = f"Rollout resource added to informer: {snapshot.namespace}/{snapshot.name}"
        self._recorder.event(snapshot.manifest, "Normal", "RolloutAddedToInformer", text)

    def _reached(self, key: Key, request: Request) -> Reached:
        """Return a question to the live cache, not to the snapshot: what still reaches a version."""

        def reached(namespace: str, pod_hash: str) -> str:
            now = self._observer.snapshot(key, request.now)
            weights = service_weights(now) if now is not None else {}
            return reached_by(self._cache.list(objects.SERVICES, namespace), weights, pod_hash)

        return reached


def service_weights(snapshot: RolloutSnapshot) -> Mapping[str, int]:
    """Return the live weight of each Service that does not simply get its own traffic.

    A preview Service counts as 0: users do not reach it.
    """
    if snapshot.blue_green is not None and snapshot.blue_green.preview_service:
        return {snapshot.blue_green.preview_service: 0}
    if not snapshot.routed or snapshot.canary is None:
        return {}
    live = live_weight(Draft(snapshot))
    return {
        snapshot.canary_service: live,
        snapshot.stable_service: snapshot.max_weight - live,
    }


# -- what wakes it ------------------------------------------------------------------------------------------

SERVICE_INDEX = "service"
TEMPLATE_INDEX = "analysis-template"
MARK_INDEX = "managed-by"


def register(manager: Manager, settings: Settings) -> None:
    """Add the Rollout controller, what it watches, and the look-ups from there to Rollouts."""
    cache = manager.cache
    cache.start(objects.ROLLOUTS, label_selector=settings.instance_selector)
    watched = [objects.REPLICASETS, objects.SERVICES, objects.ANALYSIS_RUNS, objects.ANALYSIS_TEMPLATES]
    watched.append(objects.EXPERIMENTS)
    if not settings.namespace:
        watched.append(objects.CLUSTER_ANALYSIS_TEMPLATES)
    for resource in watched:
        cache.start(resource)
    for name, func in (
        (SERVICE_INDEX, _services_of),
        (TEMPLATE_INDEX, _templates_of),
    ):
        cache.add_index(objects.ROLLOUTS, name, func)

    cache.add_index(objects.SERVICES, MARK_INDEX, _mark_of)
    add_indexes(cache)
    interests = Interests()

    def wake(route: Manifest) -> None:
        for key in interests.keys(route):
            manager.enqueue("rollout", key)

    routes = RouteResources(cache, wake, {objects.CONFIGMAPS: configcopies.project})
    verifying = _verifying(manager, settings)
    observer = Observer(cache, routes.find, third_party_routers(), interests, verifying)
    owner = owned_by(objects.ROLLOUTS)
    watches = [
        Watch(objects.REPLICASETS, owner),
        Watch(objects.ANALYSIS_RUNS, owner, urgent=True),
        Watch(objects.EXPERIMENTS, owner),
        Watch(objects.SERVICES, _by_index(cache, SERVICE_INDEX)),
        Watch(objects.ANALYSIS_TEMPLATES, _by_index(cache, TEMPLATE_INDEX)),
    ]
    if not settings.namespace:
        watches.append(Watch(objects.CLUSTER_ANALYSIS_TEMPLATES, _by_index(cache, TEMPLATE_INDEX)))
    plugins = StepPlugins(own_namespace(settings))
    reconciler = RolloutReconciler(cache, manager.recorder, observer, routes, plugins, verifying)
    register_metrics(manager)
    manager.add(Controller("rollout", objects.ROLLOUTS, reconciler, tuple(watches), settings.workers))
    released = Watch(objects.ROLLOUTS, _marked_services(cache))
    manager.add(Controller("service", objects.SERVICES, ServiceReconciler(cache), (released,)))
    manager.add(Controller("destinationrule", objects.ROLLOUTS, RuleReconciler(cache, routes)))


def versions_by_address(api: KubeApi) -> ListPods:
    """Return what reads the pods of a Rollout's versions, live: pods are not watched."""

    async def pods(key: Key, versions: Collection[str]) -> Mapping[str, str]:
        known = ", ".join(sorted(filter(None, versions)))
        if not known:
            return {}
        selector = f"{labels.POD_TEMPLATE_HASH} in ({known})"
        found = await api.list(objects.PODS, key.namespace, label_selector=selector)
        return {
            str(address.get("ip", "")): objects.labels_of(pod)[labels.POD_TEMPLATE_HASH]
            for pod in found.items
            for address in (pod.get("status") or {}).get("podIPs") or ()
        }

    return pods


def _verifying(manager: Manager, settings: Settings) -> Verifying:
    """Return what asks data planes, running beside the controllers when the operator names some."""
    verifiers = verifiers_for(settings, manager.clock.now)
    verifying = Verifying(
        verifiers,
        manager.clock,
        timedelta(seconds=settings.verify_seconds),
        versions_by_address(manager.api),
        lambda key: manager.enqueue("rollout", key),
    )
    if verifiers:
        manager.alongside("verifying", verifying.run)
    return verifying


def _marked_services(cache: Cache) -> KeysOf:
    """Map a Rollout to the Services that carry its mark, so that those it no longer names are given back."""

    def keys(obj: Manifest) -> Iterable[Key]:
        place = f"{objects.namespace_of(obj)}/{objects.name_of(obj)}"
        return [objects.key_of(found) for found in cache.indexed(objects.SERVICES, MARK_INDEX, place)]

    return keys


def _mark_of(obj: Manifest) -> Sequence[str]:
    owner = objects.annotations_of(obj).get(labels.MANAGED_BY)
    return [f"{objects.namespace_of(obj)}/{owner}"] if owner else []


def _spec(obj: Manifest) -> api.RolloutSpec:
    try:
        return api.RolloutSpec.model_validate(obj.get("spec") or {})
    except ValidationError:
        return api.RolloutSpec()


def _services_of(obj: Manifest) -> Sequence[str]:
    namespace = objects.namespace_of(obj)
    return [f"{namespace}/{name}" for name in service_names(_spec(obj))]


def _templates_of(obj: Manifest) -> Sequence[str]:
    namespace = objects.namespace_of(obj)
    return [
        f"{'' if ref.cluster_scope else namespace}/{ref.template_name}" for ref in template_refs(_spec(obj))
    ]


def _by_index(cache: Cache, index: str) -> KeysOf:
    def keys(obj: Manifest) -> Iterable[Key]:
        place = f"{objects.namespace_of(obj)}/{objects.name_of(obj)}"
        return [objects.key_of(found) for found in cache.indexed(objects.ROLLOUTS, index, place)]

    return keys
