"""One Rollout on virtual time, and what people and scripts look at while it is updated."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from rollouts.embedded.store import Change, Collection
from rollouts.kube.objects import (
    ROLLOUTS,
    Manifest,
    annotations_of,
    is_deleting,
    labels_of,
)
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.mirror import desired, hash_of
from rollouts.simulation.scenarios import Scenario
from rollouts.simulation.world import World
from rollouts.workloads import labels

PAUSE: Manifest = {"pause": {}}
CRASHES = {"command": ["/bad"]}
CRASHES_TOO = {"command": ["/bad", "again"]}
SLOW = {"lifecycle": {hook: {"exec": {"command": ["sleep", "5"]}} for hook in ("postStart", "preStop")}}
READY_AFTER_TEN = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 10}}
TIGHT = {"maxSurge": 1, "maxUnavailable": 0}


def weight(percent: int) -> Manifest:
    return {"setWeight": percent}


async def _nothing(world: World) -> None:
    pass


@asynccontextmanager
async def deployed(
    strategy: Manifest,
    replicas: int,
    container: Manifest | None = None,
    *,
    phase: str = "Healthy",
    **spec: Any,
) -> AsyncIterator[World]:
    """Run a world whose Rollout is in ``phase`` after its first deploy."""
    scenario = Scenario("moments", strategy, _nothing, replicas=replicas, more=spec)
    async with World.running(1) as world:
        await world.start()
        for resource, body in scenario.objects():
            if resource == ROLLOUTS:
                body["spec"]["template"]["spec"]["containers"][0].update(container or {})
            await world.create(resource, body)
        if phase:
            await world.phase(phase)
        yield world
        assert not world.errors


async def update(world: World, container: Manifest | None = None, **spec: Any) -> None:
    """Change what containers do, or without that only an annotation of the template."""
    template: Manifest = {"metadata": {"annotations": {"update": str(world.clock.monotonic())}}}
    if container is not None:
        template = {"spec": {"containers": [{"name": "web", "image": "web:v1", **container}]}}
    await world.spec(template=template, **spec)


def pods(world: World) -> dict[str, int]:
    """Return how many pods of each revision there are, without those that are going."""
    sets = world.mirror.all("replicasets").values()
    revisions = {hash_of(rs): annotations_of(rs)[labels.REVISION] for rs in sets}
    there = (pod for pod in world.mirror.all("pods").values() if not is_deleting(pod))
    return dict(Counter(revisions[hash_of(pod)] for pod in there))


def counts(world: World) -> tuple[int, int, int, int]:
    """Return what the status tells: all, updated, ready and available replicas."""
    found = (world.state.get(f"{name}eplicas", 0) for name in ("r", "updatedR", "readyR", "availableR"))
    return tuple(found)  # type: ignore[return-value]


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_virtual(story())


async def phases(world: World, last: str) -> AsyncIterator[str]:
    """Return each phase that is told, from now on until the last one."""
    now = ""
    while now != last:
        await world.until(lambda st, now=now: st["phase"] != now and fresh(world), f"another than {now}")
        now = world.state["phase"]
        yield now


def fresh(world: World) -> bool:
    return bool(world.state["observedGeneration"] == str(world.rollout["metadata"]["generation"]))


def waiting(world: World) -> dict[str, tuple[int, bool]]:
    """Return for each revision its replicas, and whether it waits for its end."""
    return {
        annotations_of(rs)[labels.REVISION]: (desired(rs), labels.SCALE_DOWN_DEADLINE in annotations_of(rs))
        for rs in world.mirror.all("replicasets").values()
    }


def worn(world: World) -> dict[str, set[str]]:
    """Return the role labels that pods of each revision have, all of them together."""
    sets = world.mirror.all("replicasets").values()
    revisions = {hash_of(rs): annotations_of(rs)[labels.REVISION] for rs in sets}
    found: dict[str, set[str]] = {}
    for pod in world.mirror.all("pods").values():
        if not is_deleting(pod):
            own = {
                f"{k}={v}" for k, v in labels_of(pod).items() if k.startswith("role") and k[4:] in ("", "2")
            }
            found.setdefault(revisions[hash_of(pod)], set()).update(own)
    return found


def listening(world: World) -> list[str]:
    """Return a list that from now on gets the reason of each event of the Rollout, repeated ones again."""
    heard: list[str] = []

    def hear(collection: Collection, change: Change) -> None:
        event = change.entry.object
        if collection.plural == "events" and event["involvedObject"]["kind"] == "Rollout":
            heard.append(event["reason"])

    world.cluster.observe(hear)
    return heard
