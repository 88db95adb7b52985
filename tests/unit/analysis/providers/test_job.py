"""The job provider against a cluster of plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from analysis.providers.errors import ConfigurationError, ProviderError
from analysis.providers.job import JobProvider, JobState, JobStatus
from analysis.providers.protocol import Decided, Ongoing, Question
from analysis.spec.status import Measurement
from tests.unit.analysis.providers.backend import NOW, question


@dataclass
class Cluster:
    """Jobs by name."""

    jobs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    state: JobStatus = field(default_factory=lambda: JobStatus(JobState.RUNNING))

    async def create(self, namespace: str, manifest: Mapping[str, Any], owner_uid: str) -> None:
        self.jobs[manifest["metadata"]["name"]] = manifest

    async def status(self, namespace: str, name: str) -> JobStatus:
        return self.state

    async def delete(self, namespace: str, name: str) -> None:
        self.jobs.pop(name, None)


def asked(**fields: Any) -> Question:
    job = {"metadata": {"labels": {"team": "a"}}, "spec": {"template": {"spec": {}}}}
    return replace(
        question(job=job), run_uid="uid-1", run_name="run", run_namespace="ns", sequence=2, **fields
    )


def running(started: int = 0) -> Measurement:
    return Measurement(phase="Running", started_at="2026-01-01T00:00:00Z", metadata={"job-name": "j"})


async def test_a_job_is_created_with_upstreams_name_and_marks() -> None:
    cluster = Cluster()
    answer = await JobProvider(cluster).measure(asked())
    assert isinstance(answer, Ongoing)
    assert answer.metadata == {"job-name": "uid-1.m.3", "job-namespace": "ns"}
    assert cluster.jobs["uid-1.m.3"]["metadata"] == {
        "name": "uid-1.m.3",
        "namespace": "ns",
        "labels": {"team": "a", "analysisrun.argoproj.io/uid": "uid-1"},
        "annotations": {
            "analysisrun.argoproj.io/name": "run",
            "analysisrun.argoproj.io/namespace": "ns",
            "analysisrun.argoproj.io/metric-name": "m",
        },
    }


async def test_a_long_name_is_cut_and_stays_different_for_each_measurement() -> None:
    cluster = Cluster()
    for sequence in (0, 1):
        await JobProvider(cluster).measure(replace(asked(), run_uid="u" * 70, sequence=sequence))
    assert sorted(len(name) for name in cluster.jobs) == [63, 63]


@pytest.mark.parametrize(
    ("state", "phase"),
    [(JobState.COMPLETE, "Successful"), (JobState.FAILED, "Failed"), (JobState.STUCK, "Inconclusive")],
)
async def test_the_job_decides_the_phase(state: JobState, phase: str) -> None:
    cluster = Cluster(state=JobStatus(state, "why"))
    answer = await JobProvider(cluster).resume(asked(), running())
    assert isinstance(answer, Decided)
    assert answer.phase == phase


@pytest.mark.parametrize(("elapsed", "delay"), [(0, 5), (200, 20), (20000, 200)])
async def test_a_running_job_is_looked_at_ever_more_rarely(elapsed: int, delay: int) -> None:
    now = NOW + timedelta(seconds=elapsed)
    answer = await JobProvider(Cluster()).resume(replace(asked(), now=now), running())
    assert isinstance(answer, Ongoing)
    assert answer.resume_at == now + timedelta(seconds=delay)


async def test_a_job_that_is_gone_is_an_error() -> None:
    with pytest.raises(ProviderError, match="job ns/j is gone"):
        await JobProvider(Cluster(state=JobStatus(JobState.MISSING))).resume(asked(), running())


async def test_terminating_deletes_the_job_which_has_said_nothing() -> None:
    cluster = Cluster(jobs={"j": {}})
    answer = await JobProvider(cluster).terminate(asked(), running())
    assert isinstance(answer, Decided)
    assert (answer.phase, answer.message) == (
        "Inconclusive",
        "job ns/j was terminated before it was complete",
    )
    assert cluster.jobs == {}


async def test_a_job_needs_a_cluster() -> None:
    with pytest.raises(ConfigurationError, match="needs a cluster"):
        await JobProvider(Cluster()).measure(question(job={"spec": {"a": 1}}))
