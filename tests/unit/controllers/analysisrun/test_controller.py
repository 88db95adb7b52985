"""AnalysisRuns from creation to their end, on an API server in memory and virtual time."""

import asyncio
import base64
from typing import Any

import pytest

from analysis.providers.errors import BackendError
from rollouts import logs
from rollouts.kube import errors
from rollouts.kube.objects import ANALYSIS_RUNS, JOBS, PODS, SECRETS
from rollouts.settings import Settings
from tests.unit.controllers.analysisrun.world import (
    UPSTREAM,
    Backend,
    controlled,
    new_cluster,
    query,
    running,
)
from tests.unit.kube.world import virtual


@virtual
async def test_a_good_run_is_measured_count_times_and_succeeds() -> None:
    async with running(lambda b: b.answers.update(m=[0.1, 0.2, 0.3])) as world:
        await world.create(metrics=[query(count=3, interval="30s")])
        status = await world.after(1)
        assert (status["phase"], status["metricResults"][0]["count"]) == ("Running", 1)
        status = await world.after(65)
        assert status["phase"] == "Successful"
        result = status["metricResults"][0]
        assert [m["value"] for m in result["measurements"]] == ["[0.1]", "[0.2]", "[0.3]"]
        assert result["metadata"] == {"ResolvedPrometheusQuery": "m"}
        assert (result["count"], result["successful"], result["consecutiveSuccess"]) == (3, 3, 3)
        assert status["runSummary"] == {"count": 1, "successful": 1}
        assert status["startedAt"] < status["completedAt"]
        assert await world.events() == [
            ("Normal", "MetricSuccessful", "Metric 'm' Completed. Result: Successful"),
            ("Normal", "AnalysisRunSuccessful", "Analysis Completed. Result: Successful"),
        ]


@virtual
async def test_a_breach_fails_the_run_at_once_and_says_why() -> None:
    async with running(lambda b: b.answers.update(bad=[5.0], slow=[None])) as world:
        await world.create(metrics=[query("bad"), query("slow", interval="1m")])
        status = await world.after(1)
        assert status["phase"] == "Failed"
        assert status["message"] == 'Metric "bad" assessed Failed due to failed (1) > failureLimit (0)'
        assert ("Warning", "AnalysisRunFailed", "Analysis Completed. Result: Failed") in await world.events()


@virtual
async def test_a_dead_backend_is_asked_again_every_ten_seconds_and_named() -> None:
    async with running(lambda b: b.answers.update(m=[BackendError("connection refused")])) as world:
        await world.create(metrics=[query()])
        status = await world.after(39)
        assert (status["phase"], status["metricResults"][0]["error"]) == ("Running", 4)
        status = await world.after(2)
        assert status["phase"] == "Error"
        assert status["message"].endswith('consecutiveErrorLimit (4): "Error Message: connection refused"')


@virtual
async def test_a_slow_backend_does_not_hold_up_another_run() -> None:
    async with running(lambda b: b.answers.update(slow=[None], m=[0.1])) as world:
        for number in range(30):
            await world.create(f"slow-{number}", metrics=[query("slow")])
        await world.create("quick", metrics=[query()])
        assert (await world.after(1, "quick"))["phase"] == "Successful"
        assert (await world.status("slow-7"))["phase"] == "Running"


@virtual
async def test_termination_ends_a_run_as_successful_and_stops_asking() -> None:
    async with running(lambda b: b.answers.update(m=[0.1])) as world:
        await world.create(metrics=[query(interval="10s")])
        await world.after(5)
        await world.api.patch(ANALYSIS_RUNS, "ns", "run", {"spec": {"terminate": True}})
        status = await world.after(1)
        assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")
        asked = len(world.backend.asked)
        await asyncio.sleep(60)
        assert len(world.backend.asked) == asked


@virtual
async def test_two_visible_states_are_two_status_writes() -> None:
    async with running(lambda b: b.answers.update(m=[0.1])) as world:
        created = await world.create(metrics=[query()])
        await world.after(30)
        assert (await world.get())["metadata"]["generation"] - created["metadata"]["generation"] == 2


