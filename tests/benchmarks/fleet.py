"""Many Rollouts that grow in number, with the history of older ones, and a watch on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from rollouts.kube.api import KubeApi
from rollouts.kube.objects import CONFIGMAPS, NAMESPACES, REPLICASETS, ROLLOUTS, Manifest, name_of
from rollouts.workloads.replicaset import build

NAMESPACE = "fleet"
PAUSE = {"pause": {"duration": "1s"}}
STEPS: Sequence[Manifest] = [part for weight in (20, 40, 60, 80) for part in ({"setWeight": weight}, PAUSE)]
AT_ONCE = 20


def rollout(name: str, replicas: int, steps: Sequence[Manifest]) -> Manifest:
    """Return a Rollout with a canary that no router serves."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}], "terminationGracePeriodSeconds": 0},
    }
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": template,
        "strategy": {"canary": {"steps": list(steps)}},
    }
    return {"apiVersion": ROLLOUTS.api_version, "kind": "Rollout", "metadata": {"name": name}, "spec": spec}


def is_done(obj: Manifest) -> bool:
    """Tell whether a Rollout is Healthy at its present spec, all of its pods at the newest version."""
    status = obj.get("status") or {}
    current = status.get("observedGeneration") == str(obj["metadata"]["generation"])
    return (
        current
        and status.get("phase") == "Healthy"
        and status.get("stableRS") == status.get("currentPodHash")
    )


class Eye:
    """Sees every Rollout of the fleet as it changes; ``changes`` counts what it saw."""

    def __init__(self) -> None:
        self.live: dict[str, Manifest] = {}
        self.changes = 0
        self._news = asyncio.Condition()

    def pauses(self, name: str) -> bool:
        """Tell whether a Rollout is in a pause."""
        return bool((self.live[name].get("status") or {}).get("pauseConditions"))

    async def until(self, condition: Callable[[], bool], *, seconds: float) -> float:
        """Wait until a condition holds, and return the moment."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(condition)
            return time.perf_counter()

    async def all_done(self, names: Iterable[str], *, seconds: float) -> float:
        """Wait until these Rollouts are done."""
        waiting = set(names)

        def none_left() -> bool:
            waiting.difference_update([n for n in waiting if n in self.live and is_done(self.live[n])])
            return not waiting

        return await self.until(none_left, seconds=seconds)

    async def follow(self, api: KubeApi, version: str) -> None:
        """Watch until cancelled."""
        events = api.watch(ROLLOUTS, NAMESPACE, resource_version=version, timeout_seconds=3000)
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                async with self._news:
                    self.live[name_of(event.object)] = event.object
                    self.changes += 1
                    self._news.notify_all()


@asynccontextmanager
async def watched(api: KubeApi) -> AsyncIterator[Eye]:
    """Watch the fleet."""
    eye = Eye()
    listing = await api.list(ROLLOUTS, NAMESPACE)
    eye.live = {name_of(obj): obj for obj in listing.items}
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(eye.follow(api, listing.resource_version))
        try:
            yield eye
        finally:
            watch.cancel()


def names(number: int, first: int = 0) -> list[str]:
    """Return the names of Rollouts."""
    return [f"web-{n}" for n in range(first, number)]


async def grow(api: KubeApi, first: int, number: int, replicas: int, steps: Sequence[Manifest]) -> None:
    """Let the fleet grow from ``first`` to ``number``, all Healthy, and give each new one a history."""
    if not first:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        await api.create(NAMESPACES, None, namespace)
    new = names(number, first)
    async with watched(api) as eye:
        await in_batches(new, lambda name: api.create(ROLLOUTS, NAMESPACE, rollout(name, replicas, steps)))
        await eye.all_done(new, seconds=900)
        await in_batches(new, lambda name: add_history(api, eye.live[name]))


async def add_history(api: KubeApi, owner: Manifest) -> None:
    """Give a Rollout up to three older ReplicaSets without pods: with its own, one to four."""
    number = int(name_of(owner).rpartition("-")[2])
    for age in range(number % 4):
        template = owner["spec"]["template"]
        old = {
            **template,
            "spec": {**template["spec"], "containers": [{"name": "web", "image": f"web:old{age}"}]},
        }
        body = build(
            owner, old, f"old{age}", 0, selector=owner["spec"]["selector"], min_ready_seconds=0, desired=1
        )
        await api.create(REPLICASETS, NAMESPACE, body)


async def in_batches(items: Sequence[str], call: Callable[[str], Any]) -> None:
    """Call for every item, a few at a time."""
    for first in range(0, len(items), AT_ONCE):
        await asyncio.gather(*(call(name) for name in items[first : first + AT_ONCE]))


async def deploy(api: KubeApi, which: Sequence[str], image: str) -> None:
    """Change the image of Rollouts, all at once."""
    body = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}
    await in_batches(which, lambda name: api.patch(ROLLOUTS, NAMESPACE, name, body))


async def round_trips(api: KubeApi, namespace: str, goes_on: Callable[[], bool]) -> list[float]:
    """Return the seconds from patches of a ConfigMap until a watcher sees them, without any controller."""
    body = await api.create(CONFIGMAPS, namespace, {"metadata": {"name": "round-trips"}})
    events = api.watch(CONFIGMAPS, namespace, resource_version=body["metadata"]["resourceVersion"])
    times: list[float] = []
    async with aclosing(events):  # type: ignore[type-var]
        while goes_on():
            began, wanted = time.perf_counter(), str(len(times))
            await api.patch(CONFIGMAPS, namespace, "round-trips", {"data": {"number": wanted}})
            async for event in events:
                if (event.object.get("data") or {}).get("number") == wanted:
                    break
            times.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
    return times
