"""python -m analysis slo: what it prints and how it exits."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from click.testing import CliRunner, Result

from analysis.cli import main
from tests.cluster.prometheus import PrometheusTools
from tests.unit.analysis.slo.examples import ours, pyrra, sloth


def call(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["slo", *words], input=stdin)


def written(folder: Path, *documents: dict[str, Any]) -> str:
    file = folder / "objectives.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return str(file)


def test_check_says_what_an_objective_amounts_to(tmp_path: Path) -> None:
    result = call("check", "-f", written(tmp_path, ours()))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "web/availability: ok",
        "  objective   99.9% over 30d",
        "  budget      1000 bad in a million, or 43.2 min of full outage",
        "  certified   by 3000 requests without a bad one (95 % confidence)",
        "  by version  yes",
        "  severity  long  short  burn rate  100 % errors found in  0.5 % errors found in",
        "  page      1h    5m     14.4       52s                    never",
        "  page      6h    30m    6          2m10s                  never",
        "  ticket    1d    2h     3          4m19s                  14h24m",
        "  ticket    3d    6h     1          4m19s                  14h24m",
    ]


def test_check_in_json_has_the_numbers(tmp_path: Path) -> None:
    result = call("check", "-f", written(tmp_path, ours()), "-o", "json")
    facts = json.loads(result.stdout)[0]
    assert facts["requestsToCertify"] == 3000
    assert [pair["factor"] for pair in facts["burn"]] == [14.4, 6, 3, 1]


def test_check_names_what_is_wrong_and_goes_on_with_the_next_file(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    bad, good = written(tmp_path / "bad", ours(objective=99.9)), written(tmp_path, ours())
    result = call("check", "-f", bad, "-f", good)
    assert result.exit_code == 1
    assert "spec.objective: wanted a share between 0 and 1, not 99.9: write 0.999 for 99.9 %" in result.stderr
    assert "web/availability: ok" in result.stdout


def test_rules_come_as_a_file_or_as_objects_of_the_operator(tmp_path: Path) -> None:
    file = written(tmp_path, ours(), pyrra())
    content = yaml.safe_load(call("rules", "-f", file).stdout)
    assert len(content["groups"]) == 6
    objects = list(
        yaml.safe_load_all(call("rules", "-f", file, "--operator", "--label", "release=prom").stdout)
    )
    assert [o["metadata"]["name"] for o in objects] == ["slo-availability", "slo-shop"]
    assert objects[0]["metadata"]["labels"] == {"release": "prom"}


@pytest.mark.lane("prometheus")
def test_what_rules_prints_is_taken_by_promtool(prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(call("rules", "-f", written(tmp_path, ours(), pyrra(), sloth())).stdout)
    command = [str(prometheus_tools.promtool), "check", "rules", str(rules)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_import_writes_ours_from_the_standard_input_and_warns_beside_it() -> None:
    result = call("import", "-f", "-", stdin=yaml.safe_dump(pyrra()))
    assert yaml.safe_load(result.stdout)["apiVersion"] == "rollouts.dev/v1alpha1"
    assert "-: shop: warning: spec.window: the alerts use the pairs" in result.stderr


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["import", "-f", "-"], "kind: Pod", "Pod is no objective"),
        (["import", "-f", "-"], "", "holds nothing"),
        (["import", "-f", "-"], "- a", "document 1 is not an object"),
        (["import", "-f", "-"], "a: [", "is not YAML"),
        (["rules", "-f", "-", "--operator", "--label", "x"], yaml.safe_dump(ours()), "is not NAME=VALUE"),
    ],
    ids=["no objective", "empty", "a list", "not YAML", "label"],
)
def test_what_cannot_be_read_is_an_error(words: list[str], stdin: str, message: str) -> None:
    result = call(*words, stdin=stdin)
    assert result.exit_code == 2
    assert message in result.stderr


def test_help_shows_an_objective_and_the_commands() -> None:
    text = call("--help").stdout
    assert "kind: ServiceLevelObjective" in text
    assert "slo import -f sloth.yaml" in text


@pytest.fixture
def prometheus() -> Iterator[str]:
    """Answer ratios of the period with 0.0005, of other windows with 0.0001, ``nothing`` with nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            query = form["query"][0]
            value = "0.0005" if "[30d]" in query else "0.0001"
            result = [] if "nothing" in query else [{"metric": {}, "value": [0, value]}]
            body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # all queries come at once

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_status_asks_for_the_budget_and_says_what_the_gate_would(tmp_path: Path, prometheus: str) -> None:
    result = call("status", "-f", written(tmp_path, ours()), "--address", prometheus)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:5] == [
        "web/availability: ok",
        "  budget left  50.0%",
        "  gate         50.0% of the error budget is left",
        "  severity  long  short  burn rates     alerts above  firing",
        "  page      1h    5m     0.1 / 0.1      14.4          no",
    ]


@pytest.mark.parametrize(
    ("spec", "gate", "code"),
    [
        ({"gate": {"guardedBelow": 0.6}}, "guarded", 0),
        ({"gate": {"guardedBelow": 0.6, "blockedBelow": 0.6}}, "blocked", 1),
        ({"indicator": {"errorRatio": "nothing[{{window}}]"}}, "unknown", 3),
        ({"prometheus": {"address": "http://169.254.169.254"}}, "unknown", 3),
    ],
    ids=["guarded", "blocked", "no data", "not allowed"],
)
def test_status_exits_by_the_worst_gate(
    spec: dict[str, Any], gate: str, code: int, tmp_path: Path, prometheus: str
) -> None:
    file = written(tmp_path, ours(**spec), ours())
    result = call("status", "-f", file, "--address", prometheus, "-o", "json")
    assert [facts["gate"] for facts in json.loads(result.stdout)] == [gate, "ok"]
    assert result.exit_code == code


def test_status_without_a_prometheus_says_which_setting_is_missing(tmp_path: Path) -> None:
    result = call("status", "-f", written(tmp_path, ours()))
    assert result.exit_code == 3
    assert "set spec.prometheus.address or ARGO_ROLLOUTS_PROMETHEUS_ADDRESS" in result.stdout
