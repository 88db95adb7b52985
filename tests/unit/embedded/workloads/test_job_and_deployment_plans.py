"""What the simulated Job and Deployment controllers decide."""

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.embedded.workloads import deployments, jobs

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(**spec) -> dict:
    return {"metadata": {"name": "j", "uid": "j"}, "spec": {"template": {}, **spec}}


def pod(phase: str, ended_ago: float = 1000) -> dict:
    finished = (NOW - timedelta(seconds=ended_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    state = {"terminated": {"finishedAt": finished}} if phase == "Failed" else {}
    return {"metadata": {"name": phase}, "status": {"phase": phase, "containerStatuses": [{"state": state}]}}


def finished(decided: jobs.JobPlan) -> str:
    return next((c["type"] for c in decided.status.get("conditions", ())), "")


def test_a_new_job_creates_its_pods_up_to_the_parallelism():
    assert jobs.plan(job(completions=5, parallelism=2), [], NOW).create == 2


def test_a_job_is_complete_when_enough_pods_succeeded():
    decided = jobs.plan(job(), [pod("Succeeded")], NOW)
    assert (finished(decided), decided.status["succeeded"], decided.create) == ("Complete", 1, 0)


def test_a_job_fails_when_more_pods_failed_than_the_limit_allows():
    decided = jobs.plan(job(backoffLimit=1), [pod("Failed"), pod("Failed")], NOW)
    assert finished(decided) == "Failed"
    assert decided.status["conditions"][0]["reason"] == "BackoffLimitExceeded"


def test_a_failed_pod_is_replaced_only_after_the_back_off():
    early = jobs.plan(job(), [pod("Failed", ended_ago=4)], NOW)
    assert (early.create, early.recheck_at) == (0, NOW + timedelta(seconds=6))
    assert jobs.plan(job(), [pod("Failed", ended_ago=11)], NOW).create == 1


def test_a_job_past_its_deadline_fails_and_its_pods_go():
    late = job(activeDeadlineSeconds=5)
    late["status"] = {"startTime": (NOW - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    decided = jobs.plan(late, [pod("Running")], NOW)
    assert finished(decided) == "Failed"
    assert len(decided.delete) == 1


def test_a_suspended_job_has_no_pods():
    decided = jobs.plan(job(suspend=True), [pod("Running")], NOW)
    assert (decided.create, len(decided.delete)) == (0, 1)


def deployment(replicas: int, image: str = "web:1", **spec) -> dict:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": image}]}}
    return {
        "metadata": {"name": "web", "namespace": "x", "uid": "d"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            **spec,
        },
    }


def replicaset(of: dict, replicas: int, available: int) -> dict:
    hash_ = deployments.template_hash(of["spec"]["template"])
    return {
        "metadata": {"name": f"web-{hash_}", "labels": {"pod-template-hash": hash_}},
        "spec": {"replicas": replicas},
        "status": {"replicas": replicas, "availableReplicas": available, "readyReplicas": available},
    }


def sizes(decided: deployments.DeploymentPlan) -> list[int]:
    return [scale.replicas for scale in decided.scales]


def test_a_first_replicaset_has_full_size_and_selects_its_own_pods():
    created = deployments.plan(deployment(3), []).create
    assert created is not None
    assert created["spec"]["replicas"] == 3
    assert set(created["spec"]["selector"]["matchLabels"]) == {"app", "pod-template-hash"}


def test_a_rolling_update_never_exceeds_surge_and_never_drops_below_the_minimum():
    old, new = deployment(4), deployment(4, "web:2")
    first = deployments.plan(new, [replicaset(new, 0, 0), replicaset(old, 4, 4)])
    assert sizes(first) == [1, 3]  # surge 1, unavailable 1
    waiting = deployments.plan(new, [replicaset(new, 1, 0), replicaset(old, 3, 3)])
    assert sizes(waiting) == [2]  # one place freed by the old one; nothing spare to take away
    last = deployments.plan(new, [replicaset(new, 4, 4), replicaset(old, 1, 1)])
    assert sizes(last) == [0]


def test_recreate_waits_until_the_old_pods_are_gone():
    old, new = deployment(2), deployment(2, "web:2", strategy={"type": "Recreate"})
    assert sizes(deployments.plan(new, [replicaset(new, 0, 0), replicaset(old, 2, 2)])) == [0]
    assert sizes(deployments.plan(new, [replicaset(new, 0, 0), replicaset(old, 0, 0)])) == [2]


@pytest.mark.parametrize(
    ("value", "up", "expected"), [(2, True, 2), ("25%", True, 2), ("25%", False, 1), ("0%", True, 0)]
)
def test_percentages_round_up_for_surge_and_down_for_unavailable(value, up, expected):
    assert deployments.share(value, 5, up=up) == expected
