"""The router contract on Istio, and what it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, NOW, Live, RouterCase, RouterContract, applied
from rollouts.traffic.istio import HASH_LABEL, MANAGED_BY, Istio
from rollouts.traffic.router import Destination, HeaderMatch, HeaderRoute, TrafficError, TrafficIntent
from tests.unit.traffic.routes import HEADER, INTENT, MIRROR


def virtual_service(**spec: Any) -> Manifest:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "3", "labels": {"team": FOREIGN}},
        "spec": {"hosts": [FOREIGN], **spec},
    }


def destination_rule() -> Manifest:
    subsets = [{"name": "stable", "labels": {"app": FOREIGN}}, {"name": "canary"}]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "3"},
        "spec": {"host": "web", "subsets": subsets},
    }


def to(host: str, weight: int | None = None, **more: Any) -> Manifest:
    return {"destination": {"host": host, **more}, **({} if weight is None else {"weight": weight})}


def pair() -> list[Manifest]:
    return [to("web-stable.shop.svc.cluster.local", 100), to("web-canary", 0, port={"number": 80})]


def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    found = []
    for obj in live:
        for section in ("http", "tls", "tcp"):
            for route in obj["spec"].get(section, ()):
                if len(route["route"]) > 1 and route.get("name") not in intent.managed_routes:
                    found.append(
                        {str(sorted(d["destination"].items(), key=str)): d["weight"] for d in route["route"]}
                    )
    return found


MALFORMED: tuple[Live, ...] = tuple(
    ({**virtual_service(), "spec": spec},)
    for spec in (
        None,
        {},
        {"http": "x"},
        {"http": [None]},
        {"http": [{"route": [to("web-stable", 100)]}]},
        {"http": [{"route": [to("web-stable", 100), {**to("web-canary"), "weight": "0"}]}]},
        {"http": [{"route": pair()}, {"route": pair()}]},
    )
)


class TestHosts(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        http = [{"timeout": FOREIGN, "route": pair()}]
        return RouterCase(
            router=Istio(),
            config={"virtualService": {"name": "web"}},
            live=(virtual_service(http=http),),
            intent=INTENT,
            weights=weights,
            header_routes=(HEADER,),
            mirror_routes=(MIRROR,),
            additional=(Destination(service="web-exp", weight=7, pod_hash="abc"),),
            malformed=MALFORMED,
            bad_configs=({}, {"virtualService": {}}, {"virtualService": {"name": "web", "route": []}}),
        )


class TestSubsets(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        route = [to("web", 100, subset="stable"), to("web", 0, subset="canary")]
        http = [{"name": "a", "route": route}, {"name": "other", "route": [to("x")]}]
        live = (virtual_service(http=http), destination_rule())
        rule = {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}
        return RouterCase(
            router=Istio(),
            config={"virtualServices": [{"name": "web.shop", "routes": ["a"]}], "destinationRule": rule},
            live=live,
            intent=replace(INTENT, stable_hash="s1", canary_hash="c2"),
            weights=weights,
            header_routes=(HEADER,),
            mirror_routes=(MIRROR,),
            additional=(Destination(service="web-exp", weight=7, pod_hash="abc"),),
            malformed=tuple((*bad, live[1]) for bad in MALFORMED),
            bad_configs=({"virtualService": {"name": "web"}, "destinationRule": {"name": "web"}},),
        )


class TestTlsAndTcp(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        tls = [{"match": [{"port": 443, "sniHosts": ["web"]}], "route": pair()}]
        tcp = [{"match": [{"port": 7}], "route": pair()}, {"match": [{"port": 8}], "route": [to("x")]}]
        service = {
            "name": "web",
            "tlsRoutes": [{"port": 443, "sniHosts": ["web"]}],
            "tcpRoutes": [{"port": 7}],
        }
        return RouterCase(
            router=Istio(),
            config={"virtualService": service},
            live=(virtual_service(tls=tls, tcp=tcp),),
            intent=INTENT,
            weights=weights,
            additional=(Destination(service="web-exp", weight=7, pod_hash="abc"),),
            malformed=MALFORMED[:4],
        )


def after(live: Live, intent: TrafficIntent, config: Mapping[str, Any]) -> Live:
    return applied(live, Istio().plan(config, live, intent))


def test_managed_routes_stand_first_in_their_order_and_keep_the_source() -> None:
    http = [
        {"name": "main", "match": [{"uri": {"prefix": "/"}}], "retries": {"attempts": 2}, "route": pair()}
    ]
    intent = replace(INTENT, canary_weight=20, header_routes=(HEADER,), mirror_routes=(MIRROR,))
    intent = replace(intent, managed_routes=("copies", "to-canary"))
    (obj,) = after((virtual_service(http=http),), intent, {"virtualService": {"name": "web"}})
    copies, to_canary, main = obj["spec"]["http"]
    assert [r["name"] for r in obj["spec"]["http"]] == ["copies", "to-canary", "main"]
    assert copies["mirror"] == {"host": "web-canary", "port": {"number": 80}}
    assert copies["mirrorPercentage"] == {"value": 25}
    assert to_canary["match"] == [{"uri": {"prefix": "/"}, "headers": {"x-canary": {"exact": "yes"}}}]
    assert to_canary["route"] == [to("web-canary", 100, port={"number": 80})]
    assert to_canary["retries"] == main["retries"]


def test_subsets_are_written_before_weights_and_carry_the_hashes() -> None:
    http = [{"route": [to("web", 100, subset="stable"), to("web", 0, subset="canary")]}]
    rule = {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}
    config = {"virtualService": {"name": "web"}, "destinationRule": rule}
    intent = replace(INTENT, canary_weight=20, stable_hash="s1", canary_hash="c2")
    edits = Istio().plan(config, (virtual_service(http=http), destination_rule()), intent)
    assert [edit.kind for edit in edits] == ["DestinationRule", "VirtualService"]
    assert [edit.reason for edit in edits] == ["UpdatedDestinationRule", "Updated VirtualService"]
    subsets = {subset["name"]: subset["labels"] for subset in edits[0].body["spec"]["subsets"]}
    assert subsets == {"stable": {"app": FOREIGN, HASH_LABEL: "s1"}, "canary": {HASH_LABEL: "c2"}}
    assert edits[0].body["metadata"]["annotations"] == {MANAGED_BY: "web"}


def test_a_destination_rule_of_another_rollout_is_refused() -> None:
    live = destination_rule()
    live["metadata"]["annotations"] = {MANAGED_BY: "api"}
    http = [{"route": [to("web", 100, subset="stable"), to("web", 0, subset="canary")]}]
    rule = {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}
    with pytest.raises(TrafficError, match="managed by Rollout 'api'"):
        Istio().plan(
            {"virtualService": {"name": "web"}, "destinationRule": rule},
            (virtual_service(http=http), live),
            replace(INTENT, canary_weight=20),
        )


def test_several_http_routes_without_names_are_refused() -> None:
    live = virtual_service(http=[{"route": pair()}, {"route": pair()}])
    with pytest.raises(TrafficError, match="has 2 routes; say which"):
        Istio().plan({"virtualService": {"name": "web"}}, (live,), replace(INTENT, canary_weight=20))


SUBSETS = {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}
EXPERIMENT = Destination(service="web-exp", weight=7, pod_hash="e3")


def subset_names(obj: Manifest) -> list[str]:
    return [subset["name"] for subset in obj["spec"]["subsets"]]


def test_an_experiment_beside_subsets_has_a_subset_and_a_destination_while_it_runs() -> None:
    http = [{"route": [to("web", 100, subset="stable"), to("web", 0, subset="canary", port={"number": 80})]}]
    live = (virtual_service(http=http), destination_rule())
    live[1]["spec"]["subsets"].append({"name": "theirs"})
    config = {"virtualService": {"name": "web"}, "destinationRule": SUBSETS}
    intent = replace(
        INTENT, canary_weight=20, stable_hash="s1", canary_hash="c2", stable_service="", canary_service="",
        additional=(EXPERIMENT,),
    )  # fmt: skip
    service, rule = during = after(live, intent, config)
    assert subset_names(rule) == ["stable", "canary", "theirs", "web-exp"]
    assert rule["spec"]["subsets"][3]["labels"] == {HASH_LABEL: "e3"}
    assert [d["weight"] for d in service["spec"]["http"][0]["route"]] == [73, 20, 7]
    assert service["spec"]["http"][0]["route"][2]["destination"] == {
        "host": "web-exp",
        "port": {"number": 80},
    }
    service, rule = after(during, replace(intent, additional=(), retired=("web-exp",)), config)
    assert subset_names(rule) == ["stable", "canary", "theirs"]
    assert [d["weight"] for d in service["spec"]["http"][0]["route"]] == [80, 20]


def test_additional_subsets_keep_their_weight() -> None:
    route = [to("web", 90, subset="stable"), to("web", 0, subset="canary"), to("web", 10, subset="beta")]
    live = (virtual_service(http=[{"route": route}]), destination_rule())
    live[1]["spec"]["subsets"].append({"name": "beta", "labels": {"app": "beta"}})
    config = {
        "virtualService": {"name": "web"},
        "destinationRule": {**SUBSETS, "additionalSubsetNames": ["beta"]},
    }
    intent = replace(INTENT, canary_weight=20, stable_hash="s1", canary_hash="c2")
    service, rule = after(live, intent, config)
    assert [d["weight"] for d in service["spec"]["http"][0]["route"]] == [70, 20, 10]
    assert rule["spec"]["subsets"][2] == {"name": "beta", "labels": {"app": "beta"}}
    assert Istio().read(config, (service, rule), intent, NOW).canary_weight == 20
    with pytest.raises(TrafficError, match="subsets beta keep 10 of 100"):
        Istio().plan(config, live, replace(intent, canary_weight=95))


def test_any_header_of_a_step_leads_to_the_canary() -> None:
    http = [{"match": [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}], "route": pair()}]
    step = HeaderRoute(
        name="to-canary", matches=(HeaderMatch(header="a", exact="1"), HeaderMatch(header="b", prefix="2"))
    )
    intent = replace(INTENT, canary_weight=20, header_routes=(step,))
    (obj,) = after((virtual_service(http=http),), intent, {"virtualService": {"name": "web"}})
    assert obj["spec"]["http"][0]["match"] == [
        {"uri": {"prefix": "/a"}, "headers": {"a": {"exact": "1"}}},
        {"uri": {"prefix": "/b"}, "headers": {"a": {"exact": "1"}}},
        {"uri": {"prefix": "/a"}, "headers": {"b": {"prefix": "2"}}},
        {"uri": {"prefix": "/b"}, "headers": {"b": {"prefix": "2"}}},
    ]


def test_a_subset_without_a_version_loses_the_hash_of_the_last_one() -> None:
    http = [{"route": [to("web", 100, subset="stable"), to("web", 0, subset="canary")]}]
    rule = {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}
    config = {"virtualService": {"name": "web"}, "destinationRule": rule}
    live: Live = (virtual_service(http=http), destination_rule())
    live = after(live, replace(INTENT, canary_weight=20, stable_hash="s1", canary_hash="c2"), config)
    (_, found) = after(live, replace(INTENT, canary_weight=0, stable_hash="", canary_hash="n1"), config)
    subsets = {subset["name"]: subset["labels"] for subset in found["spec"]["subsets"]}
    assert subsets == {"stable": {"app": FOREIGN}, "canary": {HASH_LABEL: "n1"}}


def test_the_only_tls_route_follows_an_http_route_that_is_named() -> None:
    http = [{"name": "main", "route": pair()}, {"name": "docs", "route": [to("docs", 100)]}]
    tls = [{"match": [{"port": 443, "sniHosts": ["web"]}], "route": pair()}]
    live = virtual_service(http=http, tls=tls, tcp=[{"route": [to("db", 100)]}])
    config = {"virtualService": {"name": "web", "routes": ["main"]}}
    (obj,) = after((live,), replace(INTENT, canary_weight=20), config)
    assert [d["weight"] for d in obj["spec"]["tls"][0]["route"]] == [80, 20]
    assert [d["weight"] for d in obj["spec"]["http"][0]["route"]] == [80, 20]
    assert obj["spec"]["tcp"] == live["spec"]["tcp"]


def test_names_of_a_section_that_the_virtual_service_lacks_ask_for_nothing() -> None:
    tls = [{"match": [{"port": 443, "sniHosts": ["web"]}], "route": pair()}]
    named = {
        "routes": ["main"],
        "tlsRoutes": [{"port": 443, "sniHosts": ["web"]}],
        "tcpRoutes": [{"port": 7}],
    }
    config = {"virtualService": {"name": "web", **named}}
    (obj,) = after((virtual_service(tls=tls),), replace(INTENT, canary_weight=20), config)
    assert [d["weight"] for d in obj["spec"]["tls"][0]["route"]] == [80, 20]
    with pytest.raises(TrafficError, match="no http, tls or tcp route is selected"):
        Istio().plan(config, (virtual_service(),), replace(INTENT, canary_weight=20))


@pytest.mark.parametrize(
    ("matches", "chosen"),
    [
        pytest.param([{"port": 443, "sniHosts": ["b", "a"]}], True, id="one-match"),
        pytest.param(
            [{"port": 443, "sniHosts": ["a"]}, {"port": 443, "sniHosts": ["b"]}], True, id="over-matches"
        ),
        pytest.param(
            [{"port": 443, "sniHosts": ["a"]}, {"port": 444, "sniHosts": ["b"]}], False, id="two-ports"
        ),
        pytest.param([{"port": 443, "sniHosts": ["a"]}], False, id="fewer-hosts"),
        pytest.param([{"port": 80, "sniHosts": ["a", "b"]}], False, id="another-port"),
    ],
)
def test_a_tls_route_is_found_by_its_port_and_all_its_hosts(matches: list[Manifest], chosen: bool) -> None:
    live = virtual_service(tls=[{"match": matches, "route": pair()}, {"route": pair()}])
    config = {"virtualService": {"name": "web", "tlsRoutes": [{"port": 443, "sniHosts": ["a", "b"]}]}}
    intent = replace(INTENT, canary_weight=20)
    if not chosen:
        with pytest.raises(TrafficError, match="no route fits tlsRoutes"):
            Istio().plan(config, (live,), intent)
        return
    (obj,) = after((live,), intent, config)
    assert [d["weight"] for d in obj["spec"]["tls"][0]["route"]] == [80, 20]
    assert obj["spec"]["tls"][1] == live["spec"]["tls"][1]
