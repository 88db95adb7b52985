"""``analysis aa`` over the history of a real Prometheus, as a person runs it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from analysis.cli import main
from tests.unit.analysis.providers.canary.fleet import STABLE, START, FakeBackend, configured, pods
from tests.unit.analysis.providers.canary.test_real_counts import (
    BEFORE,
    PHASE,
    QUERIES,
    openmetrics,
    server_in,
)

pytestmark = pytest.mark.lane("prometheus")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = server_in(tmp_path_factory.mktemp("aa"))
    server.backfill("\n".join(openmetrics(FakeBackend(pods(STABLE, 6)))) + "\n")
    server.start()
    yield server.url
    server.stop()


def invoke(folder: Path, address: str, *words: str, **fields: object) -> Result:
    plugin = configured(stable="{{args.stable}}", canary="aa", address=address, **QUERIES["errors"], **fields)
    metric = {"name": "errors", "provider": {"plugin": {"rollouts.dev/canary": plugin}}}
    spec = {"args": [{"name": "stable"}], "metrics": [metric]}
    file = folder / "template.yaml"
    file.write_text(yaml.safe_dump({"kind": "AnalysisTemplate", "metadata": {"name": "aa"}, "spec": spec}))
    start, end = (
        datetime.fromtimestamp(moment, UTC).isoformat() for moment in (START + PHASE - BEFORE, START + 720)
    )
    given = ["-f", str(file), "--arg", f"stable={STABLE}", "--from", start, "--to", end, "--release", "5m"]
    return CliRunner().invoke(main, ["aa", *given, *words])


def test_the_false_alarm_rate_is_told(address: str, tmp_path: Path) -> None:
    result = invoke(tmp_path, address)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith(
        "errors: 4 sham releases of 5 min: abort 0.00% [0.00%, 48.99%], suspect"
    )


def test_the_same_seed_gives_the_same_answer(address: str, tmp_path: Path) -> None:
    found = [json.loads(invoke(tmp_path, address, "-o", "json").stdout) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0][0]["falseAlarms"]["count"] == 0
    assert found[0][0]["releases"] == 4


def test_what_cannot_be_asked_is_named(address: str, tmp_path: Path) -> None:
    wrong = invoke(tmp_path, address, "--from", "2027-02-01T00:00Z")
    assert (wrong.exit_code, "the history is empty" in wrong.stderr) == (2, True)
    none = tmp_path / "none.yaml"
    metric = {"name": "m", "provider": {"prometheus": {"query": "up"}}}
    none.write_text(yaml.safe_dump({"kind": "AnalysisTemplate", "spec": {"metrics": [metric]}}))
    plain = CliRunner().invoke(main, ["aa", "-f", str(none)])
    assert (plain.exit_code, "no metric with the plugin" in plain.stderr) == (2, True)
