"""The demo as a newcomer runs it: one command, both outcomes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

_LIMIT_SECONDS = 90.0


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")
def test_a_good_commit_reaches_all_traffic_and_a_bad_one_goes_back(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "rollouts", "demo", "-o", "json"],
        capture_output=True,
        text=True,
        timeout=2 * _LIMIT_SECONDS,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.stdout, done.stderr
    summary = orjson.loads(done.stdout)
    unmet = [check for outcome in summary["outcomes"] for check in outcome["checks"] if not check["met"]]
    assert (done.returncode, summary["problem"], unmet) == (0, "", []), done.stderr
    assert [outcome["version"] for outcome in summary["outcomes"]] == ["v1", "v2", "v3"]
    assert summary["seconds"] <= _LIMIT_SECONDS
    assert set(summary["requests"]) == {"v1", "v2", "v3"}
    assert set(summary["requests"]["v1"]) == set(summary["requests"]["v2"]) == {"200"}
    assert summary["requests"]["v3"].get("500", 0) > 0
    asked = dict.fromkeys(entry["asked"] for entry in summary["timeline"] if entry["version"] == "v2")
    assert [weight for weight in asked if weight in (20, 50, 80)] == [20, 50, 80]
    assert list(tmp_path.iterdir()) == [], "the demo leaves nothing behind"
