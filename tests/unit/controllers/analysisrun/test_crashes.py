"""The process dies after every single write, or a write's answer is lost: the end is the same."""

import asyncio
from typing import Any

import pytest

from analysis.spec.status import AnalysisRunStatus
from rollouts.kube import errors
from rollouts.kube.objects import ANALYSIS_RUNS, EVENTS, JOBS
from tests.unit.controllers.analysisrun.test_controller import JOB, the_job
from tests.unit.controllers.analysisrun.world import Backend, World, controlled, new_cluster, query
from tests.unit.kube.world import virtual

WRITES = frozenset(("create", "patch", "delete", "replace"))


class Failing:
    """An API whose n-th write (events not counted) takes effect and goes wrong: lost, or the process dies."""

    def __init__(self, api: Any, number: int, *, dies: bool) -> None:
        self._api = api
        self._number = number
        self._dies = dies
        self.writes = 0

    @property
    def dead(self) -> bool:
        return self._dies and self.writes >= self._number

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._api, name)
        if name not in WRITES:
            return method

        async def write(resource: Any, *args: Any, **kwargs: Any) -> Any:
            if self.dead:
                raise errors.Fenced("this process is dead")
            answer = await method(resource, *args, **kwargs)
            if resource is EVENTS:
                return answer
            self.writes += 1
            if self.writes == self._number:
                raise (
                    errors.Fenced("dies here") if self._dies else errors.OutcomeUnknown("the answer was lost")
                )
            return answer

        return write


async def finish_the_job(world: World) -> None:
    job = await the_job(world)
    if job is not None:
        ended = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
        await world.api.patch(JOBS, "ns", job["metadata"]["name"], ended, subresource="status")


async def outcome(world: World) -> tuple[Any, ...]:
    """Return what must not depend on the crash."""
    status = AnalysisRunStatus.model_validate(await world.status())
    jobs = (await world.api.list(JOBS, "ns")).items
    counts = [(r.name, r.phase, r.count, r.error, len(r.measurements)) for r in status.metric_results]
    return status.phase, status.message, counts, len(jobs)


async def scenario(number: int, *, dies: bool) -> tuple[tuple[Any, ...], int]:
    """A query of three samples beside a Job; return the outcome and how many writes there were."""
    cluster, backend = await new_cluster(), Backend()
    backend.answers["m"] = [0.1]
    failing = Failing(cluster.api(), number, dies=dies)
    async with controlled(cluster, backend, api=failing) as world:
        await world.create(metrics=[JOB, query(count=3, interval="10s")])
        await asyncio.sleep(15)
        await finish_the_job(world)
        await asyncio.sleep(30)
    async with controlled(cluster, backend) as world:
        await asyncio.sleep(15)
        await finish_the_job(world)
        await asyncio.sleep(60)
        result = await outcome(world)
    await cluster.close()
    return result, failing.writes


EXPECTED = ("Successful", "", [("job", "Successful", 1, 0, 1), ("m", "Successful", 3, 0, 3)], 1)
LAST = 8


@virtual
async def test_without_a_failure_there_are_as_many_writes_as_states() -> None:
    result, writes = await scenario(10_000, dies=False)
    assert (result, writes) == (EXPECTED, LAST)


@pytest.mark.parametrize("dies", [True, False], ids=["dies", "answer-lost"])
@pytest.mark.parametrize("number", range(1, LAST + 1))
def test_the_end_is_the_same_whichever_write_goes_wrong(number: int, dies: bool) -> None:
    @virtual
    async def run() -> None:
        result, _ = await scenario(number, dies=dies)
        assert result == EXPECTED

    run()


@virtual
async def test_a_termination_that_comes_first_wins_over_a_stale_decision() -> None:
    cluster, backend = await new_cluster(), Backend()
    backend.answers["m"] = [5.0]
    backend.latency = 3
    async with controlled(cluster, backend) as world:
        await world.create(metrics=[query()])
        await asyncio.sleep(1)
        await world.api.patch(ANALYSIS_RUNS, "ns", "run", {"spec": {"terminate": True}})
        status = await world.after(10)
        assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")
    await cluster.close()
