"""The registered controller on an embedded API server, on virtual time: what wakes it, who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from rollouts.controllers.experiment.controller import register
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube.api import KubeApi
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import (
    ANALYSIS_RUNS,
    ANALYSIS_TEMPLATES,
    EVENTS,
    EXPERIMENTS,
    NAMESPACES,
    REPLICASETS,
    ROLLOUTS,
    SERVICES,
    Manifest,
    Resource,
    owner_reference,
)
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings
from tests.unit.controllers.experiment.world import METRIC, analysis, template
from tests.unit.controllers.rollout.world import rollout_spec
from tests.unit.kube.world import Dice, LoopClock, virtual

CRDS = Path(__file__).parents[4] / "crds"
KINDS = ("rollouts", "experiments", "analysisruns", "analysistemplates", "clusteranalysistemplates")


@asynccontextmanager
async def controlled(settings: Settings | None = None) -> AsyncIterator[KubeApi]:
    """Run the controller until the block ends; nothing plays the kubelet, so versions have no pods."""
    cluster = EmbeddedCluster(LoopClock(), Dice())
    texts = [(CRDS / f"argoproj.io_{kind}.yaml").read_text() for kind in KINDS]
    cluster.install_crds([yaml.load(text, Loader=yaml.CSafeLoader) for text in texts])
    api = cluster.api()
    await api.create(NAMESPACES, None, {"metadata": {"name": "shop"}})
    settings = settings or Settings()
    manager = Manager(cluster.api(), LoopClock(), Dice(), settings, new_registry(), AlwaysLeader())
    register(manager, settings)
    stop = asyncio.Event()
    task = asyncio.ensure_future(manager.run(stop))
    await asyncio.sleep(2)
    try:
        yield api
    finally:
        stop.set()
        await task
        await cluster.close()


async def create(api: KubeApi, resource: Resource, name: str, spec: Manifest, **metadata: Any) -> Manifest:
    body = {"metadata": {"name": name, "namespace": "shop", **metadata}, "spec": spec}
    return await api.create(
        resource, "shop", {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    )


async def status(api: KubeApi, seconds: float = 1) -> Any:
    await asyncio.sleep(seconds)
    return (await api.get(EXPERIMENTS, "shop", "exp")).get("status") or {}


def empty(name: str = "a", **fields: Any) -> Manifest:
    """Return a version that is available at once, since it asks for no pods."""
    return template(name, replicas=0, **fields)


async def observed(api: KubeApi, name: str) -> None:
    """Let a ReplicaSet report that it has what it asks for."""
    rs = await api.get(REPLICASETS, "shop", name)
    seen = {"observedGeneration": rs["metadata"]["generation"], "replicas": 0}
    await api.patch(REPLICASETS, "shop", name, {"status": seen}, subresource="status")


@virtual
async def test_it_is_woken_by_its_time_its_templates_and_its_runs() -> None:
    async with controlled() as api:
        spec = {"templates": [empty(service={})], "analyses": [analysis("x")], "duration": "60s"}
        await create(api, EXPERIMENTS, "exp", {**spec, "scaleDownDelaySeconds": 5})
        await asyncio.sleep(1)
        await observed(api, "exp-a")
        found = await status(api)
        assert (found["phase"], found.get("analysisRuns")) == ("Running", None)
        assert (await api.get(SERVICES, "shop", "exp-a"))["spec"]["ports"][0]["port"] == 8080

        await create(api, ANALYSIS_TEMPLATES, "x", {"metrics": [METRIC]})
        assert (await status(api))["analysisRuns"][0]["phase"] == "Pending"
        await api.patch(ANALYSIS_RUNS, "shop", "exp-x", {"status": {"phase": "Successful"}})
        found = await status(api)
        assert (found["phase"], found["analysisRuns"][0]["phase"]) == ("Running", "Successful")

        assert (await status(api, 60))["phase"] == "Successful"
        assert "serviceName" not in (await status(api, 10))["templateStatuses"][0]
        assert not (await api.list(SERVICES, "shop")).items


@virtual
async def test_the_owning_rollout_hears_of_the_analyses() -> None:
    async with controlled() as api:
        rollout = await create(api, ROLLOUTS, "web", rollout_spec({"canary": {}}))
        await create(api, ANALYSIS_TEMPLATES, "x", {"metrics": [METRIC]})
        owners = [owner_reference(rollout, ROLLOUTS)]
        spec = {"templates": [empty()], "analyses": [analysis("x")]}
        await create(api, EXPERIMENTS, "exp", spec, ownerReferences=owners)
        await asyncio.sleep(1)
        await observed(api, "exp-a")
        await asyncio.sleep(1)
        await api.patch(ANALYSIS_RUNS, "shop", "exp-x", {"status": {"phase": "Failed", "message": "slow"}})
        assert (await status(api))["phase"] == "Failed"
        events = (await api.list(EVENTS, "shop")).items
        told = {(e["involvedObject"]["kind"], e["reason"]) for e in events}
        assert ("Rollout", "AnalysisRunFailed") in told
        assert {reason for kind, reason in told if kind == "Rollout"} == {
            "AnalysisRunPending",
            "AnalysisRunFailed",
        }
        assert ("Experiment", "ExperimentFailed") in told


@virtual
async def test_a_refused_child_ends_it_in_the_same_reconcile() -> None:
    async with controlled() as api:
        await create(api, SERVICES, "taken", {"ports": [{"port": 80}]})
        await create(api, EXPERIMENTS, "exp", {"templates": [empty(service={"name": "taken"})]})
        found = await status(api)
        assert (found["phase"], found["templateStatuses"][0]["status"]) == ("Error", "Error")
        assert "a Service of this name exists" in found["message"]


@virtual
async def test_experiments_of_another_instance_are_left_alone() -> None:
    async with controlled(Settings(instance_id="blue")) as api:
        await create(api, EXPERIMENTS, "exp", {"templates": [empty()]})
        assert await status(api) == {}
        own = {"argo-rollouts.argoproj.io/controller-instance-id": "blue"}
        await api.patch(EXPERIMENTS, "shop", "exp", {"metadata": {"labels": own}})
        assert (await status(api))["phase"] == "Pending"
        rs = await api.get(REPLICASETS, "shop", "exp-a")
        assert own.items() <= rs["metadata"]["labels"].items()
