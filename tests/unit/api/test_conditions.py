from __future__ import annotations

from rollouts.api.conditions import (
    condition_is,
    get_condition,
    new_condition,
    remove_condition,
    set_condition,
)

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"


def test_a_new_condition_is_appended() -> None:
    paused = new_condition("Paused", "True", "RolloutPaused", "paused", EARLY)
    available = new_condition("Available", "True", "AvailableReason", "ok", EARLY)
    assert set_condition([paused], available) == [paused, available]
    assert set_condition(None, paused) == [paused]


def test_same_status_and_reason_is_not_rewritten_even_when_the_message_differs() -> None:
    old = new_condition("Available", "True", "AvailableReason", "one", EARLY)
    new = new_condition("Available", "True", "AvailableReason", "two", LATE)
    assert set_condition([old], new) == [old]


def test_progress_refreshes_the_update_time_but_not_the_transition_time() -> None:
    old = new_condition("Progressing", "True", "ReplicaSetUpdated", "1 of 2", EARLY)
    new = new_condition("Progressing", "True", "ReplicaSetUpdated", "2 of 2", LATE)
    (written,) = set_condition([old], new, refresh=True)
    assert written == {**new, "lastTransitionTime": EARLY}
    assert written["lastUpdateTime"] == LATE


def test_another_reason_keeps_the_transition_time() -> None:
    old = new_condition("Progressing", "True", "NewReplicaSetCreated", "", EARLY)
    new = new_condition("Progressing", "True", "ReplicaSetUpdated", "", LATE)
    assert set_condition([old], new) == [{**new, "lastTransitionTime": EARLY}]


def test_another_status_moves_the_transition_time_and_the_condition_to_the_end() -> None:
    old = new_condition("Progressing", "True", "ReplicaSetUpdated", "", EARLY)
    other = new_condition("Available", "True", "AvailableReason", "", EARLY)
    new = new_condition("Progressing", "False", "RolloutAborted", "", LATE)
    assert set_condition([old, other], new) == [other, new]


def test_the_given_list_is_not_changed() -> None:
    old = [new_condition("Healthy", "True", "RolloutHealthy", "", EARLY)]
    set_condition(old, new_condition("Healthy", "False", "RolloutHealthy", "", LATE))
    remove_condition(old, "Healthy")
    assert old == [new_condition("Healthy", "True", "RolloutHealthy", "", EARLY)]


def test_conditions_are_found_by_type_status_and_reason() -> None:
    conditions = [new_condition("Progressing", "False", "RolloutAborted", "", EARLY)]
    assert get_condition(conditions, "Progressing") == conditions[0]
    assert get_condition(conditions, "Paused") is None
    assert get_condition(None, "Paused") is None
    assert condition_is(conditions, "Progressing", "False")
    assert condition_is(conditions, "Progressing", "False", "RolloutAborted")
    assert not condition_is(conditions, "Progressing", "False", "ProgressDeadlineExceeded")
    assert not condition_is(conditions, "Paused", "True")


def test_removing_leaves_the_others() -> None:
    one, two = (
        new_condition("Paused", "True", "RolloutPaused", "", EARLY),
        new_condition("Healthy", "True", "RolloutHealthy", "", EARLY),
    )
    assert remove_condition([one, two], "Paused") == [two]