@pytest.mark.skipif(not UPSTREAM.is_file(), reason="upstream's CRD is not here")
@virtual
async def test_upstreams_crd_keeps_the_whole_status() -> None:
    cluster, backend = await new_cluster(crd=UPSTREAM), Backend()
    backend.answers["m"] = [0.1]
    async with controlled(cluster, backend) as world:
        await world.create(
            metrics=[query(count=2, interval="5s"), query("dry")], dryRun=[{"metricName": "dry"}]
        )
        status = await world.after(90)
        assert status["phase"] == "Successful"
        assert status["dryRunSummary"] == {"count": 1, "error": 1}
        result = status["metricResults"][0]
        assert (result["metadata"], result["consecutiveSuccess"]) == ({"ResolvedPrometheusQuery": "m"}, 2)
        assert result["measurements"][1]["metadata"] == {"resultType": "vector"}
    await cluster.close()


@virtual
async def test_an_invalid_spec_is_an_error_with_its_path() -> None:
    async with running() as world:
        await world.create(metrics=[query(count=2)])
        status = await world.after(1)
        assert (status["phase"], status["message"]) == (
            "Error",
            "Analysis spec invalid: spec.metrics[0].interval: interval must be specified when count > 1",
        )


SECRET_ARG = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "token"}}}]


def secret(value: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "creds", "namespace": "ns"},
        "data": {"token": base64.b64encode(value.encode()).decode()},
    }


@virtual
async def test_a_secret_is_read_for_each_measurement_and_shown_nowhere() -> None:
    metric = query("m", provider={"prometheus": {"query": "{{args.token}}"}}, interval="10s", count=2)
    async with running(
        lambda b: b.answers.update({"s3cr3t": [BackendError("401 for s3cr3t")], "new": [0.1]})
    ) as w:
        await w.api.create(SECRETS, "ns", secret("s3cr3t"))
        await w.create(metrics=[metric], args=SECRET_ARG)
        status = await w.after(1)
        assert status["metricResults"][0]["measurements"][0]["message"] == "401 for *****"
        await w.api.patch(SECRETS, "ns", "creds", {"data": secret("new")["data"]})
        await w.after(30)
        assert w.backend.asked == ["s3cr3t", "new", "new"]
        assert "s3cr3t" not in repr(await w.get())
        assert "s3cr3t" not in repr(await w.events())
    logs.forget_secrets()


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (False, "Unable to resolve metric arguments: secret 'ns/creds' not found"),
        (True, "Unable to resolve metric arguments: key 'token' does not exist in secret 'ns/creds'"),
    ],
)
def test_a_missing_secret_ends_the_run(create: bool, message: str) -> None:
    @virtual
    async def scenario() -> None:
        async with running() as world:
            if create:
                await world.api.create(SECRETS, "ns", {**secret("x"), "data": {"other": "eA=="}})
            await world.create(metrics=[query()], args=SECRET_ARG)
            status = await world.after(2)
            assert (status["phase"], status["message"]) == ("Error", message)

    scenario()


@virtual
async def test_a_restart_goes_on_from_the_status() -> None:
    cluster, backend = await new_cluster(), Backend()
    backend.answers["m"] = [0.1]
    async with controlled(cluster, backend) as world:
        await world.create(metrics=[query(count=3, interval="1m")])
        await world.after(30)
    async with controlled(cluster, backend) as world:
        await world.after(5)
        assert len(backend.asked) == 1
        status = await world.after(120)
        assert (status["phase"], status["metricResults"][0]["count"], len(backend.asked)) == (
            "Successful",
            3,
            3,
        )
    await cluster.close()


@virtual
async def test_a_measurement_in_flight_at_the_end_of_the_process_is_taken_again_and_counted_once() -> None:
    cluster, backend = await new_cluster(), Backend()
    backend.answers["m"] = [0.1]
    backend.latency = 20
    async with controlled(cluster, backend) as world:
        await world.create(metrics=[query()])
        await world.after(5)
    async with controlled(cluster, backend) as world:
        status = await world.after(30)
        assert (status["phase"], status["metricResults"][0]["count"], len(backend.asked)) == (
            "Successful",
            1,
            2,
        )
    await cluster.close()


@pytest.mark.parametrize("lost", range(1, 4))
@pytest.mark.parametrize("effect", [True, False], ids=["took-effect", "did-not"])
def test_a_status_write_whose_answer_is_lost_changes_nothing_in_the_end(lost: int, effect: bool) -> None:
    @virtual
    async def scenario() -> None:
        cluster, backend = await new_cluster(), Backend()
        backend.answers["m"] = [0.1]
        flaky = Losing(cluster.api(), lost, effect)
        async with controlled(cluster, backend, api=flaky) as world:
            await world.create(metrics=[query(count=2, interval="10s")])
            status = await world.after(60)
            assert (status["phase"], status["metricResults"][0]["count"]) == ("Successful", 2)
            assert len(status["metricResults"][0]["measurements"]) == 2
        await cluster.close()

    scenario()


