"""Which rule takes a request, how requests are spread, and what is reported on a route."""

import itertools
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from rollouts.embedded.gateway.balance import Balancer
from rollouts.embedded.gateway.controller import ready_endpoints
from rollouts.embedded.gateway.proxy import edit
from rollouts.embedded.gateway.status import CONTROLLER, parents
from rollouts.embedded.gateway.table import HeaderEdit, Seen, build, find, host_matches

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def service(name: str, port: int = 80, **spec) -> dict:
    return {
        "metadata": {"name": name, "namespace": "x"},
        "spec": {"ports": [{"name": "h", "port": port}], **spec},
    }


SERVICES = {("x", name): service(name) for name in ("stable", "canary", "a", "b", "c")}


def route(*rules: dict, name="r", created="2026-01-01T00:00:00Z", hostnames=(), **more) -> dict:
    return {
        "metadata": {
            "name": name,
            "namespace": "x",
            "uid": name,
            "creationTimestamp": created,
            "generation": 3,
        },
        "spec": {"parentRefs": [{"name": "gw"}], "hostnames": list(hostnames), "rules": list(rules)},
        **more,
    }


def rule(to: str, *matches: dict, weight: int | None = None, **more) -> dict:
    ref = {"name": to, "port": 80, **({} if weight is None else {"weight": weight})}
    return {"matches": list(matches), "backendRefs": [ref], **more}


def path(value: str, kind: str = "PathPrefix", **more) -> dict:
    return {"path": {"type": kind, "value": value}, **more}


HEADER = [{"name": "X-Canary", "value": "yes"}]


@pytest.mark.parametrize(
    ("rules", "request_", "winner"),
    [
        pytest.param(
            [rule("a", path("/")), rule("b", path("/orders"))],
            {"path": "/orders/7"},
            "b",
            id="longer prefix",
        ),
        pytest.param(
            [rule("a", path("/orders")), rule("b", path("/ord"))],
            {"path": "/ordering"},
            None,
            id="a prefix ends at a path segment",
        ),
        pytest.param(
            [rule("a", path("/orders/long")), rule("b", path("/orders/long", "Exact"))],
            {"path": "/orders/long"},
            "b",
            id="exact before prefix",
        ),
        pytest.param(
            [rule("a", path("/")), rule("b", path("/", headers=HEADER))],
            {"path": "/", "headers": {"x-canary": "yes"}},
            "b",
            id="a header match wins a tie of paths",
        ),
        pytest.param(
            [rule("a", path("/", headers=HEADER)), rule("b", path("/orders"))],
            {"path": "/orders", "headers": {"x-canary": "yes"}},
            "b",
            id="a header match loses to a longer path",
        ),
        pytest.param(
            [rule("a", path("/", headers=HEADER)), rule("b", path("/", method="GET"))],
            {"path": "/", "headers": {"x-canary": "yes"}},
            "b",
            id="a method match beats a header match",
        ),
        pytest.param(
            [rule("a", path("/", headers=HEADER))],
            {"path": "/", "headers": {"x-canary": "YES"}},
            None,
            id="header values are case-sensitive",
        ),
        pytest.param(
            [rule("a", path("/v[12]/.*", "RegularExpression"))],
            {"path": "/v2/x"},
            "a",
            id="regular expression",
        ),
        pytest.param(
            [rule("a", {"queryParams": [{"name": "q", "value": "1"}]}), rule("b")],
            {"path": "/", "query": {"q": "1"}},
            "a",
            id="query parameter",
        ),
        pytest.param([rule("a"), rule("b")], {"path": "/"}, "a", id="first rule wins a full tie"),
    ],
)
def test_the_most_specific_match_wins(rules, request_, winner):
    found = find(build([route(*rules)], SERVICES), Seen(method="GET", host="shop.test", **request_))
    assert (found.backends[0].service if found else None) == winner


def test_the_older_route_wins_a_tie():
    routes = [route(rule("a"), name="young", created="2026-01-02T00:00:00Z"), route(rule("b"), name="old")]
    found = find(build(routes, SERVICES), Seen("GET", "h", "/"))
    assert found is not None
    assert found.backends[0].service == "b"


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("", "anything", True),
        ("shop.test", "SHOP.test", True),
        ("shop.test", "a.shop.test", False),
        ("*.shop.test", "a.shop.test", True),
        ("*.shop.test", "shop.test", False),
    ],
)
def test_hostnames(pattern, host, expected):
    assert host_matches(pattern, host) is expected


