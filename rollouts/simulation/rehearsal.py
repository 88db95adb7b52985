"""A change to a Rollout, run forward before it is applied: the same controller, on virtual time.

The rehearsal begins with the present version healthy and whole. Pods need ``pod_seconds`` to become ready,
analyses take as long as their templates say and end with the verdict that is assumed, and where a person
is waited for one promotes at once. Whatever router the Rollout names, a simple route stands in for it:
weights and their order are the controller's, the mesh is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from analysis.spec.duration import parse_duration
from rollouts.api.argoproj.rollout import CanaryStep
from rollouts.controllers.rollout import controller as rollout_controller
from rollouts.controllers.rollout.decide.canary import step_text
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.embedded.workloads import WorkloadSimulator
from rollouts.embedded.workloads.timing import KubeletTiming
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi, PatchKind
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import Manifest, ReadOnly, Resource
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings
from rollouts.simulation.chance import SeededRandomness
from rollouts.simulation.loop import LoopClock, run_virtual
from rollouts.simulation.world import definitions
from rollouts.workloads.labels import POD_TEMPLATE_HASH

Verdict = Literal["Successful", "Failed", "Inconclusive"]

NAMESPACE = "rehearsal"
ROUTE = "rehearsal"
LONGEST = timedelta(days=14).total_seconds()
ENDLESS = 10**9
SETTLE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What the rehearsal takes for granted."""

    pod_seconds: float = 5.0
    verdict: Verdict = "Successful"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A state of the update that a person would see: seconds since the change, counts by version."""

    at: float
    phase: str
    step: str
    weight: int | None
    new_pods: int
    new_ready: int
    old_pods: int
    note: str = ""


@dataclass(slots=True)
class Rehearsal:
    """What would happen: the moments in order, and how it ends."""

    moments: list[Moment] = field(default_factory=list)
    problem: str = ""

    @property
    def seconds(self) -> float:
        """Return how long the update takes until it is healthy or given up."""
        return self.moments[-1].at if self.moments else 0.0


def rehearse(
    present: ReadOnly | None,
    wanted: ReadOnly,
    templates: Iterable[ReadOnly] = (),
    assumptions: Assumptions | None = None,
) -> Rehearsal:
    """Run the change from ``present`` (None: a first deploy) to ``wanted`` and return what happens."""
    return run_virtual(_rehearse(present, wanted, tuple(templates), assumptions or Assumptions()))


async def _rehearse(
    present: ReadOnly | None, wanted: ReadOnly, templates: Sequence[ReadOnly], assumed: Assumptions
) -> Rehearsal:
    stage = _Stage(assumed)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in stage.machinery()]
        await stage.furnish(present or wanted, wanted, templates)
        if present is not None:
            await stage.create(present)
            if await stage.until_over():
                await stage.change(wanted)
        else:
            await stage.create(wanted)
            stage.begin()
        if stage.began is not None:
            await stage.until_over()
        for task in tasks:
            task.cancel()
    return stage.rehearsal


class _Stage:
    """An embedded cluster with the controller and everything that it waits for."""

    def __init__(self, assumed: Assumptions) -> None:
        self.rehearsal = Rehearsal()
        self.began: float | None = None
        self._assumed = assumed
        self._clock = LoopClock()
        self._cluster = EmbeddedCluster(self._clock, SeededRandomness(0, "cluster"))
        self._cluster.install_crds(definitions())
        self._api: KubeApi = self._cluster.api("user")
        self._name = ""
        self._news = [asyncio.Event(), asyncio.Event()]
        self._cluster.observe(lambda collection, change: self._tell())

    def _tell(self) -> None:
        for news in self._news:
            news.set()

    async def _wait(self, who: int, seconds: float) -> None:
        """Wait for a change of the store, let what follows from it happen, at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news[who].wait()
        except TimeoutError:
            return
        await self._clock.sleep(SETTLE)
        self._news[who].clear()

    def machinery(self) -> Iterable[Any]:
        pods = self._assumed.pod_seconds
        simulator = WorkloadSimulator(
            self._cluster.api("machinery"), self._clock, SeededRandomness(0, "machinery"),
            control_loops=True, timing=KubeletTiming(start=(pods, pods)),
        )  # fmt: skip
        settings = Settings()
        manager = Manager(
            self._cluster.api("controller"), self._clock, SeededRandomness(0, "controller"), settings,
            new_registry(), AlwaysLeader(),
        )  # fmt: skip
        rollout_controller.register(manager, settings)
        return simulator.run(asyncio.Event()), manager.run(asyncio.Event()), self._judge()

    async def furnish(self, present: ReadOnly, wanted: ReadOnly, templates: Sequence[ReadOnly]) -> None:
        """Put in place what the Rollout names: Services, the stand-in route, analysis templates."""
        await self._put(objects.NAMESPACES, {"metadata": {"name": NAMESPACE}}, None)
        for name in sorted(_services(present) | _services(wanted)):
            selector = ((wanted.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
            body = {"metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": 80}]}}
            await self._put(objects.SERVICES, body)
        canary = _canary(wanted) or _canary(present)
        if canary.get("trafficRouting"):
            await self._put(objects.HTTP_ROUTES, _route(canary))
        for template in templates:
            cluster = template.get("kind") == "ClusterAnalysisTemplate"
            resource = objects.CLUSTER_ANALYSIS_TEMPLATES if cluster else objects.ANALYSIS_TEMPLATES
            body = {"metadata": {"name": objects.name_of(template)}, "spec": template.get("spec")}
            await self._put(resource, body, None if cluster else NAMESPACE)

    async def _put(self, resource: Resource, body: Manifest, namespace: str | None = NAMESPACE) -> None:
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        await self._api.create(resource, namespace, full)

    async def create(self, rollout: ReadOnly) -> None:
        """Create the Rollout."""
        self._name = objects.name_of(rollout)
        await self._put(objects.ROLLOUTS, {"metadata": {"name": self._name}, "spec": _spec(rollout)})

    async def change(self, wanted: ReadOnly) -> None:
        """Apply the change and begin to take notes."""
        self.begin()
        live = await self._rollout()
        body = {**live, "spec": _spec(wanted)}
        await self._api.replace(objects.ROLLOUTS, NAMESPACE, self._name, body)

    def begin(self) -> None:
        """Take notes from now on."""
        self.began = self._clock.monotonic()

    async def until_over(self) -> bool:
        """Follow the Rollout until it is healthy with nothing left to do, or will not go on."""
        start = self._clock.monotonic()
        while self._clock.monotonic() - start < LONGEST:
            await self._wait(0, LONGEST)
            rollout = await self._rollout()
            status = rollout.get("status") or {}
            if status.get("observedGeneration") != str(objects.generation(rollout)):
                continue
            await self._note(rollout)
            if status.get("phase") == "Healthy":
                return True
            if status.get("phase") == "Degraded":
                self.rehearsal.problem = str(status.get("message") or "")
                return False
            await self._promote_where_a_person_is_waited_for(rollout)
        self.rehearsal.problem = "it does not come to an end within two weeks"
        return False

    async def _promote_where_a_person_is_waited_for(self, rollout: ReadOnly) -> None:
        status = rollout.get("status") or {}
        reasons = [c.get("reason") for c in status.get("pauseConditions") or ()]
        index = status.get("currentStepIndex") or 0
        steps = _canary(rollout).get("steps") or []
        pause = (steps[index] if index < len(steps) else {}).get("pause") or {}
        timed = pause.get("duration") is not None
        blue_green = ((rollout.get("spec") or {}).get("strategy") or {}).get("blueGreen") or {}
        timed = timed or ("BlueGreenPause" in reasons and bool(blue_green.get("autoPromotionSeconds")))
        if not reasons or timed:
            return
        if self.rehearsal.moments:
            last = self.rehearsal.moments[-1]
            self.rehearsal.moments[-1] = _with_note(last, "waits for a person to promote")
        await self._api.patch(
            objects.ROLLOUTS, NAMESPACE, self._name, {"status": {"pauseConditions": None}},
            kind=PatchKind.MERGE, subresource="status",
        )  # fmt: skip

    async def _rollout(self) -> Manifest:
        return await self._api.get(objects.ROLLOUTS, NAMESPACE, self._name)

    async def _replica_sets(self) -> Sequence[Manifest]:
        return (await self._api.list(objects.REPLICASETS, NAMESPACE)).items

    async def _note(self, rollout: ReadOnly) -> None:
        if self.began is None:
            return
        status = rollout.get("status") or {}
        sets = await self._replica_sets()
        current = status.get("currentPodHash")
        new = [rs for rs in sets if objects.labels_of(rs).get(POD_TEMPLATE_HASH) == current]
        old = [rs for rs in sets if rs not in new]
        weights = (status.get("canary") or {}).get("weights") or {}
        moment = Moment(
            at=round(self._clock.monotonic() - self.began, 1),
            phase=str(status.get("phase") or ""),
            step=_step(rollout),
            weight=(weights.get("canary") or {}).get("weight"),
            new_pods=sum(rs["spec"].get("replicas") or 0 for rs in new),
            new_ready=sum((rs.get("status") or {}).get("availableReplicas") or 0 for rs in new),
            old_pods=sum(rs["spec"].get("replicas") or 0 for rs in old),
            note=str(status.get("message") or ""),
        )
        last = self.rehearsal.moments[-1] if self.rehearsal.moments else None
        if last is None or _without_time(last) != _without_time(moment):
            self.rehearsal.moments.append(moment)

    async def _judge(self) -> None:
        """Give every AnalysisRun its verdict when its metrics would have been measured."""
        due = LONGEST
        while True:
            await self._wait(1, due)
            runs = (await self._api.list(objects.ANALYSIS_RUNS, NAMESPACE)).items
            due = min([await self._follow_run(run) for run in runs], default=LONGEST)

    async def _follow_run(self, run: Manifest) -> float:
        """Do what is due for a run and return in how many seconds something will be again."""
        status, spec = run.get("status") or {}, run.get("spec") or {}
        if status.get("phase") in ("Successful", "Failed", "Inconclusive"):
            return LONGEST
        started = objects.parse_time(status.get("startedAt"))
        if started is None:
            now = objects.format_time(self._clock.now())
            await self._set_run(run, {"phase": "Running", "startedAt": now})
            return max(SETTLE, run_seconds(spec))
        age = (self._clock.now() - started).total_seconds()
        if spec.get("terminate"):
            await self._set_run(run, {"phase": "Successful"})
        elif age >= run_seconds(spec):
            verdict = {"phase": self._assumed.verdict, "message": "assumed by the rehearsal"}
            await self._set_run(run, verdict)
        else:
            return max(SETTLE, run_seconds(spec) - age)
        return LONGEST

    async def _set_run(self, run: Manifest, status: Manifest) -> None:
        try:
            await self._api.patch(objects.ANALYSIS_RUNS, NAMESPACE, objects.name_of(run), {"status": status})
        except errors.KubeError:
            return  # changed meanwhile; looked at again in a moment


