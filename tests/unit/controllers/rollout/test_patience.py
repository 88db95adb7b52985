"""Counts may wait and travel together; what anybody waits for may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollouts.controllers.rollout.patience import LONGEST, QUIET, Patience, only_counts, would_be_missed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def condition(kind: str, status: str = "True", reason: str = "R", updated: str = "t0") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": "m", "lastUpdateTime": updated}


BEFORE: dict[str, Any] = {
    "phase": "Progressing",
    "replicas": 4,
    "conditions": [condition("Available"), condition("Progressing")],
    "canary": {"weights": {"canary": {"weight": 20, "podTemplateHash": "a"}}},
}


@pytest.mark.parametrize(
    "patch",
    [
        {"replicas": 5, "updatedReplicas": 1},
        {"message": "more replicas need to be updated", "readyReplicas": None},
        {"conditions": [condition("Progressing", updated="t1"), condition("Available", "False")]},
        {"canary": {"weights": {"canary": {"podTemplateHash": "b"}}}},
    ],
    ids=["counts", "words about counts", "clock of the progress", "name of a version"],
)
def test_counts_and_what_follows_from_them_may_wait(patch: dict[str, Any]) -> None:
    assert only_counts(BEFORE, patch)


@pytest.mark.parametrize(
    "patch",
    [
        {"replicas": 5, "phase": "Paused"},
        {"currentStepIndex": 2},
        {"observedGeneration": "3"},
        {"abort": True},
        {"conditions": [condition("Available"), condition("Progressing", "False", "RolloutAborted")]},
        {"conditions": [condition("Available")]},
        {"conditions": None},
        {"canary": {"weights": {"canary": {"weight": 40}}}},
        {"canary": {"weights": {"verified": True}}},
        {"canary": {"weights": None}},
        {"canary": {"weights": {"canary": {"podTemplateHash": None}}}},
        {"canary": {"currentStepAnalysisRunStatus": {"name": "x"}}},
    ],
    ids=str,
)
def test_what_somebody_waits_for_is_written_at_once(patch: dict[str, Any]) -> None:
    assert not only_counts(BEFORE, patch)


def test_counts_wait_for_a_bounded_time_however_often_they_change() -> None:
    patience = Patience()
    due = patience.until("uid", BEFORE, {"replicas": 5}, NOW)
    assert due == NOW + LONGEST
    assert patience.until("uid", BEFORE, {"replicas": 6}, NOW + timedelta(seconds=1)) == due
    assert patience.until("uid", BEFORE, {"replicas": 7}, due) is None
    assert patience.until("uid", BEFORE, {"replicas": 8}, due) == due + LONGEST


def test_counts_that_people_would_miss_are_written_once_they_stand_still() -> None:
    patience = Patience()
    late = NOW + QUIET / 2
    assert patience.until("uid", BEFORE, {"replicas": 5}, NOW, missed=True) == NOW + QUIET
    assert patience.until("uid", BEFORE, {"replicas": 6}, late, missed=True) == late + QUIET
    assert patience.until("uid", BEFORE, {"replicas": 6}, NOW + QUIET, missed=True) == late + QUIET
    assert patience.until("uid", BEFORE, {"replicas": 6}, late + QUIET, missed=True) is None


def test_counts_that_never_stand_still_wait_no_longer_than_the_others() -> None:
    patience = Patience()
    moments = [NOW + QUIET / 2 * n for n in range(17)]
    due = [patience.until("uid", BEFORE, {"replicas": n}, at, missed=True) for n, at in enumerate(moments)]
    assert due.index(None) == 16
    assert moments[16] == NOW + LONGEST


@pytest.mark.parametrize(
    ("status", "missed"),
    [
        ({"phase": "Progressing", "availableReplicas": 4}, False),
        ({"phase": "Paused", "availableReplicas": 5}, False),
        ({"phase": "Progressing", "availableReplicas": 3}, True),
        ({"phase": "Paused"}, True),
        ({"phase": "Healthy", "availableReplicas": 4}, True),
        ({"phase": "Degraded", "availableReplicas": 4}, True),
    ],
    ids=str,
)
def test_people_miss_pods_that_are_not_there_and_what_moves_alone(
    status: dict[str, Any], missed: bool
) -> None:
    assert would_be_missed(status, 4) is missed


def test_a_write_that_must_not_wait_takes_the_counts_along() -> None:
    patience = Patience()
    patience.until("uid", BEFORE, {"replicas": 5}, NOW)
    assert patience.until("uid", BEFORE, {"replicas": 5, "phase": "Paused"}, NOW) is None
    later = NOW + timedelta(seconds=9)
    assert patience.until("uid", BEFORE, {"replicas": 6}, later) == later + LONGEST


def test_nothing_to_write_needs_no_patience() -> None:
    assert Patience().until("uid", BEFORE, {}, NOW) is None
