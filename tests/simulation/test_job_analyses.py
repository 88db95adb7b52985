"""Analyses by Jobs, and Experiments with them, under all controllers together on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rollouts.kube.api import PatchKind
from rollouts.kube.objects import ANALYSIS_TEMPLATES, EXPERIMENTS, JOBS, Manifest, controller_owner, name_of
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import Scenario
from rollouts.simulation.world import NAME, NAMESPACE, World
from rollouts.workloads.labels import POD_TEMPLATE_HASH

BAD_IMAGE = "does-not-exist:latest"
LONG = "sleep 3600"
PAUSE: Manifest = {"pause": {}}


def job(
    script: str, *, image: str = "alpine:3", env: Mapping[str, str] | None = None, **spec: Any
) -> Manifest:
    """Return the spec of a Job that runs a script once."""
    container: Manifest = {"name": "job", "image": image, "command": ["sh", "-c", script]}
    if env:
        container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    pod = {"containers": [container], "restartPolicy": "Never"}
    return {"backoffLimit": 0, "template": {"spec": pod}, **spec}


def checked(spec: Manifest, **fields: Any) -> Manifest:
    """Return the spec of a template whose one metric is a Job."""
    return {"metrics": [{"name": "job", "count": 1, "provider": {"job": {"spec": spec}}, **fields}]}


def weight(percent: int) -> Manifest:
    return {"setWeight": percent}


def analysed_by(name: str) -> Manifest:
    return {"templates": [{"templateName": name}]}


async def _nothing(world: World) -> None:
    pass


@asynccontextmanager
async def updating(
    steps: list[Manifest], templates: Mapping[str, Manifest], **canary: Any
) -> AsyncIterator[World]:
    """Run a world whose Rollout is Healthy at v1, and deploy v2."""
    scenario = Scenario("jobs", {"canary": {"steps": steps, **canary}}, _nothing, replicas=2)
    async with World.running(1) as world:
        for name, spec in templates.items():
            await world.create(ANALYSIS_TEMPLATES, {"metadata": {"name": name}, "spec": spec})
        await world.start()
        await scenario.begin(world)
        assert runs(world) == []
        await world.deploy("v2")
        yield world
        assert not world.errors


def runs(world: World) -> list[Any]:
    """Return the Rollout's AnalysisRuns by name."""
    found = world.mirror.all("analysisruns").values()
    return sorted((r for r in found if (controller_owner(r) or {}).get("name") == NAME), key=name_of)


async def jobs(world: World) -> list[Any]:
    """Return the Jobs on the server."""
    return list((await world.api.list(JOBS, NAMESPACE)).items)


def phases(run: Any) -> tuple[str, str, str]:
    """Return the phases of a run, its one metric and the last measurement."""
    (result,) = run["status"]["metricResults"]
    return run["status"]["phase"], result["phase"], result["measurements"][-1]["phase"]


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_virtual(story())


def test_a_job_that_the_end_of_the_update_stops_is_inconclusive_and_the_rollout_stays_healthy() -> None:
    async def story() -> None:
        templates = {"long": checked(job(LONG))}
        async with updating([weight(10), PAUSE], templates, analysis=analysed_by("long")) as world:
            await world.phase("Paused")
            (run,) = runs(world)
            assert run["status"]["phase"] == "Running"
            await world.status(pauseConditions=None)
            await world.phase("Healthy")
            await world.rest()
            assert phases(runs(world)[0]) == ("Inconclusive",) * 3
            assert world.state["phase"] == "Healthy"
            assert await jobs(world) == []

    play(story)


@pytest.mark.parametrize("where", ["step", "background"])
def test_a_jobs_own_deadline_fails_it_and_aborts(where: str) -> None:
    async def story() -> None:
        steps: list[Manifest] = (
            [weight(10), {"analysis": analysed_by("short")}] if where == "step" else [PAUSE]
        )
        canary = {"analysis": analysed_by("short")} if where == "background" else {}
        templates = {"short": checked(job(LONG, activeDeadlineSeconds=5))}
        async with updating(steps, templates, **canary) as world:
            await world.phase("Degraded")
            (run,) = runs(world)
            assert phases(run) == ("Failed",) * 3

    play(story)


