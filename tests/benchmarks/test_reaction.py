"""From a user's patch to the status that answers it, as a watcher sees it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from rollouts.kube.api import KubeApi
from rollouts.kube.objects import NAMESPACES, ROLLOUTS, Manifest
from tests.benchmarks.grounds import Controller, Ground, quantile, work
from tests.benchmarks.table import Table
from tests.benchmarks.test_idle import rollout

NAMESPACE, NAME = "reaction", "idle-0"
Condition = Callable[[Manifest], bool]


class Watcher:
    """Follows one Rollout and notes when a condition first holds."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._news = asyncio.Condition()
        self.status: Manifest = {}

    async def run(self, version: str) -> None:
        events = self._api.watch(ROLLOUTS, NAMESPACE, resource_version=version, timeout_seconds=600)
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                async with self._news:
                    self.status = event.object.get("status") or {}
                    self._news.notify_all()

    async def until(self, condition: Condition) -> float:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: condition(self.status))
            return time.perf_counter()


@asynccontextmanager
async def waiting_for_a_person(api: KubeApi, steps: int) -> AsyncIterator[Watcher]:
    """Create a Rollout whose update waits for a person at so many steps, and watch it."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await api.create(NAMESPACES, None, namespace)
    body = rollout(NAME)
    body["spec"]["strategy"]["canary"]["steps"] = [{"pause": {}}] * steps
    created = await api.create(ROLLOUTS, NAMESPACE, body)
    watcher = Watcher(api)
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(watcher.run(created["metadata"]["resourceVersion"]))
        await watcher.until(lambda st: st.get("phase") == "Healthy")
        await patch(api, {"spec": {"template": {"metadata": {"labels": {"app": NAME, "try": "2"}}}}})
        yield watcher
        watch.cancel()


async def measure(api: KubeApi, tries: int) -> tuple[list[float], list[float]]:
    """Return the seconds from abort to abortedAt, and from promotion to the next step."""
    async with waiting_for_a_person(api, tries + 2) as watcher:
        promotions = [await promoted(api, watcher, index) for index in range(tries)]
        aborts = [await aborted(api, watcher) for _ in range(tries)]
    return aborts, promotions


async def promoted(api: KubeApi, watcher: Watcher, index: int) -> float:
    await watcher.until(lambda st: bool(st.get("pauseConditions")) and st.get("currentStepIndex") == index)
    await asyncio.sleep(0.05)
    began = time.perf_counter()
    await patch(api, {"status": {"pauseConditions": None}}, subresource="status")
    return await watcher.until(lambda st: st.get("currentStepIndex") == index + 1) - began


async def aborted(api: KubeApi, watcher: Watcher) -> float:
    await watcher.until(lambda st: bool(st.get("pauseConditions")))
    await asyncio.sleep(0.05)
    began = time.perf_counter()
    await patch(api, {"status": {"abort": True}}, subresource="status")
    took = await watcher.until(lambda st: bool(st.get("abortedAt"))) - began
    await asyncio.sleep(0.05)
    await patch(api, {"status": {"abort": None}}, subresource="status")
    return took


async def patch(api: KubeApi, body: Any, **options: Any) -> None:
    await api.patch(ROLLOUTS, NAMESPACE, NAME, body, **options)


def test_a_users_patch_is_answered_soon(ground: Ground, whole: bool, table: Table, tmp_path: Path) -> None:
    tries = 100 if whole else 10
    controller = Controller(ground, tmp_path, "reaction").start()
    try:
        aborts, promotions = work(ground, lambda api: measure(api, tries), seconds=200)
        for what, times, peer in (
            ("promote → step index moved", promotions, "p50 32, p99 71 ms"),
            ("abort → abortedAt set", aborts, "p50 25, p99 63 ms"),
        ):
            text = f"p50 {quantile(times, 0.5) * 1000:.0f}, p99 {quantile(times, 0.99) * 1000:.0f} ms"
            table.add(f"{what}, {len(times)} tries, idle", text, "p50 ≤ 30, p99 ≤ 70 ms", peer)
        lag = controller.lag_quantile(0.99)
        table.add("event-loop lag while one Rollout works", f"p99 ≤ {lag * 1000:g} ms", "p99 < 50 ms")
        assert len(aborts) == len(promotions) == tries
    finally:
        controller.stop()
