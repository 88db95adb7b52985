"""``analysis replay`` and ``analysis plan`` as a person runs them."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from analysis.cli import main
from analysis.providers.canary.replay import RECORD_KEY
from tests.unit.analysis.providers.canary.fleet import FakeBackend, configured, play, spec_of
from tests.unit.analysis.providers.canary.test_provider import fleet


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def saved() -> dict[str, object]:
    played = play(FakeBackend(fleet(10)), spec_of(configured(duration="5m")))
    return {"kind": "AnalysisRun", "status": played.status.manifest()}


def test_a_saved_run_is_computed_again(saved: dict[str, object], tmp_path: Path) -> None:
    for name, text in (("run.yaml", yaml.safe_dump(saved)), ("run.json", json.dumps(saved))):
        (tmp_path / name).write_text(text)
        code, output = invoke("replay", str(tmp_path / name))
        assert code == 0, output
        measurement = saved["status"]["metricResults"][0]["measurements"][-1]  # type: ignore[index]
        assert (
            f"errors at {1800000000 + 26}: abort, ln e {measurement['metadata']['logE']} (level 12)" in output
        )
        assert "errors: fail: the canary is worse than stable" in output
        assert "ticks computed again, equal" in output


def test_every_tick_can_be_shown(saved: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(saved))
    assert invoke("replay", "--all", str(tmp_path / "run.yaml"))[1].count("ln e") == 4


def test_a_run_whose_counts_were_changed_is_found_out(saved: dict[str, object], tmp_path: Path) -> None:
    changed = json.loads(json.dumps(saved))
    metadata = changed["status"]["metricResults"][0]["metadata"]
    before, found, after = metadata[RECORD_KEY].rpartition("[[[16,")
    metadata[RECORD_KEY] = f"{before}{found}9{after}"
    (tmp_path / "run.json").write_text(json.dumps(changed))
    code, output = invoke("replay", str(tmp_path / "run.json"))
    assert (code, "DIFFERENT" in output) == (1, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not YAML or JSON"), ("kind: AnalysisRun", "no metric with a record")],
    ids=["no-yaml", "no-record"],
)
def test_a_file_without_a_record_says_so(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text(text)
    code, output = invoke("replay", str(tmp_path / "f"))
    assert (code, message in output) == (2, True)


PLAN = ("plan", "--rps", "100", "--weight", "5", "--base", "0.2", "--runs", "20")


def test_a_plan_is_a_table_or_json() -> None:
    code, output = invoke(*PLAN, "--step", "2m")
    assert code == 0
    assert output.startswith("2m0s at 100 requests/s, weight 0.05, usual bad share 0.002, 2 canary pods")
    assert "10x" in output
    assert "note: " in output
    code, output = invoke(*PLAN, "--step", "2m", "-o", "json")
    assert json.loads(output)["detections"][0]["ratio"] == 1.5


def test_an_impossible_plan_names_the_field() -> None:
    code, output = invoke(*PLAN, "--step", "1s")
    assert (code, output) == (2, "error: seconds is 1.0, which no step can have\n")