def test_a_job_that_cannot_begin_pauses_and_leaves_the_other_analysis_running() -> None:
    async def story() -> None:
        templates = {"bad": checked(job("exit 0", image=BAD_IMAGE)), "long": checked(job(LONG))}
        steps: list[Manifest] = [weight(10), {"analysis": analysed_by("long")}]
        async with updating(steps, templates, analysis=analysed_by("bad")) as world:
            await world.phase("Paused")
            assert world.state["message"] == "InconclusiveAnalysisRun"
            found = {run["metadata"]["labels"]["rollout-type"]: phases(run) for run in runs(world)}
            assert found == {"Background": ("Inconclusive",) * 3, "Step": ("Running",) * 3}

    play(story)


@pytest.mark.parametrize("where", ["step", "background"])
def test_a_retry_with_a_mended_template_and_more_pods_needs_one_more_run(where: str) -> None:
    async def story() -> None:
        middle = {"analysis": analysed_by("check")} if where == "step" else PAUSE
        canary = {"analysis": analysed_by("check")} if where == "background" else {}
        steps = [weight(50), middle, weight(100)]
        async with updating(steps, {"check": checked(job("exit 1"))}, **canary) as world:
            await world.phase("Degraded")
            await world.until(lambda status: not status.get("updatedReplicas"), "v2 without pods")
            stable = world.state["stableRS"]
            assert len(runs(world)) == 1
            mended = {"spec": checked(job("exit 0"))}
            await world.api.patch(ANALYSIS_TEMPLATES, NAMESPACE, "check", mended, kind=PatchKind.MERGE)
            await world.spec(replicas=3)
            await world.status(abort=False)
            if where == "background":
                field = "currentBackgroundAnalysisRunStatus"
                await world.until(
                    lambda status: (status.get("canary") or {}).get(field, {}).get("status") == "Successful",
                    "the second run",
                )
                await world.phase("Paused")
                await world.status(pauseConditions=None)
            await world.phase("Healthy")
            assert world.state["stableRS"] != stable
            assert (world.state["updatedReplicas"], world.state["availableReplicas"]) == (3, 3)
            assert sorted(run["status"]["phase"] for run in runs(world)) == ["Failed", "Successful"]

    play(story)


def test_an_experiment_step_hands_hashes_to_its_analysis_and_its_versions_are_their_own() -> None:
    hashes: dict[str, Manifest] = {
        "latest": {"valueFrom": {"podTemplateHashValue": "Latest"}},
        "stable": {"valueFrom": {"podTemplateHashValue": "Stable"}},
        "baseline": {"value": "{{templates.baseline.podTemplateHash}}"},
        "canary": {"value": "{{templates.canary.podTemplateHash}}"},
    }
    echo = checked(job("exit 0", env={name: f"{{{{args.{name}}}}}" for name in hashes}))
    echo["args"] = [{"name": name} for name in hashes]
    echo["metrics"][0]["provider"]["job"]["metadata"] = {
        "labels": {"foo": "bar"},
        "annotations": {"foo2": "bar2"},
    }
    step = {
        "duration": "10s",
        "templates": [{"name": "baseline", "specRef": "stable"}, {"name": "canary", "specRef": "canary"}],
        "analyses": [
            {
                "name": "echo",
                "templateName": "echo",
                "args": [{"name": name, **source} for name, source in hashes.items()],
            }
        ],
    }

    async def story() -> None:
        async with updating([{"experiment": step}, PAUSE], {"echo": echo}) as world:
            await world.phase("Paused")
            (found,) = world.mirror.all("experiments").values()
            assert found["status"]["phase"] == "Successful"
            assert found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
            (created,) = await jobs(world)
            assert created["metadata"]["labels"]["foo"] == "bar"
            assert created["metadata"]["annotations"]["foo2"] == "bar2"
            env = created["spec"]["template"]["spec"]["containers"][0]["env"]
            given = {entry["name"]: entry["value"] for entry in env}
            sets = {rs["metadata"]["name"]: rs for rs in world.mirror.all("replicasets").values()}
            own = {name: sets[f"{name_of(found)}-{name}"] for name in ("baseline", "canary")}
            assert given == {
                "stable": world.state["stableRS"],
                "latest": world.state["currentPodHash"],
                **{
                    name: rs["spec"]["template"]["metadata"]["labels"][POD_TEMPLATE_HASH]
                    for name, rs in own.items()
                },
            }
            assert len(set(given.values())) == 4
            for name, pod_hash in (("baseline", given["stable"]), ("canary", given["latest"])):
                original = sets[f"{NAME}-{pod_hash}"]["spec"]["template"]["spec"]
                assert own[name]["spec"]["template"]["spec"] == original
            await world.status(pauseConditions=None)
            await world.phase("Healthy")

    play(story)


