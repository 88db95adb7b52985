"""The router contract on SMI, and the split that it owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, NOW, Live, RouterCase, RouterContract
from rollouts.traffic.router import Destination, TrafficError, TrafficIntent
from rollouts.traffic.smi import Smi
from tests.unit.traffic.routes import INTENT


def split(spec: Any) -> Manifest:
    meta = {"name": "web", "namespace": "shop", "resourceVersion": "2", "labels": {"team": FOREIGN}}
    return {
        "apiVersion": "split.smi-spec.io/v1alpha3",
        "kind": "TrafficSplit",
        "metadata": meta,
        "spec": spec,
    }


def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    return [{b["service"]: b["weight"] for b in live[0]["spec"]["backends"]}]


class TestSmi(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        return RouterCase(
            router=Smi(),
            config={},
            live=(split({"service": "web-stable", "backends": [], "matches": [FOREIGN]}),),
            intent=INTENT,
            weights=weights,
            additional=(Destination(service="web-exp", weight=7, pod_hash="abc"),),
            malformed=tuple((split(spec),) for spec in (None, {"backends": 1}, {"backends": ["x"]})),
            bad_configs=({"rootService": 1}, {"service": "web"}),
            creates=True,
        )


def test_a_missing_split_is_created_for_the_rollout() -> None:
    owner = {"kind": "Rollout", "name": "web", "uid": "u", "controller": True}
    config = {"rootService": "web-root", "trafficSplitName": "own"}
    (edit,) = Smi().plan(config, (), replace(INTENT, canary_weight=10, owner=owner))
    assert (edit.verb, edit.name, edit.group) == ("create", "own", "split.smi-spec.io")
    assert edit.version == "", "in whichever version the cluster serves"
    assert edit.reason == "TrafficSplitCreated"
    assert edit.body["metadata"]["ownerReferences"] == [owner]
    assert edit.body["spec"] == {
        "service": "web-root",
        "backends": [{"service": "web-canary", "weight": 10}, {"service": "web-stable", "weight": 90}],
    }
    assert Smi().read(config, (edit.body,), INTENT, NOW).canary_weight == 10


def test_a_split_of_somebody_else_is_refused() -> None:
    intent = replace(INTENT, canary_weight=10, owner={"uid": "u"})
    with pytest.raises(TrafficError, match="does not belong to Rollout web"):
        Smi().plan({}, (split({"backends": []}),), intent)
