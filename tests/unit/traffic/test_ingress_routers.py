"""The router contract on routers over Ingress, and what they write."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, Live, RouterCase, RouterContract, applied
from rollouts.traffic.alb import MANAGED, Alb
from rollouts.traffic.nginx import Nginx, canary_name
from rollouts.traffic.router import (
    Destination,
    HeaderMatch,
    HeaderRoute,
    MirrorRoute,
    TrafficError,
    TrafficIntent,
)
from tests.unit.traffic.routes import HEADER, INTENT

ACTION = "alb.ingress.kubernetes.io/actions.web-stable"
CANARY = "nginx.ingress.kubernetes.io/canary"


def path(service: str, port: Any = 80) -> Manifest:
    return {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": service, "port": {"number": port}}},
    }


def ingress(name: str = "web", *services: str) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "resourceVersion": "4",
            "annotations": {"team": FOREIGN, "kubernetes.io/ingress.class": "fast"},
        },
        "spec": {
            "ingressClassName": "nginx",
            "rules": [
                {
                    "host": "web.example.com",
                    "http": {"paths": [path(s) for s in services or ("web-stable",)]},
                },
                {"host": "docs.example.com", "http": {"paths": [path("docs")]}},
            ],
        },
    }


def broken() -> tuple[Live, ...]:
    specs = (None, {}, {"rules": "x"}, {"rules": [None]}, {"rules": [{"http": {"paths": 1}}]})
    more = (
        {"rules": [{"http": {"paths": [path("other")]}}]},
        {"rules": [{"http": {"paths": [{"backend": 1}]}}]},
    )
    return tuple(({**ingress(), "spec": spec},) for spec in (*specs, *more))


def nginx_weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    found = []
    for obj in live:
        annotations = obj["metadata"]["annotations"]
        if annotations.get(CANARY) == "true":
            weight = int(annotations[f"{CANARY}-weight"])
            total = int(annotations.get(f"{CANARY}-weight-total", "100"))
            found.append({"canary": weight, "stable": total - weight})
    return found


def alb_weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    groups = [
        json.loads(obj["metadata"]["annotations"][ACTION])["ForwardConfig"]["TargetGroups"] for obj in live
    ]
    return [{group["ServiceName"]: group["Weight"] for group in each} for each in groups]


class TestNginx(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        return RouterCase(
            router=Nginx(),
            config={"stableIngresses": ["web", "other"]},
            live=(ingress(), ingress("other", "docs", "web-stable")),
            intent=INTENT,
            weights=nginx_weights,
            malformed=tuple((*bad, ingress("other")) for bad in broken()),
            bad_configs=(
                {},
                {"stableIngress": "a", "stableIngresses": ["b"]},
                {"stableIngress": "a", "x": 1},
            ),
            max_weights=(100, 1000),
        )


class TestAlb(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        return RouterCase(
            router=Alb(),
            config={"ingress": "web", "servicePort": 443},
            live=(ingress(),),
            intent=INTENT,
            weights=alb_weights,
            header_routes=(HEADER,),
            additional=(Destination(service="web-exp", weight=7, pod_hash="abc"),),
            malformed=broken(),
            bad_configs=({}, {"ingress": "web"}, {"servicePort": 1}, {"ingress": "w", "servicePort": "x"}),
        )


@pytest.mark.parametrize(
    ("router", "config", "annotation"),
    [
        (Nginx(), {"stableIngresses": ["web", "other"]}, "canary-weight"),
        (Alb(), {"ingresses": ["web", "other"], "servicePort": 80}, "actions.web-stable"),
    ],
    ids=["nginx", "alb"],
)
def test_several_ingresses_and_another_prefix_are_written(
    router: Nginx | Alb, config: Mapping[str, Any], annotation: str
) -> None:
    live = (ingress(), ingress("other"))
    settings = {**config, "annotationPrefix": "example.com"}
    edits = router.plan(settings, live, replace(INTENT, canary_weight=20))
    assert len(edits) == 2
    assert all("20" in edit.body["metadata"]["annotations"][f"example.com/{annotation}"] for edit in edits)


def test_nginx_creates_a_canary_ingress_owned_by_the_rollout() -> None:
    owner = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": "web",
        "uid": "u",
        "controller": True,
    }
    config = {
        "stableIngress": "web",
        "additionalIngressAnnotations": {"canary-by-header": "x-canary"},
        "canaryIngressAnnotations": {"example.com/own": "1"},
    }
    (edit,) = Nginx().plan(
        config, (ingress(),), replace(INTENT, canary_weight=5, max_weight=200, owner=owner)
    )
    assert (edit.verb, edit.name, edit.reason) == ("create", "web-web-canary", "CreatingCanaryIngress")
    assert edit.body["metadata"] == {
        "name": "web-web-canary",
        "namespace": "shop",
        "ownerReferences": [owner],
        "annotations": {
            "kubernetes.io/ingress.class": "fast",
            f"{CANARY}-by-header": "x-canary",
            "example.com/own": "1",
            CANARY: "true",
            f"{CANARY}-weight": "5",
            f"{CANARY}-weight-total": "200",
        },
    }
    assert edit.body["spec"] == {
        "ingressClassName": "nginx",
        "rules": [{"host": "web.example.com", "http": {"paths": [path("web-canary")]}}],
    }


def test_nginx_refuses_a_canary_ingress_of_somebody_else() -> None:
    theirs = ingress("web-web-canary")
    theirs["metadata"]["ownerReferences"] = [
        {"kind": "Rollout", "name": "x", "uid": "other", "controller": True}
    ]
    intent = replace(INTENT, canary_weight=5, owner={"uid": "u"})
    with pytest.raises(TrafficError, match="belongs to Rollout x"):
        Nginx().plan({"stableIngress": "web"}, (ingress(), theirs), intent)


def test_nginx_refuses_a_canary_ingress_that_nobody_owns() -> None:
    intent = replace(INTENT, canary_weight=5, owner={"uid": "u"})
    with pytest.raises(TrafficError, match="belongs to nobody"):
        Nginx().plan({"stableIngress": "web"}, (ingress(), ingress("web-web-canary")), intent)


def test_nginx_keeps_the_certificates_of_the_stable_ingress() -> None:
    config, intent = {"stableIngress": "web"}, replace(INTENT, canary_weight=5)
    stable = ingress()
    stable["spec"]["tls"] = [{"hosts": ["web.example.com"], "secretName": "web-tls"}]
    live = applied((stable,), Nginx().plan(config, (stable,), intent))
    assert live[1]["spec"]["tls"] == stable["spec"]["tls"]
    del live[0]["spec"]["tls"]
    (edit,) = Nginx().plan(config, live, intent)
    assert "tls" not in edit.body["spec"]
    assert edit.reason == "PatchingCanaryIngress"


def test_nginx_refuses_what_it_cannot_do() -> None:
    mirror = MirrorRoute(name="m", matches=())
    for more in ({"header_routes": (HEADER,)}, {"mirror_routes": (mirror,)}):
        with pytest.raises(TrafficError, match="no header or mirror routes"):
            Nginx().plan({"stableIngress": "web"}, (ingress(),), replace(INTENT, **more))


def test_a_long_canary_name_is_cut_to_what_kubernetes_allows() -> None:
    assert canary_name("web", "a" * 300).endswith("a-canary")
    assert len(canary_name("web", "a" * 300)) == 253


def test_alb_writes_the_action_byte_for_byte() -> None:
    config = {
        "ingress": "web",
        "servicePort": 443,
        "stickinessConfig": {"enabled": True, "durationSeconds": 300},
    }
    extra = (Destination(service="web-exp", weight=5, pod_hash="h"),)
    (edit,) = Alb().plan(config, (ingress(),), replace(INTENT, canary_weight=10, additional=extra))
    assert edit.reason == "PatchingALBIngress"
    assert edit.body["metadata"]["annotations"][ACTION] == (
        '{"Type":"forward","ForwardConfig":{"TargetGroups":['
        '{"ServiceName":"web-canary","ServicePort":"443","Weight":10},'
        '{"ServiceName":"web-exp","ServicePort":"443","Weight":5},'
        '{"ServiceName":"web-stable","ServicePort":"443","Weight":85}],'
        '"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":300}}}'
    )


def test_alb_header_routes_have_an_action_a_condition_and_a_first_path() -> None:
    intent = replace(INTENT, canary_weight=10, header_routes=(HEADER,))
    config = {"ingress": "web", "servicePort": 443}
    (obj,) = applied((ingress(),), Alb().plan(config, (ingress(),), intent))
    annotations = obj["metadata"]["annotations"]
    assert annotations["alb.ingress.kubernetes.io/conditions.to-canary"] == (
        '[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"x-canary","values":["yes"]}}]'
    )
    assert (
        '"ServiceName":"web-canary","ServicePort":"443","Weight":100'
        in annotations["alb.ingress.kubernetes.io/actions.to-canary"]
    )
    assert annotations[MANAGED] == (
        '{"web":["alb.ingress.kubernetes.io/actions.web-stable",'
        '"alb.ingress.kubernetes.io/actions.to-canary","alb.ingress.kubernetes.io/conditions.to-canary"]}'
    )
    first, second = obj["spec"]["rules"][0]["http"]["paths"]
    assert first["backend"]["service"] == {"name": "to-canary", "port": {"name": "use-annotation"}}
    assert second == path("web-stable")
    assert obj["spec"]["rules"][1] == ingress()["spec"]["rules"][1]


def test_alb_keeps_the_actions_of_another_rollout() -> None:
    config = {"ingress": "web", "servicePort": 443}
    other = replace(
        INTENT, rollout="api", stable_service="docs", canary_service="docs-canary", canary_weight=3
    )
    live = applied((ingress(),), Alb().plan(config, (ingress(),), other))
    theirs = copy.deepcopy(live[0]["metadata"]["annotations"]["alb.ingress.kubernetes.io/actions.docs"])
    both = applied(live, Alb().plan(config, live, replace(INTENT, canary_weight=10)))
    assert both[0]["metadata"]["annotations"]["alb.ingress.kubernetes.io/actions.docs"] == theirs
    assert Alb().plan(config, both, other) == ()


def test_alb_sticks_to_a_target_group_behind_a_header_too() -> None:
    sticky = {"enabled": True, "durationSeconds": 300}
    config = {"ingress": "web", "servicePort": 443, "stickinessConfig": sticky}
    intent = replace(INTENT, canary_weight=10, header_routes=(HEADER,))
    (edit,) = Alb().plan(config, (ingress(),), intent)
    assert edit.body["metadata"]["annotations"]["alb.ingress.kubernetes.io/actions.to-canary"] == (
        '{"Type":"forward","ForwardConfig":{"TargetGroups":['
        '{"ServiceName":"web-canary","ServicePort":"443","Weight":100}],'
        '"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":300}}}'
    )


def test_alb_escapes_a_header_value_as_the_peer_does() -> None:
    route = HeaderRoute(name="to-canary", matches=(HeaderMatch(header="h", exact="<a&b>"),))
    (edit,) = Alb().plan(
        {"ingress": "web", "servicePort": 443}, (ingress(),), replace(INTENT, header_routes=(route,))
    )
    text = edit.body["metadata"]["annotations"]["alb.ingress.kubernetes.io/conditions.to-canary"]
    assert text.endswith(r'"values":["\u003ca\u0026b\u003e"]}}]')


def test_alb_takes_over_a_header_route_of_the_peer_and_removes_it_at_the_end() -> None:
    config = {"ingress": "web", "servicePort": 443, "rootService": "web-root"}
    at = replace(INTENT, canary_weight=10, header_routes=(HEADER,))
    live = (ingress("web", "web-root"),)
    theirs = applied(live, Alb().plan(config, live, at))
    theirs[0]["metadata"]["annotations"]["rollouts.argoproj.io/managed-alb-actions"] = "web:some-old-note"
    assert Alb().plan(config, theirs, at) == ()
    (done,) = applied(theirs, Alb().plan(config, theirs, replace(INTENT, canary_weight=0)))
    annotations = done["metadata"]["annotations"]
    assert not [key for key in annotations if "to-canary" in key]
    assert annotations[MANAGED] == '{"web":["alb.ingress.kubernetes.io/actions.web-root"]}'
    assert done["spec"] == live[0]["spec"]


def test_alb_refuses_a_managed_route_name_that_another_rollout_has_on_the_ingress() -> None:
    config = {"ingress": "web", "servicePort": 443}
    other = replace(INTENT, rollout="api", stable_service="docs", header_routes=(HEADER,))
    live = applied((ingress(),), Alb().plan(config, (ingress(),), other))
    with pytest.raises(TrafficError, match="belongs to another Rollout"):
        Alb().plan(config, live, replace(INTENT, canary_weight=10, header_routes=(HEADER,)))
    idle = applied(live, Alb().plan(config, live, replace(INTENT, canary_weight=10)))
    assert idle[0]["spec"] == live[0]["spec"]


@pytest.mark.parametrize("note", ["test", "[]", '{"web":"x"}'])
def test_alb_refuses_a_note_of_managed_annotations_that_it_cannot_read(note: str) -> None:
    live = ingress()
    live["metadata"]["annotations"][MANAGED] = note
    with pytest.raises(TrafficError, match="is no JSON object of lists"):
        Alb().plan({"ingress": "web", "servicePort": 443}, (live,), replace(INTENT, canary_weight=1))


@pytest.mark.parametrize(
    ("match", "words"),
    [
        pytest.param(HeaderMatch(header="h", regex="a"), "exact header values only", id="regex"),
        pytest.param(None, "without a match", id="none"),
    ],
)
def test_alb_refuses_header_routes_that_it_cannot_express(match: HeaderMatch | None, words: str) -> None:
    route = HeaderRoute(name="h", matches=(match,) if match else ())
    with pytest.raises(TrafficError, match=words):
        Alb().plan(
            {"ingress": "web", "servicePort": 1}, (ingress(),), replace(INTENT, header_routes=(route,))
        )


def test_alb_stickiness_has_the_bounds_of_the_load_balancer() -> None:
    config = {"ingress": "web", "servicePort": 1, "stickinessConfig": {"enabled": True, "durationSeconds": 0}}
    with pytest.raises(TrafficError, match="must be in 1"):
        Alb().plan(config, (ingress(),), replace(INTENT, canary_weight=1))


def test_the_canary_ingress_may_be_missing_the_stable_one_may_not() -> None:
    needs = Nginx().needs({"stableIngress": "web"}, INTENT)
    assert [(need.name, need.optional) for need in needs] == [("web", False), ("web-web-canary", True)]
