"""A template that no ReplicaSet can have is mended instead of refused."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.workloads.tolerant import usable


def template(resources: Any = None, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "web", "image": "web:v1"}
    if resources is not None:
        container["resources"] = resources
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container], **spec}}


def test_ephemeral_containers_are_left_out() -> None:
    assert usable(template(ephemeralContainers=[{"name": "debug"}])) == template()


@pytest.mark.parametrize("amount", ["a lot", "", "1 Gi", True, None, {"value": 1}, float("nan")])
@pytest.mark.parametrize("kind", ["limits", "requests"])
def test_what_is_no_quantity_is_left_out_and_the_rest_stays(kind: str, amount: Any) -> None:
    odd = template({kind: {"memory": amount, "cpu": "500m"}})
    assert usable(odd) == template({kind: {"cpu": "500m"}})


def test_init_containers_are_looked_at_too() -> None:
    odd = template(initContainers=[{"name": "x", "resources": {"limits": {"cpu": "many"}}}])
    assert usable(odd)["spec"]["initContainers"] == [{"name": "x", "resources": {"limits": {}}}]


@pytest.mark.parametrize(
    "good",
    [{}, {"spec": None}, template(), template({"limits": {"cpu": 0.5, "memory": "0.5Gi"}, "claims": []})],
    ids=["nothing", "no spec", "no resources", "odd but good"],
)
def test_a_good_template_is_the_very_same(good: dict[str, Any]) -> None:
    assert usable(good) is good
