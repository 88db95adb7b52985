"""DestinationRules are given back when their Rollout names them no more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rollouts.controllers.rollout.rule_release import RuleReconciler
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, Resource
from rollouts.runtime.reconciler import Request
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import KEY, World

RULES = Resource("networking.istio.io", "v1", "destinationrules", "DestinationRule", True)
STRATEGY = {
    "canary": {
        "trafficRouting": {
            "istio": {
                "virtualService": {"name": "web"},
                "destinationRule": {"name": "web", "canarySubsetName": "b", "stableSubsetName": "a"},
            }
        }
    }
}


class Watched:
    """A cluster with Istio, and another kind of the same group."""

    def all(self) -> list[Resource]:
        return [RULES, Resource("networking.istio.io", "v1", "virtualservices", "VirtualService", True)]


def world(owner: str = KEY.name) -> World:
    found = World({"strategy": STRATEGY})
    subsets: list[Manifest] = [
        {"name": "a", "labels": {"app": "web", labels.POD_TEMPLATE_HASH: "h1"}},
        {"name": "b", "labels": {labels.POD_TEMPLATE_HASH: "h2"}},
        {"name": "c"},
    ]
    meta = {"name": "web", "annotations": {labels.MANAGED_BY: owner, "team": "shop"}}
    found.api.put(RULES, {"metadata": meta, "spec": {"host": "web", "subsets": subsets}})
    return found


def after_a_look(found: World) -> Manifest:
    request = Request(key=KEY, now=found.now, api=found.api)  # type: ignore[arg-type]
    asyncio.run(RuleReconciler(found.cache, Watched()).reconcile(request))  # type: ignore[arg-type]
    return found.api.objects[(RULES, "web")]


def is_released(rule: Manifest) -> bool:
    hashes = [labels.POD_TEMPLATE_HASH in subset.get("labels", {}) for subset in rule["spec"]["subsets"]]
    mark = labels.MANAGED_BY in objects.annotations_of(rule)
    assert hashes == [mark, mark, False]
    return not mark


def test_a_rule_in_use_is_left_alone() -> None:
    assert not is_released(after_a_look(world()))


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param({"canary": {"trafficRouting": None}}, id="no-router"),
        pytest.param({"canary": {"trafficRouting": {"istio": {"destinationRule": None}}}}, id="by-hosts"),
        pytest.param({"canary": None, "blueGreen": {"activeService": "web"}}, id="blue-green"),
        pytest.param(
            {"canary": {"trafficRouting": {"istio": {"destinationRule": {"name": "other"}}}}}, id="another"
        ),
    ],
)
def test_a_rule_that_the_rollout_names_no_more_is_given_back(strategy: dict[str, Any]) -> None:
    found = world()
    found.spec(strategy=strategy)
    rule = after_a_look(found)
    assert is_released(rule)
    assert rule["spec"]["subsets"][0] == {"name": "a", "labels": {"app": "web"}}
    assert objects.annotations_of(rule) == {"team": "shop"}


def test_the_rule_of_a_deleted_rollout_is_given_back() -> None:
    found = world()
    del found.api.objects[(objects.ROLLOUTS, KEY.name)]
    assert is_released(after_a_look(found))


def test_the_rule_of_another_rollout_is_left_alone() -> None:
    found = world(owner="other")
    del found.api.objects[(objects.ROLLOUTS, KEY.name)]
    assert not is_released(after_a_look(found))


def test_a_rollout_of_another_instance_is_asked_for_live() -> None:
    found = world()

    class OthersRollout(type(found.cache)):  # type: ignore[misc]
        def get(self, resource: object, namespace: str, name: str) -> object:
            return None if resource == objects.ROLLOUTS else super().get(resource, namespace, name)

    found.cache.__class__ = OthersRollout
    assert not is_released(after_a_look(found))
