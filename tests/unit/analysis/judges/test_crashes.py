"""Crash loops and lost readiness: a bad version, a sick pod or node, a shared incident, or nothing yet."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.judges.crashes import CrashFinding, PodFacts, Trouble, judge_pods
from analysis.judges.profiles import Call
from analysis.spec.guidance import NO_GUIDANCE


def well(name: str, node: str = "") -> PodFacts:
    return PodFacts(name, ready=True, was_ready=True, node=node)


def crashing(name: str, node: str = "") -> PodFacts:
    waiting = "CrashLoopBackOff"
    return PodFacts(name, ready=False, was_ready=False, restarts=4, waiting=waiting, node=node)


def unready(name: str, seconds: float = 40.0) -> PodFacts:
    return PodFacts(name, ready=False, was_ready=True, unready_seconds=seconds)


STABLE = [well(f"s{i}") for i in range(5)]


@pytest.mark.parametrize(
    ("pod", "trouble"),
    [
        (well("a"), None),
        (crashing("a"), Trouble.CRASH_LOOP),
        (replace(well("a"), restarts=1), None),
        (replace(well("a"), restarts=2), Trouble.RESTARTS),
        (unready("a"), Trouble.LOST_READINESS),
        (unready("a", 29.0), None),
        (replace(unready("a"), was_ready=False), None),
        (PodFacts("a", ready=False, was_ready=False, waiting="ImagePullBackOff"), Trouble.UNSTARTED),
        (PodFacts("a", ready=False, was_ready=False, waiting="ContainerCreating"), None),
    ],
    ids=["well", "loop", "once", "twice", "unready", "a-moment", "starting", "no-image", "creating"],
)
def test_what_is_wrong_with_a_pod(pod: PodFacts, trouble: Trouble | None) -> None:
    assert pod.trouble() is trouble


def test_several_canary_pods_in_trouble_are_the_version_s_doing() -> None:
    found = judge_pods([crashing("a"), unready("b"), well("c")], STABLE)
    assert (found.call, found.pods) == (Call.ABORT, ("a", "b"))
    assert found.reason == (
        "2 of 3 canary pods are in trouble, 0 of 5 stable ones (a: crash loop (CrashLoopBackOff), b: lost"
        " readiness 40 s ago)"
    )


def test_one_pod_is_a_suspicion_and_is_replaced() -> None:
    found = judge_pods([crashing("a"), well("b")], STABLE)
    assert (found.call, found.lone) == (Call.SUSPECT, False)
    asked = found.guidance()
    assert (asked.hold, asked.no_traffic, asked.replace) == (True, False, ("a",))


def test_a_lone_pod_loses_its_traffic_and_its_successor_decides() -> None:
    first = judge_pods([crashing("a")], STABLE)
    assert (first.call, first.guidance().no_traffic) == (Call.SUSPECT, True)
    assert judge_pods([well("b")], STABLE, successors=1).call is Call.CONTINUE
    assert judge_pods([crashing("b")], STABLE, successors=1).call is Call.ABORT


def test_trouble_that_stable_shares_is_an_incident() -> None:
    incident = [unready("s1"), unready("s2"), *STABLE[2:]]
    found = judge_pods([unready("a"), unready("b"), well("c")], incident)
    assert (found.call, found.shared) == (Call.FREEZE, True)
    assert "2 of 3 canary pods and 2 of 5 stable ones" in found.reason
    assert not found.guidance().replace


def test_one_node_that_is_sick_is_a_suspicion() -> None:
    canary = [crashing("a", "n1"), crashing("b", "n1"), well("c", "n2")]
    found = judge_pods(canary, STABLE)
    assert (found.call, "of one node only" in found.reason) == (Call.SUSPECT, True)
    assert judge_pods([*canary[:2], crashing("c", "n2")], STABLE).call is Call.ABORT
    assert judge_pods(canary[:2], STABLE).call is Call.ABORT, "no canary pod elsewhere that is well"


def test_pods_that_cannot_start_hold_the_canary_and_abort_nothing() -> None:
    """A registry that is away looks the same, and no user has met such a pod."""
    missing = PodFacts("a", ready=False, was_ready=False, waiting="ErrImagePull")
    found = judge_pods([missing, replace(missing, name="b")], STABLE)
    assert (found.call, found.guidance().replace) == (Call.FREEZE, ())
    assert judge_pods([missing, crashing("b")], STABLE).pods == ("b",)


def test_no_trouble_asks_for_nothing() -> None:
    assert judge_pods([well("a")], STABLE).guidance() == NO_GUIDANCE
    assert judge_pods([], STABLE).call is Call.CONTINUE
    assert judge_pods([crashing("a"), crashing("b")], []).call is Call.ABORT


POD = st.builds(
    PodFacts,
    st.text("abcdef", min_size=3, max_size=8),
    st.booleans(),
    st.booleans(),
    st.integers(0, 5),
    st.sampled_from([0.0, 10.0, 60.0]),
    st.sampled_from(["", "CrashLoopBackOff", "ErrImagePull", "ContainerCreating"]),
    st.sampled_from(["", "n1", "n2"]),
)
ORDER = [Call.CONTINUE, Call.FREEZE, Call.SUSPECT, Call.ABORT]


@given(st.lists(POD, max_size=6, unique_by=lambda p: p.name), st.lists(POD, max_size=6))
def test_the_order_of_pods_does_not_matter_and_an_abort_needs_two_pods(
    canary: list[PodFacts], stable: list[PodFacts]
) -> None:
    found: CrashFinding = judge_pods(canary, stable)
    assert found == judge_pods(canary[::-1], stable[::-1])
    if found.call is Call.ABORT:
        assert len(found.pods) >= 2
    sick = [replace(pod, waiting="CrashLoopBackOff") for pod in stable]
    worse = judge_pods(canary, sick)
    assert ORDER.index(worse.call) <= max(ORDER.index(found.call), ORDER.index(Call.FREEZE))
