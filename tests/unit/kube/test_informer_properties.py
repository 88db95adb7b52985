"""Whatever happens to lists and watches, the cache ends up as the server is, and its changes add up to it."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.kube import errors
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import PODS, Manifest, Resource, name_of, uid_of
from tests.unit.kube.world import Dice, LoopClock, MemoryApi, manifest, virtual

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("drop"), NAMES),
        st.tuples(st.just("drop unseen"), NAMES),
        st.tuples(st.just("read live"), NAMES),
        st.tuples(
            st.sampled_from(["hold", "release", "close", "gone", "refuse", "wait", "relist"]), st.just("")
        ),
    ),
    max_size=25,
)


class World:
    """A server, a cache, and what the cache's handler was told."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.cache = InformerCache(self.api, LoopClock(), Dice())
        self.told: dict[str, Manifest] = {}
        self.refusals = 0
        self.number = 0
        self.lost = False
        self.api.before = self._refuse
        self.cache.start(PODS)
        self.cache.on_change(PODS, self._handle)

    def _refuse(self, verb: str, resource: Resource, name: str) -> None:
        if self.refusals and verb != "get":
            self.refusals -= 1
            raise errors.ServerFailure("unwell", status=500)

    def _handle(self, change: str, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None:
            assert change in ("added", "modified")
            assert (change == "modified") == (name_of(new) in self.told)
            self.told[name_of(new)] = new
        else:
            assert change == "deleted"
            assert old is not None
            del self.told[name_of(old)]

    async def step(self, what: str, name: str) -> None:
        present = (PODS, "ns", name) in self.api.objects
        self.number += 1
        if what == "put":
            self.api.put(PODS, manifest(name, metadata={"uid": f"u{self.number}"}))
        elif what == "drop" and present:
            self.api.drop(PODS, "ns", name)
        elif what == "drop unseen" and present:
            self.api.drop(PODS, "ns", name, quietly=True)
            self.lost = True
        elif what == "read live":
            await self.cache.refresh(PODS, "ns", name)
        elif what == "relist":
            await self.cache.relist()
        elif what in ("close", "gone"):
            self.api.endings = [what]
            self.api.close_watches()
        else:
            await self._other(what)

    async def _other(self, what: str) -> None:
        if what == "hold":
            self.api.hold = True
        elif what == "release":
            self.api.release()
        elif what == "refuse":
            self.refusals = 3
        elif what == "wait":
            await asyncio.sleep(1)


def state(objects: Any) -> dict[str, tuple[str, str]]:
    return {name_of(o): (uid_of(o), o["metadata"]["resourceVersion"]) for o in objects}


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_cache_converges_on_the_server(steps: list[tuple[str, str]]):
    @virtual
    async def check() -> None:
        world = World()
        task = asyncio.ensure_future(world.cache.run())
        await world.cache.wait_synced()
        for what, name in steps:
            await world.step(what, name)
        world.api.release()
        world.refusals = 0
        await asyncio.sleep(60)
        if world.lost:
            await world.cache.relist()
        assert state(world.cache.list(PODS)) == state(world.api.objects.values())
        assert state(world.told.values()) == state(world.api.objects.values())
        task.cancel()
        await asyncio.wait([task])

    check()
