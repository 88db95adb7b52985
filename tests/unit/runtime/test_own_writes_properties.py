"""Whatever is lost or late, a controller that wants one child makes one."""

import asyncio
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.kube import errors
from rollouts.kube.objects import PODS, ROLLOUTS, Resource
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result
from tests.unit.kube.world import MemoryApi, manifest, virtual
from tests.unit.runtime.harness import managed, running


class Unreliable:
    """Loses answers, refuses writes, holds watch events back and ends watches, by a seeded die."""

    def __init__(self, api: MemoryApi, seed: int) -> None:
        self.api = api
        self.die = random.Random(seed)
        self.calm = False
        api.before, api.after = self.before, self.after

    def before(self, verb: str, resource: Resource, name: str) -> None:
        if self.calm or verb not in ("create", "patch"):
            return
        self.api.hold = self.die.random() < 0.7
        if self.die.random() < 0.2:
            raise self.die.choice(
                [errors.Unreachable("a"), errors.OutcomeUnknown("b"), errors.ServerFailure("c")]
            )

    def after(self, verb: str, resource: Resource, name: str) -> None:
        if not self.calm and verb in ("create", "patch") and self.die.random() < 0.4:
            raise self.die.choice([errors.OutcomeUnknown("lost"), errors.ServerFailure("500")])

    async def trouble(self, manager: Manager, key: Any) -> None:
        for _ in range(15):
            await asyncio.sleep(self.die.uniform(0, 1.5))
            manager.enqueue("rollout", key)
            if self.die.random() < 0.3:
                self.api.endings = [self.die.choice(["close", "gone"])]
                self.api.close_watches()
            if self.die.random() < 0.3:
                self.api.release()
        self.calm = True
        self.api.release()
        await asyncio.sleep(120)


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_one_child_is_made_and_every_increment_counts_once(seed: int):
    @virtual
    async def check() -> None:
        api = MemoryApi()
        api.put(ROLLOUTS, manifest("r", status={"made": 0}))
        unreliable = Unreliable(api, seed)
        stale: list[tuple[int, int]] = []

        async def body(manager: Manager, request: Request) -> Result | None:
            held = manager.cache.get(ROLLOUTS, "ns", "r")
            assert held is not None
            made = held["status"]["made"]
            pods = manager.cache.list(PODS)
            if len(pods) == made < 5:
                await request.api.create(PODS, "ns", manifest(f"p{len(scripted.requests)}"))
            elif len(pods) == made + 1:
                await request.api.patch(ROLLOUTS, "ns", "r", {"status": {"made": made + 1}})
            elif len(pods) == made == 5:
                return None
            else:
                stale.append((len(pods), made))
            return Result(request.now)

        manager, scripted = managed(api, body)
        async with running(manager):
            await unreliable.trouble(manager, scripted.requests[0].key)
        assert stale == [], "a decision was made on a state older than an own write"
        assert api.objects[ROLLOUTS, "ns", "r"]["status"] == {"made": 5}
        assert sum(1 for place in api.objects if place[0] == PODS) == 5

    check()
