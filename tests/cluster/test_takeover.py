"""A cluster that another controller leaves in mid-work is taken over without a pod created or deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.contenders import Contender, holder
from tests.cluster.control_plane import RealCluster
from tests.cluster.crds import BOTH_CRDS
from tests.cluster.harness import apply
from tests.cluster.moving import Place, move
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object, canary, pod_template, rollout, route, service

APP = "shop"
STEPS = [{"setWeight": 50}, {"pause": {}}]
KEPT = {"abortScaleDownDelaySeconds": 600}
ROUTED = canary(STEPS, name=APP, **KEPT)
STRATEGIES: dict[str, Object] = {
    "canary": {"canary": {"steps": STEPS}},
    "paused": ROUTED,
    "aborted": ROUTED,
    "preview": {
        "blueGreen": {
            "activeService": f"{APP}-stable", "previewService": f"{APP}-canary",
            "autoPromotionEnabled": False, **KEPT,
        }
    },
}  # fmt: skip
QUIET_SECONDS = 4.0


def shop(state: str, version: str) -> Object:
    return rollout(APP, STRATEGIES[state], pod_template(APP, version))


def begin(cluster: RealCluster, state: str) -> Place:
    place = Place(cluster, cluster.new_namespace(f"left-{state}"))
    parts = [service(f"{APP}-stable", APP), service(f"{APP}-canary", APP)]
    weights = {f"{APP}-stable": 100, f"{APP}-canary": 0}
    apply(cluster, place.name, [*parts, route(APP, f"{place.name}.test", weights), shop(state, "v1")])
    return place


@contextmanager
def left(cluster: RealCluster, folder: Path) -> Iterator[dict[str, Place]]:
    """Bring four Rollouts into the middle of something and write them as another controller leaves them."""
    before = {state: begin(cluster, state) for state in STRATEGIES}
    process = Contender(cluster, folder, "before").start()
    try:
        for place in before.values():
            place.wait("v1 Healthy", phase="Healthy")
        for state, place in before.items():
            apply(cluster, place.name, [shop(state, "v2")])
        for place in before.values():
            place.wait("the pause", phase="Paused")
        before["aborted"].user(abort=True)
        before["aborted"].wait("the abort", phase="Degraded")
    finally:
        assert process.stop() == 0, process.process.tail()
    places = {state: move(place, cluster.new_namespace(state)) for state, place in before.items()}
    for place in before.values():
        cluster.delete_namespace(place.name)
    yield places
    for place in places.values():
        cluster.delete_namespace(place.name)


GOES_ON: dict[str, Callable[[Place], object]] = {
    "canary": lambda place: place.user(pauseConditions=None),
    "paused": lambda place: place.user(pauseConditions=None),
    "aborted": lambda place: place.user(abort=False),
    "preview": lambda place: place.user(pauseConditions=None),
}
ENDS = {"canary": "Healthy", "paused": "Healthy", "aborted": "Paused", "preview": "Healthy"}


def take_over(cluster: RealCluster, folder: Path) -> None:
    folder.mkdir()
    with left(cluster, folder) as places:
        nothing_moves_until_a_person_acts(cluster, places, folder)


def nothing_moves_until_a_person_acts(cluster: RealCluster, left: dict[str, Place], folder: Path) -> None:
    pictures = {state: place.picture() for state, place in left.items()}
    assert {state: picture["status"]["phase"] for state, picture in pictures.items()} == {
        "canary": "Paused", "paused": "Paused", "aborted": "Degraded", "preview": "Paused",
    }  # fmt: skip
    mark = cluster.audit.mark()
    process = Contender(cluster, folder, "after").start()
    try:
        wait_until(lambda: holder(cluster), seconds=30, what="a leader")
        time.sleep(QUIET_SECONDS)
        for state, place in left.items():
            assert place.picture() == pictures[state], state
        mine = {
            (seen.verb, seen.kind)
            for place in left.values()
            for seen in cluster.audit.requests(process.user, since=mark, namespace=place.name)
            if seen.verb not in ("get", "list", "watch") and seen.kind != "events"
        }
        # The Gateway API router marks its route once; its rules stay as they are.
        assert mine <= {("patch", "rollouts/status"), ("update", "httproutes")}

        for state, act in GOES_ON.items():
            act(left[state])
        for state, place in left.items():
            place.wait(ENDS[state], phase=ENDS[state])
            hashes = {found for found, _ in place.versions().values()}
            assert hashes == {"foreign0", "foreign1"}, state
        for state in ("canary", "paused", "preview"):
            status = left[state].status
            assert status["stableRS"] == status["currentPodHash"] == left[state].versions()["v2"][0]
        assert process.stop() == 0
    finally:
        process.stop()


@pytest.fixture(scope="module")
def taken_over(
    leaderless_by_crds: Mapping[str, RealCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[None]]]:
    """Take over a cluster with our CRDs and one with the peer's, both at the same time."""
    folder = tmp_path_factory.mktemp("takeover")
    with ThreadPoolExecutor(len(leaderless_by_crds)) as pool:
        yield {
            crds: pool.submit(take_over, cluster, folder / crds)
            for crds, cluster in leaderless_by_crds.items()
        }


@pytest.mark.parametrize("crds", BOTH_CRDS)
def test_nothing_moves_until_a_person_acts_and_then_it_goes_on(
    taken_over: Mapping[str, Future[None]], crds: str
) -> None:
    taken_over[crds].result(timeout=150)