def test_a_more_specific_hostname_wins_over_a_longer_path():
    routes = [route(rule("a", path("/long/path"))), route(rule("b"), name="s", hostnames=["shop.test"])]
    found = find(build(routes, SERVICES), Seen("GET", "shop.test", "/long/path"))
    assert found is not None
    assert found.backends[0].service == "b"


@pytest.mark.parametrize(
    ("ref", "problem"),
    [
        ({"name": "stable", "port": 80}, ""),
        ({"name": "gone", "port": 80}, "BackendNotFound"),
        ({"name": "stable", "port": 81}, "BackendNotFound"),
        ({"name": "stable", "port": 80, "namespace": "y"}, "RefNotPermitted"),
        ({"name": "stable", "port": 80, "kind": "Bucket"}, "InvalidKind"),
    ],
)
def test_a_reference_that_cannot_work_says_why(ref, problem):
    (entry,) = build([route({"backendRefs": [ref]})], SERVICES)
    assert entry.rule.backends[0].problem == problem


def test_an_unknown_filter_makes_the_rule_unsupported():
    (entry,) = build([route(rule("a", filters=[{"type": "URLRewrite"}]))], SERVICES)
    assert entry.rule.unsupported == "URLRewrite"


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(lambda weights: sum(weights) > 0))
def test_one_full_turn_gives_each_backend_exactly_its_weight(weights: list[int]):
    balancer = Balancer()
    chosen = Counter(balancer.weighted("rule", weights) for _ in range(sum(weights)))
    assert [chosen.get(index, 0) for index in range(len(weights))] == weights


def test_weights_that_are_all_zero_choose_nothing():
    assert Balancer().weighted("rule", [0, 0]) is None


def test_a_small_weight_is_spread_evenly():
    balancer = Balancer()
    picks = [balancer.weighted("rule", [90, 10]) for _ in range(40)]
    gaps = [i for i, pick in enumerate(picks) if pick == 1]
    assert [b - a for a, b in itertools.pairwise(gaps)] == [10, 10, 10]


def test_mirroring_takes_its_share():
    balancer = Balancer()
    assert sum(balancer.take("m", 1, 4) for _ in range(100)) == 25


def test_endpoints_join_slices_of_a_service_by_port_name():
    def slice_(port: int, ready: bool, name="h") -> dict:
        return {
            "metadata": {"namespace": "x", "labels": {"kubernetes.io/service-name": "stable"}},
            "ports": [{"name": name, "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
        }

    slices = [slice_(4001, True), slice_(4002, True), slice_(4003, False), slice_(4004, True, name="other")]
    assert ready_endpoints([service("stable")], slices) == {
        ("x", "stable", 80): [("127.0.0.1", 4001), ("127.0.0.1", 4002)]
    }


def test_header_edits_set_add_and_remove():
    change = HeaderEdit(set={"A": "2"}, add={"B": "3"}, remove=frozenset({"c"}))
    result = edit(CIMultiDict([("a", "1"), ("B", "1"), ("C", "1")]), [change])
    assert sorted(result.items()) == [("A", "2"), ("B", "1"), ("B", "3")]


def reasons(a_route: dict) -> dict[str, tuple[str, str, int]]:
    (parent,) = parents(a_route, SERVICES, NOW)
    assert parent["controllerName"] == CONTROLLER
    return {c["type"]: (c["status"], c["reason"], c["observedGeneration"]) for c in parent["conditions"]}


def test_a_good_route_is_accepted_and_resolved_at_its_generation():
    assert reasons(route(rule("a"))) == {
        "Accepted": ("True", "Accepted", 3),
        "ResolvedRefs": ("True", "ResolvedRefs", 3),
    }


def test_a_missing_backend_and_an_unsupported_filter_are_reported():
    assert reasons(route(rule("gone")))["ResolvedRefs"][:2] == ("False", "BackendNotFound")
    bad = route(rule("a", filters=[{"type": "URLRewrite"}]))
    assert reasons(bad)["Accepted"][:2] == ("False", "UnsupportedValue")


def test_parents_of_other_controllers_stay_and_times_move_only_with_the_status():
    before = {"parentRef": {"name": "other"}, "controllerName": "else", "conditions": []}
    first = parents(route(rule("a"), status={"parents": [before]}), SERVICES, NOW)
    assert first[0] == before
    later = datetime(2026, 1, 2, tzinfo=UTC)
    again = parents(route(rule("gone"), status={"parents": first}), SERVICES, later)
    times = {c["type"]: c["lastTransitionTime"] for c in again[1]["conditions"]}
    assert times == {"Accepted": "2026-01-01T00:00:00Z", "ResolvedRefs": "2026-01-02T00:00:00Z"}
