"""A real Alertmanager passes on what a real Prometheus finds, and its end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.cluster.alertmanager import AlertmanagerServer, find_alertmanager
from tests.cluster.background import Background
from tests.cluster.processes import wait_until
from tests.cluster.prometheus import PrometheusServer, PrometheusTools, Target

pytestmark = pytest.mark.lane("alertmanager", "prometheus")

SECONDS = 60.0


class Hook:
    """A web hook that keeps what it was sent."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.background = Background()
        self.url = ""
        ready = asyncio.Event()
        self.background.start(lambda stop: self._serve(stop, ready))
        self.background.call(ready.wait())

    async def _serve(self, stop: asyncio.Event, ready: asyncio.Event) -> None:
        application = web.Application()
        application.router.add_post("/hook", self._take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.received.append(await request.json())
        return web.Response()

    def statuses(self, alert: str) -> list[str]:
        """Return ``firing`` and ``resolved`` of an alert in the order of arrival."""
        return [one["status"] for one in self.received if one["commonLabels"]["alertname"] == alert]


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.background.stop()


def test_an_alert_of_a_rule_reaches_the_web_hook_and_so_does_its_end(
    hook: Hook, folder: Path, prometheus_tools: PrometheusTools
) -> None:
    program = find_alertmanager()
    assert program is not None
    alertmanager = AlertmanagerServer(program, folder / "alertmanager", hook.url)
    rule = {"alert": "Absent", "expr": 'absent(up{role="itself"})', "labels": {"severity": "page"}}
    prometheus = PrometheusServer(
        prometheus_tools, folder / "prometheus", alertmanager=alertmanager.address, rules=[rule]
    )
    try:
        alertmanager.start()
        prometheus.start()
        wait_until(lambda: hook.statuses("Absent") == ["firing"], seconds=SECONDS, what="alert")
        assert hook.received[0]["commonLabels"] == {
            "alertname": "Absent",
            "role": "itself",
            "severity": "page",
        }
        assert [one["labels"]["alertname"] for one in alertmanager.alerts()] == ["Absent"]

        prometheus.set_targets([Target(prometheus.url.removeprefix("http://"), {"role": "itself"})])
        wait_until(lambda: "resolved" in hook.statuses("Absent"), seconds=SECONDS, what="end of the alert")
    finally:
        prometheus.stop()
        alertmanager.stop()
