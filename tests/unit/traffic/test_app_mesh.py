"""The router contract on App Mesh, and the pods behind its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, Live, RouterCase, RouterContract, applied
from rollouts.traffic.app_mesh import HASH_LABEL, MANAGED_BY, AppMesh
from rollouts.traffic.router import TrafficError, TrafficIntent
from tests.unit.traffic.routes import INTENT

CONFIG = {
    "virtualService": {"name": "web", "routes": ["main"]},
    "virtualNodeGroup": {
        "canaryVirtualNodeRef": {"name": "web-canary"},
        "stableVirtualNodeRef": {"name": "web-stable"},
    },
}


def thing(kind: str, name: str, spec: Any) -> Manifest:
    meta = {"name": name, "namespace": "shop", "resourceVersion": "3"}
    return {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": meta, "spec": spec}


def service(router: str = "web-router", **ref: str) -> Manifest:
    reference = {"name": router, **ref}
    return thing("VirtualService", "web", {"provider": {"virtualRouter": {"virtualRouterRef": reference}}})


def route(name: str, kind: str = "httpRoute") -> Manifest:
    targets = [
        {"virtualNodeRef": {"name": "web-stable"}, "weight": 100},
        {"virtualNodeRef": {"name": "web-canary"}, "weight": 0},
    ]
    return {"name": name, kind: {"match": FOREIGN, "action": {"weightedTargets": targets}}}


def router(*routes: Any, name: str = "web-router") -> Manifest:
    return thing("VirtualRouter", name, {"listeners": [FOREIGN], "routes": list(routes)})


def node(name: str) -> Manifest:
    return thing("VirtualNode", name, {"podSelector": {"matchLabels": {"app": FOREIGN}}})


def objects(found: Manifest) -> Live:
    return (service(), found, node("web-stable"), node("web-canary"))


def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    (found,) = [obj for obj in live if obj["kind"] == "VirtualRouter"]
    targets = found["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    return [{target["virtualNodeRef"]["name"]: target["weight"] for target in targets}]


class TestAppMesh(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        half = route("main")
        del half["httpRoute"]["action"]["weightedTargets"][1]
        spoilt = (
            router(),
            router(None),
            router({"name": "main"}),
            router({"name": "main", "httpRoute": {"action": {}}}),
            router({"name": "main", "httpRoute": 1}),
            router(half),
            router(route("other")),
            {**router(route("main")), "spec": None},
        )
        return RouterCase(
            router=AppMesh(),
            config=CONFIG,
            live=objects(router(route("main"), route("other"))),
            intent=replace(INTENT, stable_hash="s1", canary_hash="c2"),
            weights=weights,
            malformed=tuple(objects(bad) for bad in spoilt),
            bad_configs=({}, {"virtualService": {"name": "web"}}, {**CONFIG, "routes": []}),
        )


def test_routes_that_are_not_named_keep_their_weights() -> None:
    live = objects(router(route("main"), route("other", "tcpRoute")))
    after = applied(live, AppMesh().plan(CONFIG, live, replace(INTENT, canary_weight=30)))
    (found,) = [obj for obj in after if obj["kind"] == "VirtualRouter"]
    assert found["spec"]["routes"][1] == route("other", "tcpRoute")


def test_nodes_select_the_versions_before_weights_lead_there() -> None:
    live = objects(router(route("main")))
    intent = replace(INTENT, canary_weight=30, stable_hash="s1", canary_hash="c2")
    edits = AppMesh().plan(CONFIG, live, intent)
    assert [edit.kind for edit in edits] == ["VirtualNode", "VirtualNode", "VirtualRouter"]
    labels = [edit.body["spec"]["podSelector"]["matchLabels"] for edit in edits[:2]]
    assert labels == [{"app": FOREIGN, HASH_LABEL: "c2"}, {"app": FOREIGN, HASH_LABEL: "s1"}]


def hashes(live: Live) -> dict[str, str]:
    """Return what each node selects."""
    nodes = [obj for obj in live if obj["kind"] == "VirtualNode"]
    return {
        obj["metadata"]["name"]: obj["spec"]["podSelector"]["matchLabels"].get(HASH_LABEL, "")
        for obj in nodes
    }


@pytest.mark.parametrize(
    ("intent", "stable", "canary"),
    [
        pytest.param({"stable_hash": "a", "canary_hash": "a"}, "a", "canary-hash", id="promoted"),
        pytest.param({"stable_hash": "a", "canary_hash": ""}, "a", "canary-hash", id="no-canary"),
        pytest.param({"stable_hash": "", "canary_hash": "a"}, "stable-hash", "a", id="first-version"),
        pytest.param({"stable_hash": "", "canary_hash": ""}, "stable-hash", "canary-hash", id="none"),
        pytest.param(
            {"stable_hash": "a", "canary_hash": "a", "canary_weight": 100}, "a", "a", id="still-weighted"
        ),
    ],
)
def test_two_nodes_never_select_the_same_pods_while_one_of_them_is_idle(
    intent: dict[str, Any], stable: str, canary: str
) -> None:
    live = objects(router(route("main")))
    after = applied(live, AppMesh().plan(CONFIG, live, replace(INTENT, **intent)))
    assert hashes(after) == {"web-stable": stable, "web-canary": canary}
    marks = [obj["metadata"].get("annotations") for obj in after if obj["kind"] == "VirtualNode"]
    assert marks == [{MANAGED_BY: "web"}] * 2


def test_a_canary_node_falls_idle_after_its_weight_is_gone() -> None:
    live = objects(router(route("main")))
    live = applied(
        live,
        AppMesh().plan(CONFIG, live, replace(INTENT, canary_weight=100, stable_hash="s1", canary_hash="c2")),
    )
    promoted = replace(INTENT, canary_weight=0, stable_hash="c2", canary_hash="c2")
    names = [edit.name for edit in AppMesh().plan(CONFIG, live, promoted)]
    assert names == ["web-stable", "web-router", "web-canary"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(
            thing("VirtualService", "web", {"provider": {"virtualNode": {}}}),
            "names no VirtualRouter",
            id="behind-a-node",
        ),
        pytest.param(service(namespace="other"), "must be in the Rollout's namespace", id="elsewhere"),
        pytest.param(service("gone"), "VirtualRouter shop/gone was not found", id="gone"),
    ],
)
def test_a_service_that_cannot_be_split_is_refused(found: Manifest, words: str) -> None:
    live = (found, *objects(router(route("main")))[1:])
    with pytest.raises(TrafficError, match=words):
        AppMesh().plan(CONFIG, live, replace(INTENT, canary_weight=30))
