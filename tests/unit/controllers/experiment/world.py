"""One Experiment in memory: the real observe, decide and apply; pods and verdicts come when told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rollouts.controllers.experiment.actions import Decision, Event
from rollouts.controllers.experiment.apply import Apply, ChildRefusedError
from rollouts.controllers.experiment.decide import decide
from rollouts.controllers.experiment.observe import Observer
from rollouts.controllers.experiment.snapshot import ExperimentSnapshot
from rollouts.kube import errors, objects
from rollouts.kube.objects import Key, Manifest, Resource
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import MemoryApi, MemoryCache

KEY = Key("shop", "exp")
METRIC = {"name": "ok", "provider": {"job": {"spec": {}}}}


class RefusingApi(MemoryApi):
    """Refuses to create the objects named in ``refuses``, as a validating API server does."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: dict[str, str] = {}

    async def create(self, resource: Resource, namespace: str | None, body: Any, **options: Any) -> Manifest:
        name = objects.name_of(body)
        if name in self.refuses:
            raise errors.Invalid(self.refuses[name], status=422)
        return await super().create(resource, namespace, body, **options)


class World:
    """The Experiment and what belongs to it."""

    def __init__(self, spec: Manifest, *, templates: Sequence[str] = (), **metadata: Any) -> None:
        self.api = RefusingApi()
        self.cache = MemoryCache(self.api)
        self.observer = Observer(self.cache)
        self.events: list[Event] = []
        self.requeue_at: datetime | None = None
        for name in templates:
            self.add_template(name)
        self.api.put(objects.EXPERIMENTS, {"metadata": {"name": KEY.name, **metadata}, "spec": spec})

    def add_template(self, name: str, **spec: Any) -> None:
        body = {"metadata": {"name": name}, "spec": {"metrics": [METRIC], **spec}}
        self.api.put(objects.ANALYSIS_TEMPLATES, {**body, "kind": "AnalysisTemplate"})

    def wait(self, seconds: float) -> None:
        self.api.now += timedelta(seconds=seconds)

    def snapshot(self) -> ExperimentSnapshot:
        found = self.observer.snapshot(KEY, self.api.now)
        assert found is not None
        return found

    def reconcile(self) -> Decision:
        """Observe, decide and apply once, as the reconciler does."""
        snapshot = self.snapshot()
        while True:
            decision = decide(snapshot)
            try:
                asyncio.run(Apply(self.api, snapshot, self.events.append).run(decision))  # type: ignore[arg-type]
            except ChildRefusedError as refused:
                if refused.name in snapshot.refused:
                    raise
                snapshot = replace(snapshot, refused={**snapshot.refused, refused.name: refused.message})
                continue
            self.requeue_at = decision.requeue_at
            return decision

    def settle(self, *, pods: bool = True) -> World:
        """Reconcile until nothing changes any more; pods become ready in between when ``pods``."""
        for _ in range(30):
            before = self.api.version
            self.reconcile()
            if pods:
                self.ready_pods()
            if self.api.version == before:
                return self
        raise AssertionError(f"not settled: {self.api.writes[-12:]}")

    def ready_pods(self, **available: int) -> None:
        """Let every ReplicaSet have its pods; ``available`` limits those of a template."""
        for rs in list(self.cache.list(objects.REPLICASETS)):
            want = rs["spec"]["replicas"]
            ready = min(want, available.get(template_of(rs), want))
            status = {
                "replicas": want, "readyReplicas": ready, "availableReplicas": ready,
                "observedGeneration": rs["metadata"]["generation"],
            }  # fmt: skip
            self.api.change(objects.REPLICASETS, objects.name_of(rs), {"status": status})

    def verdict(self, run: str, phase: str, message: str = "") -> World:
        """Give an AnalysisRun its verdict."""
        self.api.change(objects.ANALYSIS_RUNS, run, {"status": {"phase": phase, "message": message}})
        return self

    def patch(self, **fields: Any) -> None:
        """Patch the Experiment as a user does."""
        self.api.change(objects.EXPERIMENTS, KEY.name, fields)

    # -- what is there --

    @property
    def status(self) -> Manifest:
        status: Manifest = self.api.objects[(objects.EXPERIMENTS, KEY.name)].get("status") or {}
        return status

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    def named(self, resource: Resource) -> dict[str, Manifest]:
        return {objects.name_of(obj): obj for obj in self.cache.list(resource)}

    def sizes(self) -> dict[str, int]:
        return {name: rs["spec"]["replicas"] for name, rs in self.named(objects.REPLICASETS).items()}

    def states(self) -> dict[str, str]:
        return {entry["name"]: entry["status"] for entry in self.status.get("templateStatuses", ())}

    def entry(self, template: str) -> Manifest:
        return next(entry for entry in self.status["templateStatuses"] if entry["name"] == template)

    def phases(self) -> dict[str, str]:
        return {entry["name"]: entry["phase"] for entry in self.status.get("analysisRuns", ())}

    def conditions(self) -> dict[str, tuple[str, str]]:
        return {c["type"]: (c["status"], c["reason"]) for c in self.status.get("conditions", ())}

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]


def template_of(rs: Manifest) -> str:
    return str(objects.annotations_of(rs)[labels.EXPERIMENT_TEMPLATE])


def template(name: str, image: str = "", **fields: Any) -> Manifest:
    """Return a version whose pods answer on port 8080."""
    container = {"name": "web", "image": image or f"web:{name}", "ports": [{"containerPort": 8080}]}
    return {
        "name": name,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        **fields,
    }


def analysis(name: str, **fields: Any) -> Manifest:
    return {"name": name, "templateName": name, **fields}


def experiment(*templates: Manifest, analyses: Sequence[Manifest] = (), **fields: Any) -> World:
    """Return a world with an Experiment over these versions; its analysis templates exist."""
    spec = {"templates": list(templates or (template("a"), template("b"))), **fields}
    if analyses:
        spec["analyses"] = list(analyses)
    return World(spec, templates=sorted({item["templateName"] for item in analyses}))
