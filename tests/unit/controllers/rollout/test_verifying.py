"""Data planes that are asked themselves: questions beside the reconciles, and what comes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import ClassVar, cast

import pytest

from analysis.providers.errors import BackendError
from rollouts.controllers.rollout.controller import versions_by_address
from rollouts.controllers.rollout.observe import Observer
from rollouts.controllers.rollout.snapshot import Verification
from rollouts.controllers.rollout.verifiers import verifiers_for
from rollouts.controllers.rollout.verifying import QUIET, Verifying
from rollouts.kube import errors
from rollouts.kube.api import KubeApi, Listing
from rollouts.kube.objects import Key, Manifest, Resource
from rollouts.settings import Settings, SettingsError
from rollouts.traffic.router import TrafficIntent
from rollouts.verification.verifier import CannotTell, Pods, Wanted
from tests.unit.controllers.rollout.world import KEY, RESOURCES, World, routed
from tests.unit.kube.world import LoopClock, virtual
from tests.unit.verification.planes import INTENT, route

ROUTER = "argoproj-labs/gatewayAPI"
OURS = "example.com/ours"
SPLIT = {"stable": 80, "canary": 20}
PATIENCE = timedelta(seconds=30)


class Plane:
    """A verifier whose answers a test sets: what differs, or an error."""

    name: ClassVar[str] = "the plane"
    pause: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self.answer: str | Exception = "rule 0 has 0 %"
        self.looks = 0
        self.closed = False
        self.pods: Mapping[str, str] = {}

    def covers(self, wanted: Wanted) -> frozenset[str]:
        return frozenset({OURS} & set(wanted.controllers))

    async def differs(self, wanted: Wanted, pods: Pods) -> str:
        self.pods = await pods()
        self.looks += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        self.closed = True


class Asking:
    """Questions about one route, with what woke its Rollout."""

    def __init__(self) -> None:
        self.plane = Plane()
        self.woken: list[Key] = []
        self.refusal: errors.KubeError | None = None
        self.verifying = Verifying([self.plane], LoopClock(), PATIENCE, self.list_pods, self.woken.append)
        self.live = [route([SPLIT], OURS)]

    async def list_pods(self, key: Key, versions: Collection[str]) -> Mapping[str, str]:
        assert (key, sorted(versions)) == (KEY, ["v1", "v2"])
        if self.refusal is not None:
            raise self.refusal
        return {"10.0.0.1": "v1"}

    def word(self, *, seen: bool = False) -> Verification | None:
        found = self.verifying.word(KEY, ROUTER, self.live, INTENT, seen=seen)
        self.verifying.pursue(KEY)
        return found


@asynccontextmanager
async def asking() -> AsyncIterator[Asking]:
    made = Asking()
    running = asyncio.create_task(made.verifying.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert made.plane.closed


@virtual
async def test_a_change_that_comes_into_force_wakes_the_rollout_once() -> None:
    async with asking() as a:
        assert a.word() == Verification()
        await asyncio.sleep(1)
        assert (a.word(), a.woken) == (Verification(), [])
        a.plane.answer = ""
        await asyncio.sleep(2)
        assert (a.word(), a.woken) == (Verification(verified=True), [KEY])
        looks = a.plane.looks
        assert a.plane.pods == {"10.0.0.1": "v1"}
        await asyncio.sleep(100)
        assert a.plane.looks == looks


@virtual
async def test_pods_that_cannot_be_read_are_like_a_data_plane_that_cannot_be_asked() -> None:
    async with asking() as a:
        a.refusal = errors.Forbidden("pods is forbidden", status=403)
        a.word()
        await asyncio.sleep(PATIENCE.total_seconds() + 2)
        word = a.word()
        assert word is not None
        assert word.given_up
        assert "pods is forbidden" in word.message


@virtual
async def test_a_data_plane_that_stays_behind_is_told_and_asked_on() -> None:
    async with asking() as a:
        a.word()
        await asyncio.sleep(QUIET + 1)
        assert a.word() == Verification(message="the plane: rule 0 has 0 %")
        await asyncio.sleep(1000)
        assert a.word() == Verification(message="the plane: rule 0 has 0 %")
        assert a.woken == [KEY]


@pytest.mark.parametrize("error", [BackendError("down"), CannotTell("down"), KeyError("down")])
def test_one_that_cannot_be_asked_is_given_up_after_a_while(error: Exception) -> None:
    @virtual
    async def run() -> None:
        async with asking() as a:
            a.plane.answer = error
            a.word()
            await asyncio.sleep(PATIENCE.total_seconds() - 1)
            word = a.word()
            assert word is not None
            assert not word.given_up
            await asyncio.sleep(3)
            word = a.word()
            assert word is not None
            assert word.given_up
            assert word.message.startswith("the plane: ")
            looks = a.plane.looks
            await asyncio.sleep(100)
            assert a.plane.looks == looks

    run()


@virtual
async def test_the_patience_begins_anew_with_every_answer() -> None:
    async with asking() as a:
        a.word()
        await asyncio.sleep(25)
        a.plane.answer = BackendError("down")
        await asyncio.sleep(25)
        assert a.word() == Verification(message="the plane: down")
        a.plane.answer = ""
        await asyncio.sleep(2)
        assert a.word() == Verification(verified=True)


@virtual
async def test_another_weight_is_another_question() -> None:
    async with asking() as a:
        a.plane.answer = ""
        a.word()
        await asyncio.sleep(1)
        assert a.word() == Verification(verified=True)
        a.live = [route([{"stable": 50, "canary": 50}], OURS)]
        assert a.word() == Verification()


@virtual
async def test_what_is_not_asked_any_more_is_not_looked_at() -> None:
    async with asking() as a:
        a.word()
        await asyncio.sleep(1)
        a.verifying.keep(KEY, ())
        looks = a.plane.looks
        await asyncio.sleep(100)
        assert a.plane.looks == looks


@virtual
async def test_what_was_seen_in_force_is_not_asked_again() -> None:
    async with asking() as a:
        assert a.word(seen=True) == Verification(verified=True)
        await asyncio.sleep(100)
        assert a.plane.looks == 0


@virtual
async def test_a_word_that_is_not_about_everything_counts_for_nothing() -> None:
    async with asking() as a:
        a.plane.answer = ""
        ours, unreported = route([SPLIT], OURS), route([SPLIT])
        shared, theirs = route([SPLIT], OURS, "example.com/theirs"), route([SPLIT], "example.com/theirs")
        other = {"kind": "VirtualService", "metadata": {"name": "web"}}
        for live in ([unreported], [shared], [theirs], [ours, theirs], [other], []):
            a.live = live
            assert a.word() is None, live
        assert a.plane.looks == 0


@virtual
async def test_questions_noted_before_it_runs_are_asked_when_it_does() -> None:
    made = Asking()
    made.plane.answer = ""
    made.word()
    running = asyncio.create_task(made.verifying.run())
    await asyncio.sleep(1)
    assert made.word() == Verification(verified=True)
    running.cancel()
    await asyncio.wait([running])


async def test_pods_are_told_by_their_addresses() -> None:
    asked: list[tuple[str, str]] = []

    class Api:
        async def list(self, resource: Resource, namespace: str, *, label_selector: str) -> Listing:
            asked.append((namespace, label_selector))
            pods = [pod("v1", "10.0.0.1", "fd00::1"), pod("v2", "10.0.0.2"), pod("v2")]
            return Listing(pods, "7")

    def pod(version: str, *addresses: str) -> Manifest:
        labels = {"rollouts-pod-template-hash": version}
        return {"metadata": {"labels": labels}, "status": {"podIPs": [{"ip": ip} for ip in addresses]}}

    pods = versions_by_address(cast("KubeApi", Api()))
    assert await pods(KEY, {"v2", "v1", ""}) == {"10.0.0.1": "v1", "fd00::1": "v1", "10.0.0.2": "v2"}
    assert await pods(KEY, {""}) == {}
    assert asked == [("shop", "rollouts-pod-template-hash in (v1, v2)")]


# -- what decisions make of it ------------------------------------------------------------------------------


class Told(Verifying):
    """Words as a test sets them; what was seen in force stays so."""

    def __init__(self) -> None:
        super().__init__()
        self.next = Verification()

    def word(
        self, key: Key, router: str, live: Sequence[Manifest], intent: TrafficIntent, *, seen: bool
    ) -> Verification | None:
        return Verification(verified=True) if seen else self.next


def at_first_weight(told: Told, controller: str = "") -> World:
    """Return a world whose first weight is written, and accepted when a controller reports on the route."""
    world = routed([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])
    world.settle()
    if controller:
        world.accept_route(controller)
        world.settle()
    world.observer = Observer(world.cache, lambda group, kind: RESOURCES.get(kind), verifying=told)
    told.next = Verification(verified=True)
    world.deploy("web:v2")
    world.settle(pods=False)
    told.next = Verification()
    world.settle()
    if controller:
        world.accept_route(controller)
        world.settle()
    assert world.weights() == (75, 25)
    return world


@pytest.mark.parametrize("controller", ["", "example.com/gw"], ids=["written", "accepted"])
def test_a_step_waits_for_the_data_planes_own_word_and_for_nothing_else(controller: str) -> None:
    told = Told()
    world = at_first_weight(told, controller)
    assert (world.status["currentStepIndex"], world.status["canary"]["weights"]["verified"]) == (0, False)
    world.wait(600)
    world.settle()
    assert world.status["currentStepIndex"] == 0

    told.next = Verification(message="the plane: rule 0 has 0 %")
    world.settle()
    warned = [event.message for event in world.events if event.reason == "TrafficNotVerified"]
    assert set(warned) == {f"{ROUTER}: waits, the plane: rule 0 has 0 %"}

    told.next = Verification(verified=True)
    world.settle()
    assert (world.status["currentStepIndex"], world.status["canary"]["weights"]["verified"]) == (1, True)
    told.next = Verification()
    world.settle()
    assert world.status["canary"]["weights"]["verified"] is True


def test_a_data_plane_that_nobody_can_ask_is_told_once_and_acceptance_must_do() -> None:
    told = Told()
    world = at_first_weight(told, "example.com/gw")
    world.wait(600)
    told.next = Verification(message="the plane: no answer", given_up=True)
    world.settle()
    assert (world.status["currentStepIndex"], world.status["canary"]["weights"]["verified"]) == (1, True)
    warned = [event for event in world.events if event.reason == "TrafficNotVerified"]
    assert [event.type for event in warned] == ["Warning"]
    assert "the plane: no answer" in warned[0].message


def test_where_nobody_accepts_either_the_written_weight_must_do() -> None:
    told = Told()
    world = at_first_weight(told)
    told.next = Verification(message="the plane: no answer", given_up=True)
    world.settle()
    assert world.status["currentStepIndex"] == 1
    assert "verified" not in world.status["canary"]["weights"]
    world.settle()
    assert len([event for event in world.events if event.reason == "TrafficNotVerified"]) == 1


@pytest.mark.parametrize("controller", ["", "example.com/gw"], ids=["written", "accepted"])
def test_an_abort_waits_for_no_data_plane(controller: str) -> None:
    told = Told()
    world = at_first_weight(told, controller)
    world.user(abort=True)
    world.settle()
    if controller:
        world.accept_route(controller)
        world.settle()
        world.wait(3)
        world.settle()
    assert (world.phase, world.weights()) == ("Degraded", (100, 0))
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": 0}


def test_a_promotion_keeps_the_old_pods_until_the_data_plane_has_left_them() -> None:
    told = Told()
    world = at_first_weight(told)
    told.next = Verification(verified=True)
    for _ in range(2):
        world.settle()
        world.user(pauseConditions=None)
        told.next = Verification()
        world.settle()
        told.next = Verification(verified=True)
    world.settle()
    assert (world.phase, world.weights(), world.selects("stable")) == ("Healthy", (100, 0), "v2")
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 0, "v2": 4}


def test_without_an_update_nobody_is_asked() -> None:
    told = Told()
    world = routed([{"setWeight": 25}])
    world.observer = Observer(world.cache, lambda group, kind: RESOURCES.get(kind), verifying=told)
    world.settle()
    assert (world.phase, world.snapshot().routers[0].verification) == ("Healthy", None)


@pytest.mark.parametrize(
    "settings",
    [{"verify_traefik": "traefik:8080"}, {"verify_envoy": "ftp://envoy"}, {"egress_allow": "a/b"}],
    ids=["no-scheme", "another-scheme", "allowlist"],
)
def test_a_setting_that_cannot_be_read_is_named(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"^{next(iter(settings))}: "):
        verifiers_for(Settings.build({}, **settings), LoopClock().now)


async def test_each_setting_chooses_its_data_plane() -> None:
    settings = Settings(verify_traefik="http://a:1,http://b:1", verify_envoy="http://c:1", verify_alb=True)
    chosen = verifiers_for(settings, LoopClock().now)
    assert [verifier.name for verifier in chosen] == [
        "Traefik's API", "Envoy's admin endpoint", "the AWS API",
    ]  # fmt: skip
    assert verifiers_for(Settings(), LoopClock().now) == ()
    for verifier in chosen:
        await verifier.close()