class Losing:
    """An API that loses the answer of its n-th patch."""

    def __init__(self, api: Any, lost: int, effect: bool) -> None:
        self._api = api
        self._lost = lost
        self._effect = effect
        self._patches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def patch(self, *args: Any, **kwargs: Any) -> Any:
        self._patches += 1
        if self._patches != self._lost:
            return await self._api.patch(*args, **kwargs)
        if self._effect:
            await self._api.patch(*args, **kwargs)
        raise errors.OutcomeUnknown("the answer was lost")


@pytest.mark.parametrize(("seconds", "exists"), [(50, True), (70, False)])
def test_a_finished_run_is_deleted_when_its_time_is_over(seconds: int, exists: bool) -> None:
    @virtual
    async def scenario() -> None:
        async with running(lambda b: b.answers.update(m=[0.1])) as world:
            await world.create(metrics=[query()], ttlStrategy={"secondsAfterSuccess": 60})
            await asyncio.sleep(seconds)
            listing = await world.api.list(ANALYSIS_RUNS, "ns")
            assert bool(listing.items) is exists

    scenario()


@virtual
async def test_runs_of_another_instance_are_left_alone() -> None:
    cluster, backend = await new_cluster(), Backend()
    async with controlled(cluster, backend, Settings(instance_id="blue")) as world:
        await world.create(metrics=[query()])
        assert await world.after(5) == {}
    await cluster.close()


POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "nope"}]}
JOB = {"name": "job", "provider": {"job": {"spec": {"template": {"spec": POD}}}}}


async def the_job(world: Any) -> Any:
    listing = await world.api.list(JOBS, "ns")
    return listing.items[0] if listing.items else None


@pytest.mark.parametrize(("condition", "phase"), [("Complete", "Successful"), ("Failed", "Failed")])
def test_a_job_decides_the_moment_it_ends(condition: str, phase: str) -> None:
    @virtual
    async def scenario() -> None:
        async with running() as world:
            run = await world.create(metrics=[JOB])
            await world.after(1)
            job = await the_job(world)
            assert job["metadata"]["name"] == f"{run['metadata']['uid']}.job.1"
            assert job["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]
            ended = {"status": {"conditions": [{"type": condition, "status": "True", "reason": "Because"}]}}
            await world.api.patch(JOBS, "ns", job["metadata"]["name"], ended, subresource="status")
            status = await world.after(0.5)
            assert status["phase"] == phase
            measurement = status["metricResults"][0]["measurements"][0]
            assert measurement["metadata"]["job-name"] == job["metadata"]["name"]
            assert "resumeAt" not in measurement

    scenario()


@virtual
async def test_a_job_whose_image_cannot_be_pulled_is_inconclusive() -> None:
    async with running() as world:
        await world.create(metrics=[JOB])
        await world.after(1)
        job = (await the_job(world))["metadata"]["name"]
        pod = {
            "metadata": {"name": "p", "namespace": "ns", "labels": {"job-name": job}},
            "spec": {"containers": [{"name": "c", "image": "nope"}]},
        }
        await world.api.create(PODS, "ns", pod)
        waiting = {"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "nope"}}}
        await world.api.patch(
            PODS, "ns", "p", {"status": {"containerStatuses": [waiting]}}, subresource="status"
        )
        status = await world.after(10)
        assert status["phase"] == "Inconclusive"
        assert status["message"] == (
            'Metric "job" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0):'
            ' "Error Message: pod p, container c: ImagePullBackOff: nope"'
        )


@virtual
async def test_a_terminated_run_deletes_its_job_and_is_inconclusive() -> None:
    async with running() as world:
        await world.create(metrics=[JOB])
        await world.after(1)
        await world.api.patch(ANALYSIS_RUNS, "ns", "run", {"spec": {"terminate": True}})
        status = await world.after(1)
        job = await the_job(world)
        assert job is None or job["metadata"].get("deletionTimestamp")
        (result,) = status["metricResults"]
        measurement = result["measurements"][0]
        assert {status["phase"], result["phase"], measurement["phase"]} == {"Inconclusive"}
        assert "was terminated before it was complete" in measurement["message"]
        assert status["runSummary"] == {"count": 1, "inconclusive": 1}