def experiment(*analyses: str, **spec: Any) -> Manifest:
    """Return an Experiment over one version with a Service, for 30 seconds."""
    container = {"name": "app", "image": "app:v1", "ports": [{"containerPort": n} for n in (8080, 8081)]}
    version = {
        "name": "test",
        "service": {},
        "selector": {"matchLabels": {"app": "exp"}},
        "template": {"metadata": {"labels": {"app": "exp"}}, "spec": {"containers": [container]}},
    }
    body: Manifest = {"duration": "30s", "progressDeadlineSeconds": 30, "templates": [version], **spec}
    if analyses:
        body["analyses"] = [{"name": name, "templateName": name} for name in analyses]
    return {"metadata": {"name": "exp"}, "spec": body}


@pytest.mark.parametrize(
    ("script", "fields", "rules", "result"),
    [
        ("exit 1", {}, {"dryRun": [{"metricName": "j.*"}]}, {"count": 1, "failed": 1}),
        (
            "exit 0",
            {"interval": "3s", "count": 0},
            {"measurementRetention": [{"metricName": "j.*", "limit": 2}]},
            2,
        ),
    ],
    ids=["dry run", "retention"],
)  # fmt: skip
def test_an_experiment_ends_well_with_the_rules_of_its_analyses_kept(
    script: str, fields: Manifest, rules: Manifest, result: object
) -> None:
    async def story() -> None:
        async with World.running(1) as world:
            body = {"metadata": {"name": "check"}, "spec": checked(job(script), **fields)}
            await world.create(ANALYSIS_TEMPLATES, body)
            await world.start()
            await world.create(EXPERIMENTS, experiment("check", **rules))
            await world.rest(60)
            assert world.mirror.all("experiments")["exp"]["status"]["phase"] == "Successful"
            (run,) = world.mirror.all("analysisruns").values()
            (seen,) = run["status"]["metricResults"]
            assert result in (run["status"].get("dryRunSummary"), len(seen["measurements"]))
            assert len(await jobs(world)) <= 2
            assert not world.errors

    play(story)


def test_an_experiments_service_goes_with_its_pods_and_the_status_tells_it() -> None:
    async def story() -> None:
        async with World.running(1) as world:
            await world.start()
            await world.create(EXPERIMENTS, experiment(duration="10s", scaleDownDelaySeconds=5))
            await world.rest(8)
            running = world.mirror.all("experiments")["exp"]["status"]
            assert running["phase"] == "Running"
            (entry,) = running["templateStatuses"]
            assert (entry["serviceName"], entry["availableReplicas"]) == ("exp-test", 1)
            assert [port["port"] for port in world.mirror.all("services")["exp-test"]["spec"]["ports"]] == [
                8080,
                8081,
            ]
            await world.rest(30)
            ended = world.mirror.all("experiments")["exp"]["status"]
            assert (ended["phase"], ended["templateStatuses"][0]["replicas"]) == ("Successful", 0)
            assert world.mirror.all("services") == {}
            assert world.mirror.all("replicasets")["exp-test"]["status"]["replicas"] == 0

    play(story)
