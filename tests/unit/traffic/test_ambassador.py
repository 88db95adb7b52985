"""The router contract on Ambassador, and the canary Mappings that it owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, Live, RouterCase, RouterContract, applied
from rollouts.traffic.ambassador import Ambassador, canary_name
from rollouts.traffic.router import TrafficError, TrafficIntent
from tests.unit.traffic.routes import INTENT

CONFIG = {"mappings": ["web", "docs"]}


def mapping(name: str = "web", **spec: Any) -> Manifest:
    return {
        "apiVersion": "getambassador.io/v3alpha1",
        "kind": "Mapping",
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": "3", "uid": f"u-{name}"},
        "spec": {"prefix": "/", "service": "web-stable:8080", "timeout_ms": FOREIGN, **spec},
    }


def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    found = [obj["spec"]["weight"] for obj in live if obj["metadata"]["name"].endswith("-canary")]
    return [{"canary": weight, "stable": 100 - weight} for weight in found]


class TestAmbassador(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        specs: tuple[Any, ...] = (None, {}, {"service": 1}, {"service": "web-canary"}, {"service": ""})
        broken = (*({**mapping(), "spec": spec} for spec in specs), mapping(weight=50))
        return RouterCase(
            router=Ambassador(),
            config=CONFIG,
            live=(mapping(), mapping("docs", prefix="/docs")),
            intent=INTENT,
            weights=weights,
            malformed=tuple((bad, mapping("docs")) for bad in broken),
            bad_configs=({}, {"mappings": []}, {"mappings": [""]}, {"mapping": "web"}),
        )


@pytest.mark.parametrize(
    ("service", "canary"),
    [
        pytest.param("web-stable", "web-canary", id="bare"),
        pytest.param("web-stable:8080", "web-canary:8080", id="port"),
        pytest.param("https://web-stable.shop:443", "https://web-canary.shop:443", id="scheme-and-namespace"),
        pytest.param("web:8080", "web-canary:8080", id="root-service"),
        pytest.param("web.other:8080", "web-canary:8080", id="root-service-elsewhere"),
        pytest.param("web.other", "web-canary", id="root-service-without-port"),
    ],
)
def test_the_canary_mapping_is_the_stable_one_with_another_service_and_a_weight(
    service: str, canary: str
) -> None:
    owner = {"kind": "Rollout", "name": "web", "uid": "u", "controller": True}
    live = (mapping(service=service),)
    (edit,) = Ambassador().plan({"mappings": ["web"]}, live, replace(INTENT, canary_weight=10, owner=owner))
    assert (edit.verb, edit.name, edit.reason) == ("create", "web-canary", "CanaryMappingWeightUpdate")
    assert edit.body["metadata"]["ownerReferences"] == [owner]
    assert edit.body["spec"] == {**live[0]["spec"], "service": canary, "weight": 10}


def test_at_weight_zero_the_canary_mapping_goes() -> None:
    live: Live = (mapping(), mapping("docs"))
    live = applied(live, Ambassador().plan(CONFIG, live, replace(INTENT, canary_weight=10)))
    edits = Ambassador().plan(CONFIG, live, replace(INTENT, canary_weight=0))
    assert [(edit.verb, edit.name) for edit in edits] == [("delete", "web-canary"), ("delete", "docs-canary")]


def test_a_canary_mapping_of_another_rollout_is_refused() -> None:
    other = mapping("web-canary", weight=5)
    other["metadata"]["ownerReferences"] = [
        {"kind": "Rollout", "name": "x", "uid": "other", "controller": True}
    ]
    intent = replace(INTENT, canary_weight=10, owner={"uid": "mine"})
    with pytest.raises(TrafficError, match="belongs to Rollout x"):
        Ambassador().plan({"mappings": ["web"]}, (mapping(), other), intent)


def test_the_name_of_a_canary_mapping_stays_a_name() -> None:
    assert canary_name("web") == "web-canary"
    assert len(canary_name("w" * 253)) == 253
