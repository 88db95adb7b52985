"""The Experiment reconciler, and what wakes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pydantic import ValidationError

from rollouts.api.argoproj.experiment import ExperimentSpec
from rollouts.controllers.experiment.actions import Event
from rollouts.controllers.experiment.apply import Apply, ChildRefusedError
from rollouts.controllers.experiment.decide import decide
from rollouts.controllers.experiment.observe import Observer
from rollouts.kube import objects
from rollouts.kube.cache import Cache
from rollouts.kube.events import Recorder
from rollouts.kube.objects import Key, Manifest
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result
from rollouts.runtime.worker import Controller, KeysOf, Watch, owned_by
from rollouts.settings import Settings

NAME = "experiment"
TEMPLATE_INDEX = "analysis-template"


class ExperimentReconciler:
    """Brings one Experiment forward by one step per call."""

    def __init__(self, observer: Observer, recorder: Recorder) -> None:
        self._observer = observer
        self._recorder = recorder

    async def reconcile(self, request: Request) -> Result:
        """Decide from the present state and carry it out; a refused child is decided upon at once."""
        snapshot = self._observer.snapshot(request.key, request.now)
        if snapshot is None:
            return Result()
        manifest, rollout = snapshot.manifest, snapshot.rollout

        def tell(event: Event) -> None:
            self._recorder.event(manifest, event.type, event.reason, event.message)
            if rollout is not None and event.reason.startswith("AnalysisRun"):
                self._recorder.event(rollout, event.type, event.reason, event.message)

        while True:
            decision = decide(snapshot)
            try:
                await Apply(request.api, snapshot, tell).run(decision)
            except ChildRefusedError as refused:
                if refused.name in snapshot.refused:
                    raise
                snapshot = replace(snapshot, refused={**snapshot.refused, refused.name: refused.message})
                continue
            return Result(decision.requeue_at)


def register(manager: Manager, settings: Settings) -> None:
    """Add the Experiment controller, what it watches, and the look-ups from there to Experiments."""
    cache = manager.cache
    cache.start(objects.EXPERIMENTS)
    cache.start(objects.ROLLOUTS, label_selector=settings.instance_selector)
    watched = [objects.REPLICASETS, objects.SERVICES, objects.ANALYSIS_RUNS, objects.ANALYSIS_TEMPLATES]
    if not settings.namespace:
        watched.append(objects.CLUSTER_ANALYSIS_TEMPLATES)
    for resource in watched:
        cache.start(resource)
    cache.add_index(objects.EXPERIMENTS, TEMPLATE_INDEX, _templates_of)
    owner = owned_by(objects.EXPERIMENTS)
    watches = [
        Watch(objects.REPLICASETS, owner),
        Watch(objects.SERVICES, owner),
        Watch(objects.ANALYSIS_RUNS, owner),
        Watch(objects.ROLLOUTS, _of_rollout(cache)),
        Watch(objects.ANALYSIS_TEMPLATES, _by_template(cache)),
    ]
    if not settings.namespace:
        watches.append(Watch(objects.CLUSTER_ANALYSIS_TEMPLATES, _by_template(cache)))
    observer = Observer(cache, settings.instance_id)
    reconciler = ExperimentReconciler(observer, manager.recorder)
    manager.add(Controller(NAME, objects.EXPERIMENTS, reconciler, tuple(watches), workers=settings.workers))


def _templates_of(obj: Manifest) -> Sequence[str]:
    try:
        spec = ExperimentSpec.model_validate(obj.get("spec") or {})
    except ValidationError:
        return ()
    namespace = objects.namespace_of(obj)
    return [f"{'' if a.cluster_scope else namespace}/{a.template_name}" for a in spec.analyses]


def _by_template(cache: Cache) -> KeysOf:
    def keys(obj: Manifest) -> Iterable[Key]:
        place = f"{objects.namespace_of(obj)}/{objects.name_of(obj)}"
        return [objects.key_of(found) for found in cache.indexed(objects.EXPERIMENTS, TEMPLATE_INDEX, place)]

    return keys


def _of_rollout(cache: Cache) -> KeysOf:
    """Wake the Experiments of a Rollout: its weights say whether their Services may go."""

    def keys(obj: Manifest) -> Iterable[Key]:
        owned = cache.indexed(objects.EXPERIMENTS, "owner", objects.uid_of(obj))
        return [objects.key_of(found) for found in owned]

    return keys
