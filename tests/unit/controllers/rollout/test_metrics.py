"""Metrics about Rollouts: names and labels are the peer's, values those of the cache at the scrape."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from rollouts.clock import SystemClock
from rollouts.controllers.rollout.controller import register
from rollouts.controllers.rollout.metrics import phase, register_metrics, strategy, traffic_router
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import ROLLOUTS, Resource
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings
from tests.unit.kube.world import Dice


class Listed:
    """A cache that lists what a test put into it."""

    def __init__(self, *rollouts: dict[str, Any]) -> None:
        self.rollouts = rollouts

    def list(self, resource: Resource, namespace: str | None = None) -> tuple[dict[str, Any], ...]:
        assert resource == ROLLOUTS
        return self.rollouts


def registry_of(*rollouts: dict[str, Any]) -> CollectorRegistry:
    registry = new_registry()
    register_metrics(SimpleNamespace(cache=Listed(*rollouts), registry=registry))  # type: ignore[arg-type]
    return registry


def lines(registry: CollectorRegistry, name: str) -> set[str]:
    text = generate_latest(registry).decode()
    return {line for line in text.splitlines() if line.startswith(f"{name}{{")}


def rollout(spec: dict[str, Any], *conditions: tuple[str, str], **status: Any) -> dict[str, Any]:
    found = [{"type": kind, "reason": reason, "status": "True"} for kind, reason in conditions]
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
        "status": {"conditions": found, **status},
    }


CANARY = {"strategy": {"canary": {"trafficRouting": {"istio": {}}}}}


def test_a_rollout_says_strategy_router_and_phase() -> None:
    registry = registry_of(rollout(CANARY, ("Progressing", "RolloutPaused")))
    assert lines(registry, "rollout_info") == {
        'rollout_info{name="web",namespace="shop",phase="Paused",strategy="canary",'
        'traffic_router="Istio"} 1.0'
    }
    assert lines(registry, "rollout_phase") == {
        f'rollout_phase{{name="web",namespace="shop",phase="{name}",strategy="canary"}}'
        f" {float(name == 'Paused')}"
        for name in ("Completed", "Progressing", "Paused", "Timeout", "Error", "Abort")
    }


@pytest.mark.parametrize(
    ("what", "number"), [("available", 3), ("unavailable", 2), ("desired", 4), ("updated", 1)]
)
def test_replicas_are_told(what: str, number: int) -> None:
    status = {"replicas": 5, "availableReplicas": 3, "updatedReplicas": 1}
    registry = registry_of(rollout({**CANARY, "replicas": 4}, **status))
    assert lines(registry, f"rollout_info_replicas_{what}") == {
        f'rollout_info_replicas_{what}{{name="web",namespace="shop"}} {float(number)}'
    }


@pytest.mark.parametrize(("replicas", "number"), [(None, 1.0), (0, 0.0)])
def test_replicas_that_are_not_written_are_one(replicas: int | None, number: float) -> None:
    registry = registry_of(rollout({**CANARY, "replicas": replicas}))
    labels = {"namespace": "shop", "name": "web"}
    assert registry.get_sample_value("rollout_info_replicas_desired", labels) == number
    assert registry.get_sample_value("rollout_info_replicas_available", labels) == 0.0


@pytest.mark.parametrize(
    ("conditions", "name"),
    [
        ((), "Progressing"),
        ((("Progressing", "ReplicaSetUpdated"),), "Progressing"),
        ((("Progressing", "NewReplicaSetAvailable"),), "Completed"),
        ((("Progressing", "RolloutPaused"),), "Paused"),
        ((("Progressing", "ProgressDeadlineExceeded"),), "Timeout"),
        ((("Progressing", "ReplicaSetCreateError"),), "Error"),
        ((("Progressing", "RolloutAborted"),), "Abort"),
        ((("Progressing", "RolloutPaused"), ("InvalidSpec", "InvalidSpec")), "InvalidSpec"),
    ],
)
def test_the_phase_comes_from_the_conditions(conditions: Any, name: str) -> None:
    assert phase(rollout(CANARY, *conditions)) == name


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"strategy": {"blueGreen": {"activeService": "a"}}}, ("blueGreen", "")),
        ({"strategy": {"canary": {}}}, ("canary", "")),
        ({}, ("none", "")),
        ({"strategy": {"canary": {"trafficRouting": {"alb": {}}}}}, ("canary", "ALB")),
        (
            {"strategy": {"canary": {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {}}}}}},
            ("canary", "argoproj-labs/gatewayAPI"),
        ),
    ],
    ids=["blue-green", "canary", "none", "alb", "plugin"],
)
def test_strategy_and_router_are_named_as_the_peer_does(spec: Any, expected: tuple[str, str]) -> None:
    assert (strategy(rollout(spec)), traffic_router(rollout(spec))) == expected


async def test_the_registered_controller_has_the_metrics() -> None:
    cluster = EmbeddedCluster(SystemClock(), Dice())
    registry = new_registry()
    manager = Manager(cluster.api(), SystemClock(), Dice(), Settings(), registry, AlwaysLeader())
    register(manager, Settings())
    names = {metric.name for metric in registry.collect()}
    await cluster.close()
    replicas = {
        f"rollout_info_replicas_{what}" for what in ("available", "unavailable", "desired", "updated")
    }
    assert {"rollout_info", "rollout_phase", *replicas} <= names
