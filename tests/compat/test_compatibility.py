"""The page about compatibility says something of every field, and what it says has a test."""

from __future__ import annotations

import pytest

from rollouts.api.argoproj.rollout import Pause, RolloutSpec
from tests.compat import compatibility
from tests.compat.verdicts import Table, inapplicable, works


def test_every_field_has_a_verdict() -> None:
    assert compatibility.unanswered() == []


def test_no_line_is_about_a_field_that_does_not_exist() -> None:
    assert compatibility.unknown() == []


def test_every_test_that_is_named_exists_and_speaks_of_the_field() -> None:
    assert compatibility.unproven() == []


def test_the_page_is_up_to_date() -> None:
    written = compatibility.PAGE.read_text()
    assert written == compatibility.page(), "run `python -m tests.compat.compatibility --write`"


def test_a_field_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = dict(compatibility.TABLE.rows)
    del rows[Pause]
    monkeypatch.setattr(compatibility, "TABLE", Table(rows))
    assert compatibility.unanswered() == ["spec.strategy.canary.steps[].pause.duration (Pause)"]


@pytest.mark.parametrize(
    ("row", "doubt"),
    [
        (works(), "no test is named"),
        (works("nowhere.py::test_x"), "there is no test nowhere.py::test_x"),
        (works("compat/test_crds.py::test_x"), "there is no test compat/test_crds.py::test_x"),
        (
            works("unit/api/test_scalars.py::test_durations_are_written_as_go_does"),
            "none of unit/api/test_scalars.py::test_durations_are_written_as_go_does speaks of it",
        ),
    ],
    ids=["no test", "no file", "no such test", "a test of something else"],
)
def test_a_line_without_proof_is_found(monkeypatch: pytest.MonkeyPatch, row: object, doubt: str) -> None:
    table = Table({**compatibility.TABLE.rows, RolloutSpec: {"restartAt": row, "*": inapplicable("")}})  # type: ignore[dict-item]
    monkeypatch.setattr(compatibility, "TABLE", table)
    assert f"spec.restartAt: {doubt}" in compatibility.unproven()
