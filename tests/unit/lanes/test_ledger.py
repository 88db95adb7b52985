"""The account of lanes: what the table shows and when a CI run is incomplete."""

from collections import Counter

import pytest

from tests.lanes.ledger import Account, problems, skip_reason, table
from tests.lanes.registry import Lane, UnknownLane, lane_named, lane_of_folder

REAL = Lane("real", "the real thing", lambda: "not built", "make lanes")
UNIT = Lane("unit", "plain values", lambda: "")
LACKING = skip_reason(REAL, "not built")


def test_a_missing_lane_says_how_to_get_it() -> None:
    assert skip_reason(REAL, "not built") == "lane real: not built; to get it: make lanes"


@pytest.mark.parametrize(
    ("account", "whole", "expected"),
    [
        pytest.param(Account(passed=3), True, [], id="run"),
        pytest.param(
            Account(passed=3, skipped=Counter({"needs a terminal": 1})), True, [], id="one-own-skip"
        ),
        pytest.param(Account(failed=1), True, [], id="failures-are-pytest's-own-matter"),
        pytest.param(
            Account(passed=3, skipped=Counter({LACKING: 2})),
            False,
            [f"real: skipped: {LACKING}"],
            id="part-missing",
        ),
        pytest.param(
            Account(skipped=Counter({"absent": 2})),
            False,
            ["real: every test skipped: absent"],
            id="all-skipped",
        ),
        pytest.param(Account(), True, ["real: no test was collected"], id="empty-in-a-whole-run"),
        pytest.param(Account(), False, [], id="empty-in-a-selection"),
    ],
)
def test_an_incomplete_run_is_told_from_a_complete_one(
    account: Account, whole: bool, expected: list[str]
) -> None:
    assert problems({"real": account}, [REAL], whole_run=whole) == expected


def test_the_table_names_each_lane_once_and_each_reason_under_it() -> None:
    accounts = {"unit": Account(passed=12, seconds=1.5), "real": Account(skipped=Counter({LACKING: 4}))}
    lines = table(accounts, [UNIT, REAL], whole_run=True)
    assert [line.split()[:2] for line in lines] == [["run", "unit"], ["SKIPPED", "real"], ["4", "x"]]
    assert "12 ok" in lines[0]
    assert LACKING in lines[2]


def test_a_lane_without_tests_shows_only_in_a_whole_run() -> None:
    assert table({}, [UNIT], whole_run=False) == []
    assert table({}, [UNIT], whole_run=True)[0].startswith("NO TESTS")


@pytest.mark.parametrize(
    ("folder", "parameters", "expected"),
    [
        ("contract", "real", "contract-real"),
        ("contract", "merge-real", "contract-real"),
        ("contract", "embedded-unreal", "contract-embedded"),
        ("cluster", "", "real-cluster"),
        ("architecture", "", "unit"),
    ],
)
def test_the_folder_names_the_lane(folder: str, parameters: str, expected: str) -> None:
    assert lane_of_folder(folder, parameters) == expected


def test_a_marker_with_an_unknown_lane_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownLane, match="known: unit, simulation"):
        lane_named("moon")
