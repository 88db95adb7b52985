"""A real Prometheus on loopback: found on PATH, unpacked from Debian's package, or built from Go modules."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.cache import built_once, cache_root, digest
from tests.cluster.debian import unpack_package, unpacked_programs
from tests.cluster.golang import BuildFailed, build, ensure_go, say
from tests.cluster.processes import ServerProcess, free_ports, wait_until

MODULE = Path(__file__).resolve().parent / "prometheus_module"
FIRST_SCRAPE_SECONDS = 6.0
"""Target discovery is throttled to once in five seconds, whatever the scrape interval."""


@dataclass(frozen=True, slots=True)
class PrometheusTools:
    """The two programs of one release."""

    prometheus: Path
    promtool: Path


@dataclass(frozen=True, slots=True)
class Target:
    """One scraped address (``host:port``) and the labels that its series get."""

    address: str
    labels: Mapping[str, str]


class PrometheusServer:
    """One server that scrapes every second what ``set_targets`` names.

    With an ``alertmanager`` (``host:port``) it evaluates ``rules`` every second and sends alerts there. One
    that ``receives`` takes remote writes, native histograms included.
    """

    def __init__(
        self,
        tools: PrometheusTools,
        folder: Path,
        *,
        alertmanager: str = "",
        rules: Sequence[Mapping[str, Any]] = (),
        receives: bool = False,
    ) -> None:
        self._tools = tools
        self._folder = folder
        self._alertmanager = alertmanager
        self._rules = rules
        self._receives = receives
        self._port = free_ports(1)[0]
        self._process: ServerProcess | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Return the address for queries."""
        return f"http://127.0.0.1:{self._port}"

    def backfill(self, openmetrics: str) -> None:
        """Write samples with timestamps into the store, before ``start``. Raises BuildFailed."""
        source = self._folder / "backfill.om"
        source.write_text(openmetrics if openmetrics.endswith("# EOF\n") else openmetrics + "# EOF\n")
        command = [str(self._tools.promtool), "tsdb", "create-blocks-from", "openmetrics"]
        answer = subprocess.run(
            [*command, str(source), str(self._data)], capture_output=True, text=True, check=False
        )
        if answer.returncode:
            raise BuildFailed(f"promtool refused the samples: {answer.stderr}")

    def start(self) -> None:
        """Start it and wait until it answers (a fraction of a second). Raises ServerFailed."""
        self.set_targets(())
        (self._folder / "prometheus.yml").write_text(json.dumps(self._configuration()))
        command = [
            str(self._tools.prometheus),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._data}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--storage.tsdb.retention.time=10y",
            "--query.lookback-delta=5m",
            # The first alerts come before the Alertmanager is discovered, and are repeated each minute only.
            "--rules.alert.resend-delay=1s",
        ]
        if self._receives:
            command += ["--web.enable-remote-write-receiver", "--enable-feature=native-histograms"]
        self._process = ServerProcess("prometheus", command, self._folder)
        self._process.start()
        self._process.wait_ready(lambda: self._answers("/-/ready"), seconds=20)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop()

    def set_targets(self, targets: Sequence[Target]) -> None:
        """Scrape these and no others; in force within ``FIRST_SCRAPE_SECONDS``."""
        groups = [{"targets": [t.address], "labels": dict(t.labels)} for t in targets]
        fresh = self._folder / "targets.new"
        fresh.write_text(json.dumps(groups))
        fresh.rename(self._folder / "targets.json")

    def query(self, expression: str, *, time: float | None = None) -> dict[str, Any]:
        """Return ``data`` of an instant query. Raises urllib.error.HTTPError for a bad one."""
        at = {} if time is None else {"time": str(time)}
        return self._get("/api/v1/query", {"query": expression, **at})

    def query_range(self, expression: str, *, start: float, end: float, step: float) -> dict[str, Any]:
        """Return ``data`` of a range query."""
        window = {"start": str(start), "end": str(end), "step": str(step)}
        return self._get("/api/v1/query_range", {"query": expression, **window})

    def wait_for_samples(self, expression: str, *, seconds: float = 15.0) -> list[Any]:
        """Return the first non-empty result of an instant query. Raises TimeoutError."""

        def found() -> list[Any] | None:
            return self.query(expression)["result"] or None

        return wait_until(found, seconds=seconds, what=f"result of {expression}")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        url = f"{self.url}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _configuration(self) -> dict[str, Any]:
        from_file = {"files": [str(self._folder / "targets.json")], "refresh_interval": "1s"}
        job = {"job_name": "listed", "file_sd_configs": [from_file]}
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        configuration: dict[str, Any] = {"global": every, "scrape_configs": [job]}
        if self._alertmanager:
            rules = self._folder / "rules.yml"
            rules.write_text(json.dumps({"groups": [{"name": "rules", "rules": list(self._rules)}]}))
            at = {"static_configs": [{"targets": [self._alertmanager]}]}
            configuration |= {"rule_files": [str(rules)], "alerting": {"alertmanagers": [at]}}
        return configuration


def find_prometheus() -> PrometheusTools | None:
    """Return the PATH's prometheus and promtool, else those in the cache, else None. Gets nothing."""
    on_path = [shutil.which(name) for name in ("prometheus", "promtool")]
    if on_path[0] and on_path[1]:
        return PrometheusTools(Path(on_path[0]), Path(on_path[1]))
    return next((tools for tools in (_in(unpacked_programs("prometheus")), _in(_built())) if tools), None)


def ensure_prometheus() -> Path:
    """Return the prometheus program, getting it when needed. Raises BuildFailed."""
    found = find_prometheus()
    if found is None:
        try:
            unpack_package("prometheus")
        except BuildFailed as error:
            say(f"{error}; building it instead")
            built_once(_built(), _build)
        found = find_prometheus()
    if found is None:
        raise BuildFailed("prometheus was fetched but its programs are not where they should be")
    return found.prometheus


def _in(folder: Path) -> PrometheusTools | None:
    tools = PrometheusTools(folder / "prometheus", folder / "promtool")
    return tools if tools.prometheus.exists() and tools.promtool.exists() else None


def _built() -> Path:
    return cache_root() / f"prometheus-{digest([MODULE / 'go.mod', MODULE / 'go.sum'])}" / "bin"


def _build(target: Path) -> None:
    target.mkdir()
    go = ensure_go()
    for name in ("prometheus", "promtool"):
        package = f"github.com/prometheus/prometheus/cmd/{name}"
        build(go, MODULE, package, target / name, ldflags="-s -w", what=f"{name} from Go modules")
