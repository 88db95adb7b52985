"""What the Gateway API router writes, rule by rule; each known fault of the peer has its test."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import applied
from rollouts.traffic.gateway_api import RECORD, GatewayApi
from rollouts.traffic.router import (
    Destination,
    HeaderMatch,
    HeaderRoute,
    MirrorRoute,
    TrafficError,
    TrafficIntent,
)
from tests.unit.traffic.routes import HEADER, INTENT, MIRROR, names, prefix, ref, route, rule, shares

LABEL = "rollouts.argoproj.io/gatewayapi-canary"
CONFIG = {"httpRoute": "web"}


def after(live: Manifest, intent: TrafficIntent, config: dict | None = None) -> Manifest:
    """Return the only route after the plan."""
    (obj,) = applied((live,), GatewayApi().plan(config or CONFIG, (live,), intent))
    return obj


def refusal(live: Manifest, intent: TrafficIntent, config: dict | None = None) -> str:
    with pytest.raises(TrafficError) as caught:
        GatewayApi().plan(config or CONFIG, (live,), intent)
    return str(caught.value)


def at(weight: int | None, **changes: object) -> TrafficIntent:
    return replace(INTENT, canary_weight=weight, **changes)


@given(
    maximum=st.integers(1, 1_000_000),
    parts=st.tuples(st.integers(0, 400), st.integers(0, 300), st.integers(0, 300)),
)
def test_shares_sum_to_the_maximum_and_are_never_negative(maximum: int, parts: tuple[int, int, int]) -> None:
    canary, *extra = (maximum * part // 1000 for part in parts)
    added = tuple(Destination(service=f"e{i}", weight=w, pod_hash="h") for i, w in enumerate(extra))
    obj = after(route([rule()]), at(canary, max_weight=maximum, additional=added))
    found = shares(obj["spec"]["rules"][0])
    assert sum(found.values()) == maximum
    assert min(found.values()) >= 0
    assert found["web-canary"] == canary


@given(walk=st.lists(st.tuples(st.integers(0, 100), st.booleans(), st.booleans()), max_size=6))
def test_any_walk_that_ends_in_an_abort_ends_where_it_began(walk: list[tuple[int, bool, bool]]) -> None:
    start = after(route([rule(matches=[prefix("/")])]), at(0))
    live = start
    for weight, header, mirror in walk:
        intent = at(
            weight, header_routes=(HEADER,) if header else (), mirror_routes=(MIRROR,) if mirror else ()
        )
        live = after(live, intent)
        assert GatewayApi().plan(CONFIG, (live,), intent) == ()
    live = after(live, at(0))
    live["metadata"]["resourceVersion"] = start["metadata"]["resourceVersion"]
    assert live == start


def test_shares_that_do_not_fit_are_refused_with_their_numbers() -> None:
    added = (Destination(service="e", weight=30, pod_hash="h"),)
    assert "canary weight 80 and experiment weights 30" in refusal(route([rule()]), at(80, additional=added))


def test_a_header_rule_keeps_everything_of_its_source() -> None:
    source = rule(
        matches=[{**prefix("/api"), "method": "GET", "queryParams": [{"name": "q", "value": "1"}]}],
        timeouts={"request": "5s"},
        retry={"attempts": 2},
        filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}],
    )
    source["backendRefs"][1]["namespace"] = "shop"
    obj = after(route([source]), at(0, header_routes=(HEADER,)))
    kept, added = obj["spec"]["rules"]
    assert added == {
        **copy.deepcopy(source),
        "name": "to-canary",
        "matches": [
            {
                **source["matches"][0],
                "headers": [{"name": "x-canary", "type": "Exact", "value": "yes"}],
            }
        ],
        "backendRefs": [ref("web-canary", 1, namespace="shop")],
    }
    assert shares(kept) == {"web-stable": 100, "web-canary": 0}


@pytest.mark.parametrize(
    ("match", "written"),
    [
        pytest.param({"exact": "a.b"}, {"type": "Exact", "value": "a.b"}, id="exact"),
        pytest.param({"prefix": "a.b/"}, {"type": "RegularExpression", "value": r"^a\.b/.*"}, id="prefix"),
        pytest.param({"regex": "a.b$"}, {"type": "RegularExpression", "value": "a.b$"}, id="regex"),
    ],
)
def test_header_values_are_written_as(match: dict, written: dict) -> None:
    step = HeaderRoute(name="to-canary", matches=(HeaderMatch(header="h", **match),))
    obj = after(route([rule()]), at(0, header_routes=(step,)))
    assert obj["spec"]["rules"][1]["matches"] == [{"headers": [{"name": "h", **written}]}]


def test_each_rule_with_both_services_gets_a_header_rule() -> None:
    rules = [rule(matches=[prefix("/a")]), {"backendRefs": [ref("docs")]}, rule(matches=[prefix("/b")])]
    obj = after(route(rules), at(0, header_routes=(HEADER,)))
    assert names(obj) == [None, None, None, "to-canary", "to-canary-1"]


def test_two_steps_with_one_header_name_are_both_live_in_the_order_of_managed_routes() -> None:
    first = HeaderRoute(name="a", matches=(HeaderMatch(header="x", exact="1"),))
    second = HeaderRoute(name="b", matches=(HeaderMatch(header="x", exact="2"),))
    obj = after(route([rule()]), at(0, header_routes=(first, second), managed_routes=("b", "a")))
    assert names(obj) == [None, "b", "a"]


def test_header_rules_stand_last_as_the_plugin_has_them_and_where_they_stand_they_stay() -> None:
    intent = at(20, header_routes=(HEADER,))
    live = after(route([rule(matches=[prefix("/")])]), intent)
    assert names(live) == [None, "to-canary"]
    live["spec"]["rules"].reverse()
    assert GatewayApi().plan(CONFIG, (live,), intent) == ()
    assert names(after(live, at(40, header_routes=(HEADER,)))) == [None, "to-canary"]


def test_a_mirror_rule_brings_all_managed_rules_to_the_front() -> None:
    live = after(route([rule()]), at(20, header_routes=(HEADER,)))
    both = after(live, at(20, header_routes=(HEADER,), mirror_routes=(MIRROR,)))
    assert names(both) == ["to-canary", "copies", None]
    assert names(after(both, at(40, header_routes=(HEADER,)))) == [None, "to-canary"]


def test_bookkeeping_of_other_versions_of_the_plugin_is_tolerated() -> None:
    config = {**CONFIG, "configMap": "some", "activeRolloutsAnnotationKey": "example.com/active"}
    assert shares(after(route([rule()]), at(20), config)["spec"]["rules"][0])["web-canary"] == 20


def test_a_header_that_the_rule_matches_already_is_refused() -> None:
    live = route([rule(matches=[{"headers": [{"name": "X-Canary", "value": "no"}]}])])
    assert "header 'x-canary' is already matched" in refusal(live, at(0, header_routes=(HEADER,)))


def test_a_users_own_rules_are_untouched() -> None:
    own = [
        {"name": "team-only", "matches": [prefix("/team")], "backendRefs": [ref("web-canary", 1)]},
        {"backendRefs": [ref("web-canary", 3)]},
        {"backendRefs": [ref("web-stable")]},
    ]
    live = route([*own, rule()])
    for intent in (at(40, header_routes=(HEADER,)), at(0)):
        live = after(live, intent)
        assert [r for r in live["spec"]["rules"] if r in own] == own


def test_backends_of_others_in_the_rule_keep_their_weight() -> None:
    shared = rule()
    shared["backendRefs"].append(ref("cache", 50))
    obj = after(route([shared]), at(30))
    assert shares(obj["spec"]["rules"][0]) == {"web-stable": 70, "web-canary": 30, "cache": 50}


def test_retired_destinations_are_removed_and_canary_keeps_its_weight() -> None:
    live = after(
        route([rule()]), at(10, additional=(Destination(service="e", weight=5, pod_hash="h", port=8),))
    )
    assert live["spec"]["rules"][0]["backendRefs"][-1] == {
        "group": "",
        "kind": "Service",
        "name": "e",
        "namespace": "shop",
        "port": 8,
        "weight": 5,
    }
    done = after(live, at(10, retired=("e", "web-canary")))
    assert shares(done["spec"]["rules"][0]) == {"web-stable": 90, "web-canary": 10}


def test_only_the_named_rule_is_changed_with_a_rule_name() -> None:
    live = route([rule(name="main"), rule(name="batch")])
    obj = after(live, at(25), {"httpRoutes": [{"name": "web", "ruleName": "batch"}]})
    assert [shares(r)["web-canary"] for r in obj["spec"]["rules"]] == [0, 25]
    assert "named 'other'" in refusal(live, at(25), {**CONFIG, "ruleName": "other"})


def test_managed_rules_of_a_plugin_midway_are_taken_over() -> None:
    plugin = {
        "name": "to-canary",
        "matches": [{**prefix("/"), "headers": [{"name": "x-canary", "type": "Exact", "value": "yes"}]}],
        "backendRefs": [ref("web-canary", 1)],
    }
    live = route([rule(80, 20, matches=[prefix("/")]), plugin], labels={LABEL: "in-progress"})
    taken = after(live, at(20, header_routes=(HEADER,)))
    assert taken["spec"] == live["spec"], "not a rule is written anew"
    over = after(taken, at(0))
    assert names(over) == [None]
    assert over["metadata"].get("labels") is None


def test_rules_whose_name_the_server_pruned_are_recognised_by_our_record() -> None:
    intent = at(20, header_routes=(HEADER,), mirror_routes=(MIRROR,))
    live = after(route([rule(), {"backendRefs": [ref("web-canary", 1)]}]), intent)
    for each in live["spec"]["rules"]:
        each.pop("name", None)
    assert GatewayApi().plan(CONFIG, (live,), intent) == ()
    more = after(live, replace(intent, canary_weight=40))
    assert names(more) == ["to-canary", "copies", None, None]
    over = after(live, at(0))
    assert [shares(r) for r in over["spec"]["rules"]] == [
        {"web-stable": 100, "web-canary": 0},
        {"web-canary": 1},
    ]
    assert RECORD not in over["metadata"]["annotations"]


def test_two_rollouts_share_a_route_without_a_fight() -> None:
    other = replace(INTENT, rollout="api", stable_service="api-stable", canary_service="api-canary")
    theirs = {"backendRefs": [ref("api-stable", 100), ref("api-canary", 0)], "matches": [prefix("/api")]}
    one = at(20, header_routes=(HEADER,))
    step = replace(HEADER, name="api-users")
    two = replace(other, canary_weight=30, header_routes=(step,), managed_routes=("api-users",))
    live = after(after(route([rule(), theirs]), one), two)
    for intent in (one, two):
        assert GatewayApi().plan(CONFIG, (live,), intent) == ()
    half = after(live, at(0))
    assert LABEL in half["metadata"]["labels"]
    assert names(half) == [None, None, "api-users"]
    ended = after(half, replace(two, canary_weight=0, header_routes=()))
    assert "labels" not in ended["metadata"]


def test_a_rule_name_that_another_rollout_took_is_refused() -> None:
    taken = {"name": "to-canary", "backendRefs": [ref("api-canary", 1)]}
    live = route([rule(), taken])
    assert "rename one" in refusal(live, at(0, header_routes=(HEADER,)))
    assert after(live, at(10))["spec"]["rules"][1] == taken


def test_a_route_in_another_namespace_must_name_ours_in_its_backends() -> None:
    live = route([rule()])
    live["metadata"]["namespace"] = "infra"
    config = {**CONFIG, "namespace": "infra"}
    text = refusal(live, at(10), config)
    assert "backendRef was not found in httpRoute" in text
    assert "Service infra/web-stable" in text
    for backend in live["spec"]["rules"][0]["backendRefs"]:
        backend["namespace"] = "shop"
    assert shares(after(live, at(10), config)["spec"]["rules"][0])["web-canary"] == 10


def test_a_service_missing_in_the_rule_is_said_with_what_was_seen() -> None:
    live = route([{"name": "main", "backendRefs": [ref("web-stable"), ref("web-canray")]}])
    text = refusal(live, at(10))
    assert text.startswith("backendRef was not found in httpRoute: HTTPRoute shop/web")
    assert "rules[0]: 'main' Service shop/web-stable, Service shop/web-canray" in text


def test_limits_are_checked_before_the_write() -> None:
    live = route([rule(matches=[prefix(f"/{i}")]) for i in range(9)])
    assert "needs 18 rules, the Gateway API allows 16" in refusal(live, at(0, header_routes=(HEADER,)))
    many = route([rule(matches=[prefix(f"/{i}/{j}") for j in range(33)]) for i in range(2)])
    assert "132 matches over all rules" in refusal(many, at(0, header_routes=(HEADER,)))
    filters = [{"type": "ExtensionRef"} for _ in range(16)]
    assert "17 rules[0].filters" in refusal(route([rule(filters=filters)]), at(0, mirror_routes=(MIRROR,)))


def test_a_managed_route_name_that_no_rule_can_have_is_refused() -> None:
    step = replace(HEADER, name="To_Canary")
    assert "'To_Canary'" in refusal(route([rule()]), at(0, header_routes=(step,)))


def test_a_header_step_without_a_route_for_it_is_refused() -> None:
    config = {"httpRoutes": [{"name": "web"}]}
    assert "useHeaderRoutes: true" in refusal(route([rule()]), at(0, header_routes=(HEADER,)), config)


def test_a_route_named_twice_is_edited_once() -> None:
    config = {
        "httpRoute": "web",
        "httpRoutes": [{"name": "web"}],
        "httpRouteSelector": {"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]},
    }
    edits = GatewayApi().plan(config, (route([rule()]),), at(10, header_routes=(HEADER,)))
    assert len(edits) == 1


def test_a_selector_that_selects_nothing_is_an_error() -> None:
    config = {"httpRouteSelector": {"matchLabels": {"app": "web"}}}
    assert refusal(route([rule()]), at(10), config).startswith("No routes configured.")


@pytest.mark.parametrize(
    ("config", "label"),
    [
        pytest.param({}, {LABEL: "in-progress"}, id="default"),
        pytest.param({"inProgressLabelKey": "k", "inProgressLabelValue": "v"}, {"k": "v"}, id="own"),
        pytest.param({"disableInProgressLabel": True}, None, id="off"),
    ],
)
def test_the_in_progress_label_is(config: dict, label: dict | None) -> None:
    config = {**CONFIG, **config}
    live = after(route([rule()]), at(5), config)
    assert live["metadata"].get("labels") == label
    assert after(live, at(0), config)["metadata"].get("labels") is None
    header_only = after(route([rule()]), at(0, header_routes=(HEADER,)), config)
    assert header_only["metadata"].get("labels") == label


@pytest.mark.parametrize(
    ("source", "step", "expected"),
    [
        pytest.param(prefix("/"), {"path": {"prefix": "/api"}}, [prefix("/api")], id="narrower"),
        pytest.param(prefix("/api/v1"), {"path": {"prefix": "/api"}}, [prefix("/api/v1")], id="wider"),
        pytest.param(
            prefix("/"),
            {"method": {"exact": "GET"}, "path": {"exact": "/x"}},
            [{"path": {"type": "Exact", "value": "/x"}, "method": "GET"}],
            id="method",
        ),
    ],
)
def test_a_mirror_rule_matches_what_both_match(source: dict, step: dict, expected: list) -> None:
    mirror = MirrorRoute(name="copies", matches=(step,), percentage=100)
    obj = after(route([rule(matches=[source])]), at(30, mirror_routes=(mirror,)))
    added = obj["spec"]["rules"][0]
    assert added["matches"] == expected
    assert shares(added) == {"web-stable": 70, "web-canary": 30}
    backend = ref("web-canary")
    assert added["filters"] == [{"type": "RequestMirror", "requestMirror": {"backendRef": backend}}]


@pytest.mark.parametrize(
    ("source", "step", "words"),
    [
        pytest.param(prefix("/a"), {"path": {"prefix": "/ab"}}, "no rule with both Services", id="disjoint"),
        pytest.param(prefix("/a"), {"path": {"regex": "/b.*"}}, "cannot be combined", id="regex"),
        pytest.param(prefix("/"), {"method": {"prefix": "G"}}, "use exact", id="method"),
        pytest.param(prefix("/"), {"path": {"exact": "/", "prefix": "/"}}, "exactly one", id="two"),
    ],
)
def test_a_mirror_step_that_the_rule_cannot_carry_is_refused(source: dict, step: dict, words: str) -> None:
    mirror = MirrorRoute(name="copies", matches=(step,))
    assert words in refusal(route([rule(matches=[source])]), at(0, mirror_routes=(mirror,)))


def test_an_absent_weight_is_one_and_is_not_written_again() -> None:
    live = route([rule(None, None)])
    assert GatewayApi().plan(CONFIG, (live,), at(1, max_weight=2))[0].body["spec"] == live["spec"]


def test_a_stale_resource_version_makes_the_write_fail() -> None:
    (edit,) = GatewayApi().plan(CONFIG, (route([rule()]),), at(5))
    assert edit.body["metadata"]["resourceVersion"] == "7"
    assert (edit.verb, edit.group, edit.version) == ("replace", "gateway.networking.k8s.io", "v1")
