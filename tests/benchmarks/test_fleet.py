"""A hundred of many Rollouts in update at once: how long, at what cost, and what others notice of it."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollouts.kube.api import KubeApi
from tests.benchmarks.fleet import STEPS, deploy, grow, names, round_trips, watched
from tests.benchmarks.grounds import Controller, Ground, difference, quantile, work
from tests.benchmarks.table import Table
from tests.benchmarks.test_idle import observed
from tests.benchmarks.test_reaction import NAMESPACE as REACTION
from tests.benchmarks.test_reaction import promoted, waiting_for_a_person
from tests.cluster.processes import wait_until

BUDGET = 30
EVENTS_AT_MOST = 35
MOST_TRIES = 600


class Fleet:
    """The fleet and the controller that works on it. Tests run in order, and each may let it grow."""

    def __init__(self, ground: Ground, folder: Path, *, whole: bool) -> None:
        self.ground = ground
        self.sizes = (100, 500, 1000) if whole else (12,)
        self.replicas = 5 if whole else 3
        self.updates = 100 if whole else 6
        self.steps = STEPS if whole else STEPS[-2:]
        self.settle = 5 if whole else 1
        self.size = 0
        self.image = 1
        self._folder = folder
        self._lives = 0
        self.controller = self._next()

    def _next(self) -> Controller:
        self._lives += 1
        return Controller(self.ground, self._folder, f"fleet-{self._lives}").start()

    def grow(self, size: int) -> None:
        """Let it grow, unless it has."""
        if size > self.size:
            work(self.ground, lambda api: grow(api, self.size, size, self.replicas, self.steps), seconds=1200)
            self.size = size

    def restart(self) -> float:
        """Begin a new life of the controller and return the seconds until it has observed everything."""
        self.controller.stop()
        began = time.monotonic()
        self.begin_next_life()
        wait_until(lambda: observed(self.controller) >= self.size, seconds=120, what="every Rollout observed")
        return time.monotonic() - began

    def begin_next_life(self) -> None:
        self.controller = self._next()

    def wait_until_told(self) -> None:
        """Wait until the events, which nobody waits for, are written too."""
        last = -1
        while (told := written(self.controller.requests())[1]) != last:
            last = told
            time.sleep(1)

    def stop(self) -> None:
        self.controller.stop()

    def next_image(self) -> str:
        self.image += 1
        return f"web:v{self.image}"


@pytest.fixture(scope="module")
def fleet(ground: Ground, whole: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(ground, tmp_path_factory.mktemp("fleet"), whole=whole)
    yield fleet
    fleet.stop()


def written(requests: dict[tuple[str, str], int]) -> tuple[int, int]:
    """Return how many writes there were, leases aside: those of objects, and events."""
    writes = {key: n for key, n in requests.items() if key[0] not in ("Get", "List", "Watch")}
    events = sum(n for (_, kind), n in writes.items() if kind.lower() == "events")
    leases = sum(n for (_, kind), n in writes.items() if kind.lower().startswith("leases"))
    return sum(writes.values()) - events - leases, events


def quantiles(times: list[float]) -> str:
    """Return the quantiles that budgets speak of."""
    return f"p50 {quantile(times, 0.5) * 1000:.0f}, p99 {quantile(times, 0.99) * 1000:.0f} ms"


def memory(fleet: Fleet, size: int, table: Table) -> None:
    """Let the fleet grow and note what a fresh controller needs for it."""
    fleet.grow(size)
    started = fleet.restart()
    time.sleep(fleet.settle)
    peer = {100: "113 MiB", 500: "28 s, 137 MiB", 1000: "171–177 MiB"}.get(size, "")
    table.add(
        f"{size} Rollouts of {fleet.replicas} pods and 1–4 ReplicaSets: start, RSS",
        f"{started:.1f} s, {fleet.controller.rss_mib():.0f} MiB", "≤ 200 MiB at 1000", peer,
    )  # fmt: skip


def test_a_restart_amid_many_at_rest_writes_nothing(fleet: Fleet, table: Table) -> None:
    for size in fleet.sizes[:2]:
        memory(fleet, size, table)
        assert sum(written(fleet.controller.requests())) == 0


def test_many_updates_at_once(fleet: Fleet, table: Table) -> None:
    """As many updates as the peer was given; per update the cost is that of one alone."""
    which, image = names(fleet.updates), fleet.next_image()
    before, cpu = fleet.controller.requests(), fleet.controller.cpu_seconds()

    async def update(api: KubeApi) -> float:
        async with watched(api) as eye:
            began = time.perf_counter()
            await deploy(api, which, image)
            return await eye.all_done(which, seconds=300) - began

    seconds = work(fleet.ground, update)
    fleet.wait_until_told()
    cpu = fleet.controller.cpu_seconds() - cpu
    made = difference(fleet.controller.requests(), before)
    writes, events = written(made)
    reads = sum(n for (verb, _), n in made.items() if verb in ("Get", "List"))
    many = f"{fleet.updates} of {fleet.size} updated at once"
    table.add(f"{many}: until all are Healthy", f"{seconds:.0f} s", "≤ 30 s", "75 s; 34 s without rate limit")
    table.add(f"{many}: CPU of the controller", f"{cpu:.1f} s", "≤ 11 s", "10–12 s")
    parts = ", ".join(f"{n / fleet.updates:.1f} {verb} {kind}" for (verb, kind), n in sorted(made.items()))
    table.add(
        f"{many}: requests for each",
        f"{writes / fleet.updates:.1f} + {events / fleet.updates:.1f} events ({parts})",
        f"≤ {BUDGET} + events", "41–62",
    )  # fmt: skip
    lag = fleet.controller.lag_quantile(0.99) * 1000
    table.add(f"{many}: event-loop lag", f"p99 ≤ {lag:g} ms", "p99 < 50 ms")
    assert reads == 0
    assert writes <= BUDGET * fleet.updates
    assert events <= EVENTS_AT_MOST * fleet.updates


def test_a_person_is_answered_while_many_update(fleet: Fleet, whole: bool, table: Table) -> None:
    if whole:
        memory(fleet, fleet.sizes[-1], table)
    which, image = names(fleet.updates), fleet.next_image()
    times: list[float] = []
    alone: list[float] = []

    async def update(api: KubeApi) -> None:
        async with watched(api) as eye:
            await deploy(api, which, image)
            await eye.all_done(which, seconds=300)

    async def promote_meanwhile(api: KubeApi) -> None:
        async with waiting_for_a_person(api, MOST_TRIES + 2) as watcher:
            load = asyncio.create_task(update(api))
            floor = asyncio.create_task(round_trips(api, REACTION, lambda: not load.done()))
            while not load.done() and len(times) < MOST_TRIES:
                times.append(await promoted(api, watcher, len(times)))
            await load
            alone.extend(await floor)

    work(fleet.ground, promote_meanwhile)
    while_many = f"while {fleet.updates} of {fleet.size} update"
    what = f"promote → step index moved, {len(times)} tries {while_many}"
    table.add(what, quantiles(times), "p99 < 300 ms", "1.0–5.2 s")
    table.add(f"of that the API server alone: a patch seen by its watcher {while_many}", quantiles(alone))
    assert times


def test_work_goes_on_after_a_restart(fleet: Fleet, table: Table) -> None:
    which, image = names(fleet.updates), fleet.next_image()

    async def restart_amid(api: KubeApi) -> tuple[float, float]:
        async with watched(api) as eye:
            await deploy(api, which, image)
            await eye.until(lambda: sum(map(eye.pauses, which)) >= len(which) // 2, seconds=120)
            ended = time.perf_counter()
            await asyncio.to_thread(fleet.controller.stop)
            stopped, seen = time.perf_counter(), eye.changes
            start = asyncio.create_task(asyncio.to_thread(fleet.begin_next_life))
            moved = await eye.until(lambda: eye.changes > seen, seconds=60)
            await start
            await eye.all_done(which, seconds=300)
            return stopped - ended, moved - stopped

    ending, going = work(fleet.ground, restart_amid)
    table.add(
        f"restart while {fleet.updates} of {fleet.size} update: end, then the first write",
        f"{ending:.1f} s, {going:.1f} s", "< 2 s", "15–19 s",
    )  # fmt: skip
