"""What a Rollout owns in routes and Services is never moved by a commit."""

import asyncio
from pathlib import Path
from typing import Any

import yaml

from rollouts.kube import errors
from rollouts.kube.objects import HTTP_ROUTES, SERVICES, Manifest
from rollouts.traffic.gateway_api import RECORD
from tests.unit.controllers.application.world import SPACE, World, rollout, running

ROUTING = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web", "namespace": SPACE}}}
STRATEGY = {
    "canary": {
        "stableService": "stable",
        "canaryService": "canary",
        "trafficRouting": ROUTING,
        "steps": [{"setWeight": 20}, {"pause": {}}],
    }
}


def route_definition() -> Manifest:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "httproutes.gateway.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io",
            "scope": "Namespaced",
            "names": {"kind": "HTTPRoute", "plural": "httproutes"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def route(host: str, **first: Any) -> str:
    refs = [{"name": "stable", "port": 80, "weight": 100}, {"name": "canary", "port": 80, "weight": 0}]
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web"},
        "spec": {"hostnames": [host], "rules": [{"backendRefs": refs, **first}]},
    }
    return yaml.safe_dump(body)


def service(name: str, port: int = 80) -> str:
    spec = {"selector": {"app": "web"}, "ports": [{"port": port}]}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})


async def started(world: World, strategy: Manifest = STRATEGY) -> None:
    world.cluster.install_crds([route_definition()])
    world.repository.write(
        app__route=route("a.example"),
        app__stable=service("stable"),
        app__canary=service("canary"),
        app__web=rollout("app:1", strategy=strategy),
    )
    await world.apply()
    await world.synced(world.repository.commit())


async def weights(world: World) -> list[int]:
    live = await world.api.get(HTTP_ROUTES, SPACE, "web")
    return [ref.get("weight", 1) for ref in live["spec"]["rules"][-1]["backendRefs"]]


async def shift(world: World, stable: int, canary: int, before: tuple[Manifest, ...] = ()) -> None:
    live = await world.api.get(HTTP_ROUTES, SPACE, "web")
    rule = live["spec"]["rules"][-1]
    for ref, weight in zip(rule["backendRefs"], (stable, canary), strict=True):
        ref["weight"] = weight
    live["spec"]["rules"] = [*before, rule]
    await world.api.replace(HTTP_ROUTES, SPACE, "web", live, field_manager="rollouts-controller")


async def test_a_shifted_weight_is_no_drift(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await started(world)
        await shift(world, 80, 20)
        await asyncio.sleep(0.3)
        assert await weights(world) == [80, 20]
        assert (await world.status())["sync"]["status"] == "Synced"


async def test_services_that_take_turns_own_their_weights_too(tmp_path: Path) -> None:
    turns = {"pingService": "stable", "pongService": "canary"}
    strategy = {"canary": {"pingPong": turns, "trafficRouting": ROUTING, "steps": [{"setWeight": 20}]}}
    async with running(tmp_path) as world:
        await started(world, strategy)
        await shift(world, 80, 20)
        world.repository.write(app__route=route("b.example"))
        await world.synced(world.repository.commit())
        assert await weights(world) == [80, 20]


async def test_an_unrelated_commit_to_the_route_leaves_the_weights(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await started(world)
        await shift(world, 80, 20)
        world.repository.write(app__route=route("b.example", timeouts={"request": "5s"}))
        await world.synced(world.repository.commit())

        live = await world.api.get(HTTP_ROUTES, SPACE, "web")
        assert live["spec"]["hostnames"] == ["b.example"]
        assert live["spec"]["rules"][0]["timeouts"] == {"request": "5s"}
        assert await weights(world) == [80, 20]


async def test_no_weight_flaps_while_commits_and_shifts_race(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await started(world)
        seen: list[list[int]] = []
        highest = 0
        for number in range(1, 11):
            world.repository.write(app__route=route(f"h{number}.example"))
            world.repository.commit()
            for _ in range(4):
                highest += 1
                try:
                    await shift(world, 100 - highest, highest)
                except errors.Conflict:  # the sync was faster: the next shift is on top of it
                    highest -= 1
                seen.append(await weights(world))
                await asyncio.sleep(0.02)
        canary = [pair[1] for pair in seen]
        assert canary == sorted(canary)
        assert canary[-1] == highest > 20


async def test_a_rule_that_the_router_added_stays_when_git_changes_the_route(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await started(world)
        added = {"name": "header", "matches": [{"headers": [{"name": "x", "value": "y"}]}]}
        record = {"metadata": {"annotations": {RECORD: '{"ns/web": {"header": "any"}}'}}}
        await shift(world, 80, 20, before=(added,))
        await world.api.patch(HTTP_ROUTES, SPACE, "web", record)

        world.repository.write(app__route=route("b.example"))
        await world.synced(world.repository.commit())

        live = await world.api.get(HTTP_ROUTES, SPACE, "web")
        assert live["spec"]["rules"][0] == added
        assert live["spec"]["hostnames"] == ["b.example"]
        assert await weights(world) == [80, 20]


async def test_a_services_pod_hash_stays_while_the_rest_follows_git(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await started(world)
        pinned = {"spec": {"selector": {"rollouts-pod-template-hash": "abc"}}}
        await world.api.patch(SERVICES, SPACE, "stable", pinned)
        world.repository.write(app__stable=service("stable", port=8080))
        await world.synced(world.repository.commit())

        live = await world.api.get(SERVICES, SPACE, "stable")
        assert live["spec"]["selector"] == {"app": "web", "rollouts-pod-template-hash": "abc"}
        assert [port["port"] for port in live["spec"]["ports"]] == [8080]


async def test_another_key_that_somebody_adds_to_a_selector_is_drift(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await started(world)
        await world.api.patch(SERVICES, SPACE, "stable", {"spec": {"selector": {"broken": "yes"}}})

        async def healed() -> bool:
            live = await world.api.get(SERVICES, SPACE, "stable")
            return bool(live["spec"]["selector"] == {"app": "web"})

        await world.eventually(healed)
