"""The same route before and after every step of one update, as a person reads it in YAML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rollouts.testing.router_contract import Live, applied
from rollouts.traffic.gateway_api import GatewayApi
from rollouts.traffic.router import Destination, TrafficIntent
from tests.unit.traffic.routes import HEADER, INTENT, MIRROR

GOLDEN = Path(__file__).parent / "golden"
EXPERIMENT = Destination(service="web-exp", weight=5, pod_hash="abc", port=80)


def steps() -> list[tuple[str, TrafficIntent]]:
    """Return one update: weights, header route, mirror route, experiment, promotion."""
    at20 = replace(INTENT, canary_weight=20)
    return [
        ("setWeight-20", at20),
        ("setHeaderRoute", replace(at20, header_routes=(HEADER,))),
        ("setMirrorRoute", replace(at20, header_routes=(HEADER,), mirror_routes=(MIRROR,))),
        ("experiment", replace(at20, additional=(EXPERIMENT,))),
        ("setWeight-100", replace(INTENT, canary_weight=100, retired=("web-exp",))),
        ("promoted", replace(INTENT, canary_weight=0, retired=("web-exp",))),
    ]


@pytest.mark.parametrize("kind", ["httproute", "grpcroute"])
def test_an_update_writes_what_the_golden_files_show(kind: str) -> None:
    documents = list(yaml.safe_load_all((GOLDEN / f"{kind}.yaml").read_text()))
    config = {"httpRoute": "web"} if kind == "httproute" else {"grpcRoute": "web"}
    live: Live = (documents[0]["object"],)
    assert [document["step"] for document in documents[1:]] == [name for name, _ in steps()]
    for (name, intent), document in zip(steps(), documents[1:], strict=True):
        live = applied(live, GatewayApi().plan(config, live, intent))
        assert live[0] == document["object"], name
