"""Stories in YAML: played as they say, judged as they say, and refused when they say what nobody knows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from rollouts.cli.simulate import simulate_command
from rollouts.simulation.stories import Story, StoryError, play, read

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "scenarios"
ROLLOUT: dict[str, Any] = {
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "shop:v1"}]},
        },
        "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
    }
}
PROMOTED: dict[str, Any] = {
    "rollout": ROLLOUT,
    "user": [{"deploy": "v2"}, {"wait": {"phase": "Paused"}}, {"promote": True}],
    "expect": {"phase": "Healthy", "stable": "v2"},
}


def told(**changes: Any) -> Any:
    return play(Story.model_validate({**PROMOTED, **changes}))[0]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_ends_as_it_says(path: Path) -> None:
    story = read(path)
    calm = story.model_copy(update={"faults": None})
    assert [one.problems for one in play(calm)] == [()]
    if story.faults is not None:
        assert [one.problems for one in play(story, seed=1)] == [()]


def test_there_are_examples() -> None:
    assert len(list(EXAMPLES.glob("*.yaml"))) >= 3


def test_another_end_than_the_expected_one_is_told() -> None:
    assert told(expect={"stable": "v1"}).problems == ("expect.stable: v2, wanted v1",)
    assert told(expect={"runs": 1}).problems == ("expect.runs: 0 AnalysisRuns were created, wanted 1",)


def test_what_never_happens_is_told_with_the_state() -> None:
    (problem,) = told(expect={"phase": "Degraded"}).problems
    assert problem.startswith("waited for phase Degraded; status {'phase': 'Healthy'")


@pytest.mark.parametrize(
    ("deeds", "phase", "stable"),
    [
        ([{"deploy": "v2"}, {"wait": {"step": 1}}, {"abort": True}], "Degraded", "v1"),
        ([{"deploy": "v2"}, {"wait": {"phase": "Paused"}}, {"promoteFull": True}], "Healthy", "v2"),
        ([{"pause": True}, {"wait": {"seconds": 5}}, {"pause": False}, {"scale": 5}], "Healthy", "v1"),
    ],
    ids=["abort", "promote full", "pause and scale"],
)
def test_deeds_do_what_they_are_called(deeds: list[Any], phase: str, stable: str) -> None:
    one = told(user=deeds, expect={"phase": phase, "stable": stable})
    assert (one.problems, one.phase, one.stable) == ((), phase, stable)


def test_the_same_seed_is_the_same_history() -> None:
    story = Story.model_validate({**PROMOTED, "faults": {"storm": 0.2, "seeds": 3}})
    first, again, other = play(story, 2)[0], play(story, 2)[0], play(story, 3)[0]
    assert first.trace == again.trace
    assert first.trace != other.trace


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expct": {}}, "expct: Extra inputs are not permitted"),
        ({"user": [{"deplay": "v2"}]}, "user.0.deplay: Extra inputs are not permitted"),
        ({"user": [{"deploy": "v2", "abort": True}]}, r"user\[0\]: say exactly one of deploy, wait"),
        ({"user": [{"wait": {}}]}, r"user\[0\].wait: say exactly one of phase, step, seconds"),
        ({"rollout": {"spec": {}}}, "rollout.spec.template"),
        ({"faults": {"storm": 2}}, "faults.storm"),
    ],
    ids=["unknown part", "unknown deed", "two deeds", "wait for nothing", "no template", "too stormy"],
)
def test_what_nobody_knows_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "story.yaml"
    path.write_text(yaml.safe_dump({**copy.deepcopy(PROMOTED), **change}))
    with pytest.raises(StoryError, match=words):
        read(path)


def test_the_command_says_what_failed_and_ends_with_one(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({**PROMOTED, "expect": {"stable": "v1"}}))
    done = CliRunner().invoke(simulate_command, [str(path)])
    assert done.exit_code == 1
    assert "FAILED  wrong, seed 1: Healthy, stable v2" in done.output
    assert "expect.stable: v2, wanted v1" in done.output
    missing = CliRunner().invoke(simulate_command, [str(tmp_path / "none.yaml")])
    assert (missing.exit_code, "cannot be read" in missing.output) == (1, True)


def test_help_shows_a_whole_story() -> None:
    text = CliRunner().invoke(simulate_command, ["--help"]).output
    for word in ("rollout:", "user:", "faults:", "expect:", "--seed"):
        assert word in text
