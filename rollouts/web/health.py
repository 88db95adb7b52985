"""``/healthz`` and ``/readyz``: 200 with "ok", or 503 with what is wrong, one problem a line."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from rollouts.clock import Clock
from rollouts.runtime.lag import LagProbe
from rollouts.runtime.manager import Manager

LAG_LIMIT = 10.0
"""Seconds: an event loop that was blocked for longer in the last minute should be restarted."""
LEASE_GRACE = 20.0
"""Seconds: a leader that neither renews nor steps down for longer has a stuck election."""


class Health:
    """Whether the process is alive and ready. A standby is both."""

    def __init__(self, manager: Manager, lag: LagProbe, clock: Clock) -> None:
        self._manager = manager
        self._lag = lag
        self._clock = clock

    def dead(self) -> Sequence[str]:
        """Return why the process should be restarted; empty when it should not."""
        problems = []
        worst = self._lag.worst()
        if worst > LAG_LIMIT:
            problems.append(
                f"the event loop was blocked for {worst:.1f} s, at most {LAG_LIMIT:.0f} s are healthy"
            )
        overdue = self._clock.monotonic() - self._manager.leadership.deadline()
        if self._manager.leadership.held() and overdue > LEASE_GRACE:
            problems.append(f"the lease ended {overdue:.0f} s ago and was neither renewed nor given up")
        return problems

    def unready(self) -> Sequence[str]:
        """Return what is still missing; empty when ready."""
        if self._manager.standby_ready.is_set():
            return ()
        return ("the watched resources are not all listed yet",)


def health_app(health: Health) -> web.Application:
    """Return the application with both paths."""

    async def healthz(_: web.Request) -> web.Response:
        return _answer(health.dead())

    async def readyz(_: web.Request) -> web.Response:
        return _answer([*health.dead(), *health.unready()])

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


def _answer(problems: Sequence[str]) -> web.Response:
    if problems:
        return web.Response(status=503, text="\n".join(problems) + "\n")
    return web.Response(text="ok\n")
