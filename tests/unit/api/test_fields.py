from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.argoproj.rollout import Rollout
from rollouts.api.fields import (
    inactive_fields,
    suggestion,
    unknown_fields,
    unknown_fields_with_hints,
    without_nulls,
)


def rollout(**spec: Any) -> Rollout:
    return Rollout.model_validate({"metadata": {"name": "web"}, "spec": spec})


def test_unknown_fields_are_found_at_any_depth_with_indexes() -> None:
    found = unknown_fields(
        rollout(
            replica=3,
            strategy={
                "canary": {
                    "steps": [{"setWeight": 5}, {"setWieght": 10}],
                    "trafficRouting": {"gatewayAPI": {}, "istio": {"virtualService": {"nam": "x"}}},
                }
            },
        )
    )
    assert set(found) == {
        "spec.replica",
        "spec.strategy.canary.steps[1].setWieght",
        "spec.strategy.canary.trafficRouting.gatewayAPI",
        "spec.strategy.canary.trafficRouting.istio.virtualService.nam",
    }


def test_free_form_parts_are_not_looked_into() -> None:
    assert unknown_fields(rollout(template={"anything": {"goes": 1}}, selector={"also": "here"})) == ()


def test_an_unknown_field_comes_with_the_known_one_that_it_looks_like() -> None:
    hints = dict(unknown_fields_with_hints(rollout(replica=3, zzz=1)))
    assert hints == {"spec.replica": "replicas", "spec.zzz": None}


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ("spec.setWieght", "setWeight"),
        ("setweight", "setWeight"),
        ("set_weight", "setWeight"),
        ("puase", "pause"),
        ("colour", None),
    ],
)
def test_a_suggestion_is_given_only_when_it_is_close(seen: str, meant: str | None) -> None:
    assert suggestion(seen, ("setWeight", "pause", "analysis")) == meant


def test_a_null_means_absent() -> None:
    assert without_nulls({"a": None, "b": [{"c": None, "d": 1}], "e": {"f": None}}) == {
        "b": [{"d": 1}],
        "e": {},
    }


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({}, ()),
        ({"restartAt": None, "workloadRef": {}}, ()),
        ({"restartAt": "2026-01-01T00:00:00Z"}, ()),
        ({"workloadRef": {"name": "web"}}, ()),
        ({"strategy": {"canary": {"steps": [{"setWeight": 5}, {"pause": {}}]}}}, ()),
        (
            {
                "strategy": {
                    "canary": {"steps": [{"pause": {}}, {"experiment": {}}, {"plugin": {"name": "x"}}]}
                }
            },
            (),
        ),
        (
            {"strategy": {"canary": {"trafficRouting": {"appMesh": {"virtualService": {"name": "x"}}}}}},
            (),
        ),
        ({"strategy": {"canary": {"trafficRouting": {"ambassador": {"mappings": ["x"]}}}}}, ()),
        ({"strategy": {"canary": {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {}}}}}}, ()),
        (
            {"strategy": {"canary": {"trafficRouting": {"plugins": {"acme/router": {}}}}}},
            ('spec.strategy.canary.trafficRouting.plugins["acme/router"]',),
        ),
        (
            {"strategy": {"canary": {"replicaProgressThreshold": {"value": 5}, "dynamicStableScale": True}}},
            (),
        ),
        ({"strategy": {"blueGreen": {"antiAffinity": {}}, "canary": "not a mapping"}}, ()),
    ],
)
def test_fields_that_are_not_acted_on_are_named(spec: dict[str, Any], paths: tuple[str, ...]) -> None:
    assert inactive_fields(spec) == paths


def test_a_plugin_that_a_package_answers_is_not_named() -> None:
    spec = {"strategy": {"canary": {"trafficRouting": {"plugins": {"acme/router": {}, "acme/gone": {}}}}}}
    paths = inactive_fields(spec, {"acme/router"})
    assert paths == ('spec.strategy.canary.trafficRouting.plugins["acme/gone"]',)
