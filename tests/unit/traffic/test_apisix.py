"""The router contract on APISIX, and the ApisixRoutes of header steps that it owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, Live, RouterCase, RouterContract, applied
from rollouts.traffic.apisix import Apisix
from rollouts.traffic.router import HeaderMatch, HeaderRoute, TrafficError, TrafficIntent
from tests.unit.traffic.routes import HEADER, INTENT

OWNER = {"kind": "Rollout", "name": "web", "uid": "u", "controller": True}
CONFIG = {"route": {"name": "web", "rules": ["main"]}}


def backends(*names: str) -> list[Manifest]:
    names = names or ("web-stable", "web-canary")
    return [{"serviceName": name, "servicePort": 80, "weight": 50} for name in names]


def route(*http: Manifest, name: str = "web", **meta: Any) -> Manifest:
    meta = {"name": name, "namespace": "shop", "resourceVersion": "2", "labels": {"team": FOREIGN}, **meta}
    rules = list(http) or [
        {"name": "main", "match": {"paths": ["/*"]}, "plugins": [FOREIGN], "backends": backends()},
        {"name": "other", "backends": backends()},
    ]
    spec = {"ingressClassName": "apisix", "http": rules}
    return {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "metadata": meta, "spec": spec}


def after(live: Live, intent: TrafficIntent, config: Mapping[str, Any] = CONFIG) -> dict[str, Manifest]:
    """Return the objects by name after the plan."""
    done = applied(live, Apisix().plan(config, live, intent))
    return {obj["metadata"]["name"]: obj for obj in done}


class TestApisix(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
            (main,) = (obj for obj in live if obj["metadata"]["name"] == "web")
            return [{b["serviceName"]: b["weight"] for b in main["spec"]["http"][0]["backends"]}]

        def spec(value: Any) -> Live:
            return ({**route(), "spec": value},)

        def backend(value: Any) -> Live:
            return (route({"name": "main", "backends": value}),)

        return RouterCase(
            router=Apisix(),
            config=CONFIG,
            live=(route(),),
            intent=INTENT,
            weights=weights,
            header_routes=(HEADER,),
            malformed=(
                *(spec(bad) for bad in (None, {}, {"http": 1}, {"http": [None]})),
                *(backend(bad) for bad in (None, "x", [""], [{"other": 1}], [{"serviceName": 7}])),
                (route({"name": 123, "backends": backends()}),),
                (route({"backends": backends()}),),
            ),
            bad_configs=({}, {"route": {}}),
        )


def test_rules_that_are_not_named_keep_their_weights() -> None:
    obj = after((route(),), replace(INTENT, canary_weight=5))["web"]
    assert obj["spec"]["http"][1] == route()["spec"]["http"][1]


def test_a_header_step_makes_a_route_of_its_own_above_the_rules_that_it_narrows() -> None:
    source: Manifest = {
        "name": "main",
        "priority": 7,
        "match": {"paths": ["/*"], "methods": ["GET"]},
        "backends": backends("web-stable", "web-canary", "audit"),
    }
    live = (route(source, {"name": "other", "backends": backends()}),)
    intent = replace(INTENT, canary_weight=20, header_routes=(HEADER,), owner=OWNER)
    made = after(live, intent)
    assert made["to-canary"]["metadata"] == {
        "name": "to-canary",
        "namespace": "shop",
        "labels": {"team": FOREIGN},
        "ownerReferences": [OWNER],
        "resourceVersion": "1",
    }
    subject = {"scope": "Header", "name": "x-canary"}
    assert made["to-canary"]["spec"] == {
        "ingressClassName": "apisix",
        "http": [
            {
                "name": "main",
                "priority": 8,
                "match": {**source["match"], "exprs": [{"subject": subject, "op": "Equal", "value": "yes"}]},
                "backends": [
                    {**backends("web-canary")[0], "weight": 100},
                    backends("audit")[0],
                ],
            }
        ],
    }
    assert [b["weight"] for b in made["web"]["spec"]["http"][0]["backends"]] == [80, 20, 50]


@pytest.mark.parametrize(
    ("match", "op", "value"),
    [
        pytest.param({"exact": "a"}, "Equal", "a", id="exact"),
        pytest.param({"regex": "a.b$"}, "RegexMatch", "a.b$", id="regex"),
        pytest.param({"prefix": "v1."}, "RegexMatch", r"^v1\..*", id="prefix"),
    ],
)
def test_a_header_value_is_written_as(match: dict[str, str], op: str, value: str) -> None:
    step = HeaderRoute(name="to-canary", matches=(HeaderMatch(header="h", **match),))
    made = after((route(),), replace(INTENT, header_routes=(step,)))["to-canary"]
    (rule,) = made["spec"]["http"]
    assert rule["priority"] == 1
    assert rule["match"]["exprs"] == [{"subject": {"scope": "Header", "name": "h"}, "op": op, "value": value}]


def test_headers_are_added_to_the_conditions_of_the_rule() -> None:
    own = {"subject": {"scope": "Query", "name": "q"}, "op": "Equal", "value": "1"}
    source = {"name": "main", "match": {"paths": ["/*"], "exprs": [own]}, "backends": backends()}
    step = HeaderRoute(
        name="to-canary", matches=(HeaderMatch(header="a", exact="1"), HeaderMatch(header="b", exact="2"))
    )
    made = after((route(source),), replace(INTENT, header_routes=(step,)))["to-canary"]
    exprs = made["spec"]["http"][0]["match"]["exprs"]
    assert exprs[0] == own
    assert [expr["subject"]["name"] for expr in exprs[1:]] == ["a", "b"]


def test_a_changed_rule_is_followed_by_its_header_route() -> None:
    intent = replace(INTENT, header_routes=(HEADER,), owner=OWNER)
    made = after((route(),), intent)
    made["web"]["spec"]["http"][0]["match"]["paths"] = ["/new/*"]
    again = after(tuple(made.values()), intent)
    assert again["to-canary"]["spec"]["http"][0]["match"]["paths"] == ["/new/*"]
    assert again["to-canary"]["spec"]["http"][0]["priority"] == 1


def test_managed_routes_that_no_step_asks_for_are_removed() -> None:
    made = after((route(),), replace(INTENT, header_routes=(HEADER,), owner=OWNER))
    assert set(after(tuple(made.values()), replace(INTENT, owner=OWNER))) == {"web"}


def test_a_route_of_somebody_else_is_refused_and_never_removed() -> None:
    theirs = route(name="to-canary")
    asked = replace(INTENT, header_routes=(HEADER,), owner=OWNER)
    with pytest.raises(TrafficError, match="does not belong to Rollout web"):
        Apisix().plan(CONFIG, (route(), theirs), asked)
    assert after((route(), theirs), replace(INTENT, owner=OWNER))["to-canary"] == theirs


@pytest.mark.parametrize(
    ("intent", "words"),
    [
        pytest.param({"managed_routes": ("web",)}, "is the name of the ApisixRoute itself", id="own-name"),
        pytest.param(
            {"header_routes": (HeaderRoute(name="h", matches=()),)}, "without a match", id="no-match"
        ),
        pytest.param(
            {"header_routes": (HeaderRoute(name="h", matches=(HeaderMatch(header="x"),)),)},
            "needs one of exact",
            id="no-value",
        ),
    ],
)
def test_a_header_route_that_cannot_be_is_refused(intent: dict[str, Any], words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        Apisix().plan(CONFIG, (route(),), replace(INTENT, **intent))


@pytest.mark.parametrize(
    ("rules", "http", "words"),
    [
        pytest.param(["main", "gone"], (), "no rule named 'gone' .seen 'main', 'other'", id="missing"),
        pytest.param(
            ["main", "half"],
            ({"name": "main", "backends": backends()}, {"name": "half", "backends": backends("web-stable")}),
            "half..backends: none with serviceName 'web-canary'",
            id="one-service",
        ),
    ],
)
def test_every_rule_that_is_named_must_lead_to_both_services(
    rules: list[str], http: tuple[Manifest, ...], words: str
) -> None:
    config = {"route": {"name": "web", "rules": rules}}
    with pytest.raises(TrafficError, match=words):
        Apisix().plan(config, (route(*http),), replace(INTENT, canary_weight=5))
