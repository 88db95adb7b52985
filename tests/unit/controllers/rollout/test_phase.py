"""Phase and message, row by row in the order in which they are looked at."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.argoproj.rollout import RolloutSpec
from rollouts.controllers.rollout.decide.phase import phase_of
from tests.unit.controllers.rollout.world import START

CANARY: dict[str, Any] = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}
ROUTED: dict[str, Any] = {"canary": {"trafficRouting": {"plugins": {"x/y": {}}}}}
BLUE_GREEN: dict[str, Any] = {"blueGreen": {"activeService": "active"}}
JUDGED: dict[str, Any] = {"blueGreen": {"activeService": "active", "postPromotionAnalysis": {}}}
FULL = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}
STABLE = {**FULL, "currentPodHash": "new", "stableRS": "new"}
UPDATING = {**FULL, "currentPodHash": "new", "stableRS": "old"}
BEFORE = "2026-01-01T11:59:00Z"
HEALTHY = ("Healthy", "")


def progressing(message: str) -> tuple[str, str]:
    return "Progressing", message


def because(reason: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Progressing", "reason": reason, "message": "why"}]}


def invalid(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "InvalidSpec", "message": message}]}


def active(pod_hash: str, **run: str) -> dict[str, Any]:
    return {"blueGreen": {"activeSelector": pod_hash, "postPromotionAnalysisRunStatus": run}}


@pytest.mark.parametrize(
    ("strategy", "spec", "status", "told"),
    [
        (CANARY, {"paused": True}, invalid("x"), ("Degraded", "InvalidSpec: x")),
        (CANARY, {"paused": True}, because("RolloutAborted"), ("Degraded", "RolloutAborted: why")),
        (CANARY, {}, because("ProgressDeadlineExceeded"), ("Degraded", "ProgressDeadlineExceeded: why")),
        (CANARY, {"paused": True}, {"pauseConditions": [{"reason": "x"}]}, ("Paused", "manually paused")),
        (CANARY, {}, {"pauseConditions": [{"reason": "CanaryPauseStep"}]}, ("Paused", "CanaryPauseStep")),
        (CANARY, {"restartAt": BEFORE}, STABLE, progressing("rollout is restarting")),
        (CANARY, {"restartAt": BEFORE}, {**STABLE, "restartedAt": BEFORE}, HEALTHY),
        (CANARY, {"restartAt": "2026-01-01T12:01:00Z"}, STABLE, HEALTHY),
        (CANARY, {}, {**STABLE, "updatedReplicas": 2}, progressing("more replicas need to be updated")),
        (
            CANARY, {}, {**STABLE, "availableReplicas": 2},
            progressing("updated replicas are still becoming available"),
        ),
        (BLUE_GREEN, {}, {**UPDATING, **active("old")}, progressing("active service cutover pending")),
        (JUDGED, {}, {**UPDATING, **active("new")}, progressing("waiting for analysis to complete")),
        (
            JUDGED, {}, {**UPDATING, **active("new", status="Running")},
            progressing("waiting for analysis to complete"),
        ),
        (
            JUDGED, {}, {**UPDATING, **active("new", status="Successful")},
            progressing("waiting for post-promotion verification to complete"),
        ),
        (
            BLUE_GREEN, {}, {**UPDATING, **active("new")},
            progressing("waiting for post-promotion verification to complete"),
        ),
        (BLUE_GREEN, {}, {**STABLE, **active("new"), "replicas": 6}, HEALTHY),
        (CANARY, {}, {**STABLE, "replicas": 4}, progressing("old replicas are pending termination")),
        (ROUTED, {}, {**STABLE, "replicas": 4}, HEALTHY),
        (CANARY, {}, UPDATING, progressing("waiting for all steps to complete")),
        (CANARY, {}, {**FULL, "currentPodHash": "new"}, progressing("waiting for all steps to complete")),
        (CANARY, {}, STABLE, HEALTHY),
    ],
)  # fmt: skip
def test_the_first_that_holds_is_told(
    strategy: dict[str, Any], spec: dict[str, Any], status: dict[str, Any], told: tuple[str, str]
) -> None:
    parsed = RolloutSpec.model_validate({"replicas": 3, "strategy": strategy, **spec})
    assert phase_of(parsed, status, START) == told


def test_a_new_rollout_without_counts_wants_one_pod() -> None:
    spec = RolloutSpec.model_validate({"strategy": CANARY})
    assert phase_of(spec, {"stableRS": "a", "currentPodHash": "a"}, START) == progressing(
        "more replicas need to be updated"
    )
