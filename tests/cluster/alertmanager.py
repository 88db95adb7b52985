"""A real Alertmanager on loopback: found on PATH, or built from Go modules.

Debian's package cannot just be unpacked: its program wants templates under ``/usr/share``.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.cache import built_once, cache_root, digest
from tests.cluster.golang import build, ensure_go
from tests.cluster.processes import ServerProcess, free_ports

MODULE = Path(__file__).resolve().parent / "alertmanager_module"
_PACKAGE = "github.com/prometheus/alertmanager/cmd/alertmanager"


class AlertmanagerServer:
    """One server that sends every group of alerts at once to one web hook."""

    def __init__(self, program: Path, folder: Path, webhook: str, *, repeat: str = "1h") -> None:
        self._program = program
        self._folder = folder
        self._webhook = webhook
        self._repeat = repeat
        self._port = free_ports(1)[0]
        self._process: ServerProcess | None = None

    @property
    def address(self) -> str:
        """Return ``host:port``, as a Prometheus wants it."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Return the address of the API."""
        return f"http://{self.address}"

    def start(self) -> AlertmanagerServer:
        """Start it and wait until it answers. Raises ServerFailed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "alertmanager.yml"
        configuration.write_text(json.dumps(self._configuration()))
        command = [
            str(self._program),
            f"--config.file={configuration}",
            f"--storage.path={self._folder / 'data'}",
            f"--web.listen-address={self.address}",
            # One server needs no gossip, and a cluster would open a port of its own.
            "--cluster.listen-address=",
        ]
        self._process = ServerProcess("alertmanager", command, self._folder)
        self._process.start()
        self._process.wait_ready(self._ready, seconds=60)
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop()

    def send(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Hand alerts over as a Prometheus does: ``labels``, ``annotations``, ``startsAt``, ``endsAt``."""
        request = urllib.request.Request(f"{self.url}/api/v2/alerts", json.dumps(list(alerts)).encode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10):
            pass

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are active now, silenced ones as well."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _configuration(self) -> dict[str, Any]:
        route = {
            "receiver": "hook",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": self._repeat,
        }
        hook = {"url": self._webhook, "send_resolved": True}
        return {"route": route, "receivers": [{"name": "hook", "webhook_configs": [hook]}]}


def find_alertmanager() -> Path | None:
    """Return the PATH's Alertmanager, else the one in the cache, else None. Gets nothing."""
    for name in ("alertmanager", "prometheus-alertmanager"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    return _built() if _built().exists() else None


def ensure_alertmanager() -> Path:
    """Return the program, building it when needed (half a minute). Raises BuildFailed."""
    return find_alertmanager() or built_once(_built(), _build)


def _built() -> Path:
    return cache_root() / f"alertmanager-{digest([MODULE / 'go.mod', MODULE / 'go.sum'])}" / "alertmanager"


def _build(target: Path) -> None:
    build(ensure_go(), MODULE, _PACKAGE, target, ldflags="-s -w", what="Alertmanager from Go modules")
