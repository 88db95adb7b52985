"""What the simulated ReplicaSet controller decides."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rollouts.embedded.workloads.replicasets import new_pod, plan

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def replicaset(replicas: int, **spec) -> dict:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    return {
        "metadata": {"name": "web-1", "namespace": "x", "uid": "rs", "generation": 4},
        "spec": {"replicas": replicas, "template": template, **spec},
    }


def pod(name: str, *, node="n", phase="Running", ready_for: float | None = 60, age=100, **metadata) -> dict:
    conditions = []
    if ready_for is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(ready_for)}]
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "labels": {"app": "web"},
            "creationTimestamp": stamp(age),
            **metadata,
        },
        "spec": {"nodeName": node},
        "status": {"phase": phase, "conditions": conditions},
    }


def test_missing_pods_are_created_and_finished_or_leaving_ones_do_not_count():
    pods = [pod("a"), pod("b", phase="Failed"), pod("c", deletionTimestamp=stamp(1))]
    decided = plan(replicaset(3), pods, NOW)
    assert (decided.create, len(decided.delete)) == (2, 0)
    assert decided.status["replicas"] == 1


def test_pods_are_deleted_from_the_least_useful_on():
    pods = [
        pod("old"),
        pod("cheap", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}),
        pod("young", ready_for=1, age=2),
        pod("unready", ready_for=None),
        pod("pending", phase="Pending", ready_for=None),
        pod("unbound", node="", phase="Pending", ready_for=None),
    ]
    names = [p["metadata"]["name"] for p in plan(replicaset(1), pods, NOW).delete]
    assert names == ["unbound", "pending", "unready", "cheap", "young"]


def test_a_ready_pod_is_available_only_after_min_ready_seconds_and_the_plan_says_when():
    decided = plan(replicaset(2, minReadySeconds=10), [pod("a", ready_for=30), pod("b", ready_for=4)], NOW)
    assert decided.status["readyReplicas"] == 2
    assert decided.status["availableReplicas"] == 1
    assert decided.recheck_at == NOW + timedelta(seconds=6)


def test_a_pod_that_lost_a_template_label_is_not_fully_labeled():
    stray = pod("b")
    stray["metadata"]["labels"] = {}
    assert plan(replicaset(2), [pod("a"), stray], NOW).status["fullyLabeledReplicas"] == 1


def test_a_replicaset_that_is_being_deleted_creates_nothing():
    going = replicaset(5)
    going["metadata"]["deletionTimestamp"] = stamp(1)
    assert plan(going, [], NOW).create == 0


def test_the_status_names_the_generation_that_was_observed():
    assert plan(replicaset(0), [], NOW).status["observedGeneration"] == 4


def test_a_new_pod_carries_the_template_and_its_owner():
    made = new_pod(replicaset(1))
    assert made["metadata"]["generateName"] == "web-1-"
    assert made["metadata"]["labels"] == {"app": "web"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "rs"


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
def test_create_and_delete_together_reach_the_wanted_number(wanted: int, running: int, finished: int):
    pods = [pod(f"r{i}") for i in range(running)] + [pod(f"f{i}", phase="Failed") for i in range(finished)]
    decided = plan(replicaset(wanted), pods, NOW)
    assert running + decided.create - len(decided.delete) == wanted
    assert not (decided.create and decided.delete)