def run_seconds(spec: ReadOnly) -> float:
    """Return how long an AnalysisRun measures: its longest metric; a metric without an end never ends."""
    longest = 0.0
    for metric in spec.get("metrics") or ():
        interval = metric.get("interval")
        count = metric.get("count")
        if interval and not count:
            return float(ENDLESS)
        delay = _seconds(metric.get("initialDelay"))
        longest = max(longest, delay + (int(count or 1) - 1) * _seconds(interval))
    return longest


def _seconds(text: str | None) -> float:
    return parse_duration(text).total_seconds() if text else 0.0


def _canary(rollout: ReadOnly) -> Mapping[str, Any]:
    return ((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}


def _services(rollout: ReadOnly) -> set[str]:
    strategy = (rollout.get("spec") or {}).get("strategy") or {}
    canary, blue_green = strategy.get("canary") or {}, strategy.get("blueGreen") or {}
    names = [canary.get("stableService"), canary.get("canaryService")]
    names += [blue_green.get("activeService"), blue_green.get("previewService")]
    if canary.get("trafficRouting"):
        names += [names[0] or "stable", names[1] or "canary"]
    return {str(name) for name in names if name}


def _spec(rollout: ReadOnly) -> Manifest:
    """Return the spec with the stand-in route for whatever router it names."""
    spec: Manifest = dict(rollout.get("spec") or {})
    canary = dict(_canary(rollout))
    routing = canary.get("trafficRouting")
    if not routing:
        return spec
    config = {"httpRoutes": [{"name": ROUTE, "useHeaderRoutes": True}]}
    kept = {name: routing[name] for name in ("managedRoutes", "maxTrafficWeight") if name in routing}
    canary["trafficRouting"] = {**kept, "plugins": {"argoproj-labs/gatewayAPI": config}}
    canary.setdefault("stableService", "stable")
    canary.setdefault("canaryService", "canary")
    return {**spec, "strategy": {"canary": canary}}


def _route(canary: ReadOnly) -> Manifest:
    refs = [
        {"name": canary.get("stableService") or "stable", "port": 80, "weight": 100},
        {"name": canary.get("canaryService") or "canary", "port": 80, "weight": 0},
    ]
    return {"metadata": {"name": ROUTE}, "spec": {"rules": [{"backendRefs": refs}]}}


def _step(rollout: ReadOnly) -> str:
    steps = _canary(rollout).get("steps") or []
    index = (rollout.get("status") or {}).get("currentStepIndex")
    if not steps or index is None:
        return ""
    if index >= len(steps):
        return f"{len(steps)}/{len(steps)} done"
    return f"{index + 1}/{len(steps)} {step_text(CanaryStep.model_validate(steps[index]))}"


def _without_time(moment: Moment) -> tuple[object, ...]:
    return (
        moment.phase, moment.step, moment.weight, moment.new_pods, moment.new_ready, moment.old_pods
    )  # fmt: skip


def _with_note(moment: Moment, note: str) -> Moment:
    return Moment(
        at=moment.at, phase=moment.phase, step=moment.step, weight=moment.weight,
        new_pods=moment.new_pods, new_ready=moment.new_ready, old_pods=moment.old_pods, note=note,
    )  # fmt: skip
