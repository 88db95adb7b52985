from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.argoproj.validation import invalid_spec_message, validate_rollout
from rollouts.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required

POD = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
}
SPEC: dict[str, Any] = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": POD}
GATEWAY = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}
SERVICES = {"stableService": "stable", "canaryService": "canary"}


def spec_errors(**changes: Any) -> list[str]:
    spec = {**SPEC, "strategy": {"canary": {}}, **changes}
    spec = {key: value for key, value in spec.items() if value is not None}
    return [str(error) for error in validate_rollout({"metadata": {"name": "web"}, "spec": spec})]


def canary_errors(**canary: Any) -> list[str]:
    return spec_errors(strategy={"canary": canary})


def step_errors(step: dict[str, Any], **canary: Any) -> list[str]:
    return canary_errors(steps=[step], **canary)


def test_a_complete_canary_and_a_complete_blue_green_have_no_errors() -> None:
    steps = [
        {"setWeight": 0},
        {"pause": {}},
        {"pause": {"duration": "10m"}},
        {"setCanaryScale": {"replicas": 1}},
        {"analysis": {"templates": [{"templateName": "x"}]}},
        {"setWeight": 100},
    ]
    assert canary_errors(steps=steps, trafficRouting=GATEWAY, scaleDownDelaySeconds=10, **SERVICES) == []
    assert spec_errors(strategy={"blueGreen": {"activeService": "a", "previewService": "p"}}) == []


def test_a_reference_to_a_workload_needs_neither_template_nor_selector() -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert spec_errors(template=None, selector=None, workloadRef=ref) == []
    assert spec_errors(selector=None, workloadRef=ref) == [
        "spec.template: Internal error: template must be empty for workload reference rollout"
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"selector": None}, "spec.selector: Required value: Rollout has missing field '.spec.selector'"),
        (
            {"selector": {}},
            "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
        ),
        ({"template": None}, "spec.template: Required value: Rollout has missing field '.spec.template'"),
        (
            {"selector": {"matchLabels": {"app": "other"}}},
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: '
            "`selector` does not match template `labels`",
        ),
        (
            {"minReadySeconds": 700},
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
        (
            {"minReadySeconds": 10, "progressDeadlineSeconds": 10},
            "spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds",
        ),
        (
            {"strategy": {}},
            "spec.strategy.strategy: Required value: "
            "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
        ),
        (
            {"strategy": None},
            "spec.strategy.strategy: Required value: "
            "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
        ),
        (
            {"strategy": {"canary": {}, "blueGreen": {"activeService": "a"}}},
            'spec.strategy.strategy: Invalid value: {"blueGreen":{},"canary":{}}: '
            "Multiple Strategies can not be listed; keep either canary or blueGreen",
        ),
        (
            {"strategy": {"blueGreen": {"activeService": "a", "previewService": "a"}}},
            'spec.strategy.blueGreen.previewService: Invalid value: "a": This rollout uses the same service '
            "for the active and preview services, but two different services are required.",
        ),
        (
            {"strategy": {"blueGreen": {"activeService": "a", "scaleDownDelayRevisionLimit": 11}}},
            "spec.strategy.blueGreen.scaleDownDelayRevisionLimit: Invalid value: 11: This rollout's revision "
            "history limit can not be smaller than the rollout's scale down limit",
        ),
        ({"replicas": "many"}, "spec.replicas: Invalid value: Input should be a valid integer"),
        ({"strategy": {"canary": {"steps": {}}}}, "spec.strategy.canary.steps: Invalid value: "),
        ({"workloadRef": {"kind": "Deployment"}, "template": None}, "spec.workloadRef.name: Required value"),
        (
            {"workloadRef": {"kind": "Deployment", "name": "x", "scaleDown": "now"}, "template": None},
            'spec.workloadRef.scaleDown: Unsupported value: "now": '
            'supported values: "never", "onsuccess", "progressively"',
        ),
    ],
)
def test_the_first_error_of_a_spec(changes: dict[str, Any], error: str) -> None:
    assert spec_errors(**changes)[0].startswith(error)


@pytest.mark.parametrize(
    ("pod", "error"),
    [
        ({"containers": []}, "containers: Required value"),
        ({"containers": [{"name": "web"}]}, "containers[0].image: Required value"),
        ({"containers": [{"image": "x"}]}, "containers[0].name: Required value"),
        ({"containers": [{"name": "Web", "image": "x"}]}, 'containers[0].name: Invalid value: "Web"'),
        (
            {"containers": [{"name": "web", "image": "x"}, {"name": "web", "image": "x"}]},
            'containers[1].name: Duplicate value: "web"',
        ),
        (
            {"containers": [{"name": "web", "image": "x"}], "restartPolicy": "Never"},
            'restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
        (
            {"containers": [{"name": "web", "image": "x", "ports": [{"containerPort": 70000}]}]},
            "containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535",
        ),
        (
            {
                "containers": [
                    {"name": "web", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/"}]}
                ]
            },
            'containers[0].volumeMounts[0].name: Not found: "v"',
        ),
    ],
)
def test_the_pod_template_is_looked_at(pod: dict[str, Any], error: str) -> None:
    (found,) = spec_errors(template={**POD, "spec": pod})
    assert found.startswith(f"spec.template.spec.{error}")


def test_a_wrong_quantity_does_not_stop_a_rollout() -> None:
    container = {"name": "web", "image": "x", "resources": {"requests": {"cpu": "lots"}}}
    assert spec_errors(template={**POD, "spec": {"containers": [container]}}) == []


@pytest.mark.parametrize(
    ("canary", "error"),
    [
        (
            {"stableService": "s", "canaryService": "s"},
            'stableService: Invalid value: "s": This rollout uses the same service for the stable and canary '
            "services, but two different services are required.",
        ),
        (
            {"trafficRouting": {"nginx": {"stableIngress": "x"}}},
            'stableService: Invalid value: "": Canary service and Stable service must to be set '
            "to use Traffic Routing",
        ),
        (
            {"maxSurge": 0, "maxUnavailable": "0%"},
            "maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero",
        ),
        ({"maxUnavailable": "110%"}, 'maxUnavailable: Invalid value: "110%": must not be greater than 100%'),
        ({"maxSurge": "some"}, "maxSurge: Invalid value: \"some\": 'some' is neither"),
        (
            {"scaleDownDelaySeconds": 30},
            "scaleDownDelaySeconds: Invalid value: 30: Canary scaleDownDelaySeconds can only be used "
            "with traffic routing",
        ),
        (
            {"dynamicStableScale": True},
            "dynamicStableScale: Invalid value: true: Canary dynamicStableScale can only be used "
            "with traffic routing",
        ),
        (
            {"dynamicStableScale": True, "scaleDownDelaySeconds": 1, "trafficRouting": GATEWAY},
            "dynamicStableScale: Invalid value: true: Canary dynamicStableScale cannot be used "
            "with scaleDownDelaySeconds",
        ),
        (
            {"trafficRouting": {"smi": {}, "maxTrafficWeight": 1000}, **SERVICES},
            "trafficRouting.maxTrafficWeight: Invalid value: 1000: Canary maxTrafficWeight in traffic "
            "routing only support in Nginx and Plugins",
        ),
        (
            {"trafficRouting": {**GATEWAY, "istio": {"virtualService": {"name": "v"}}}},
            'stableService: Invalid value: "": Canary service and Stable service must to be set',
        ),
        (
            {"trafficRouting": {"appMesh": {}, "istio": {"destinationRule": {"name": "d"}}}},
            'stableService: Invalid value: "": Canary service and Stable service must to be set',
        ),
        (
            {"pingPong": {"pongService": "b"}, "trafficRouting": GATEWAY},
            "pingPong.pingService: Required value: Ping service and Pong service must to be set to use",
        ),
        (
            {"stableService": "s", "canaryService": "s", "maxSurge": 0, "maxUnavailable": 0},
            "maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero",
        ),
        (
            {"pingPong": {"pingService": "a", "pongService": "b"}},
            'pingPong: Invalid value: {"pingService":"a","pongService":"b"}: Ping-pong feature works with',
        ),
        (
            {"pingPong": {"pingService": "a", "pongService": "a"}, "trafficRouting": {"istio": {"x": 1}}},
            'pingPong.pingService: Invalid value: "a": This rollout uses the same service for the ping',
        ),
        (
            {
                "pingPong": {"pingService": "a", "pongService": "b"},
                "trafficRouting": {"alb": {"ingress": "x"}},
            },
            "trafficRouting.alb.rootService: Required value: Root service field is required",
        ),
        (
            {"antiAffinity": {}},
            "antiAffinity: Invalid value: {}: AntiAffinity must have exactly one strategy listed",
        ),
        (
            {"antiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 101}}},
            "antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight: Invalid value: 101: "
            "AntiAffinity weight must be between 1-100",
        ),
        (
            {"replicaProgressThreshold": {"type": "Share", "value": 1}},
            'replicaProgressThreshold.type: Unsupported value: "Share": supported values: "Percent", "Pods"',
        ),
        ({"analysis": {"startingStep": 1}}, "analysis.templates: Required value"),
        (
            {"trafficRouting": {**GATEWAY, "managedRoutes": [{"name": "a"}, {"name": "a"}]}},
            'trafficRouting.managedRoutes[1].name: Duplicate value: "a"',
        ),
    ],
)
def test_the_first_error_of_a_canary_strategy(canary: dict[str, Any], error: str) -> None:
    assert canary_errors(**canary)[0].startswith(f"spec.strategy.canary.{error}")


@pytest.mark.parametrize(
    "canary",
    [
        {"trafficRouting": {"istio": {"destinationRule": {"name": "x"}, "virtualService": {"name": "v"}}}},
        {"trafficRouting": GATEWAY},
        {
            "trafficRouting": {"alb": {"ingress": "x", "rootService": "r", "servicePort": 80}},
            "pingPong": {"pingService": "a", "pongService": "b"},
        },
        {"trafficRouting": {"nginx": {"stableIngress": "x"}, "maxTrafficWeight": 1000}, **SERVICES},
    ],
    ids=["istio subsets", "plugin", "alb with ping-pong", "nginx with its own maximum"],
)
def test_routing_without_fault(canary: dict[str, Any]) -> None:
    assert canary_errors(**canary) == []


ROUTED = {"trafficRouting": GATEWAY}


@pytest.mark.parametrize(
    ("step", "canary", "error"),
    [
        ({"setWeight": 120}, {}, ".setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100"),
        ({"setWeight": -1}, {}, ".setWeight: Invalid value: -1: SetWeight needs to be between 0 and 100"),
        (
            {"setWeight": 1001},
            {"trafficRouting": {**GATEWAY, "maxTrafficWeight": 1000}},
            ".setWeight: Invalid value: 1001: SetWeight needs to be between 0 and 1000",
        ),
        ({}, {}, ": Invalid value: {}: Step must have one of the following set"),
        (
            {"setWeight": 1, "pause": {}},
            {},
            ': Invalid value: {"setWeight":{},"pause":{}}: Step must have one of the following set',
        ),
        ({"pause": {"duration": -1}}, {}, ".pause.duration: Invalid value: -1: Duration needs to be greater"),
        (
            {"pause": {"duration": "soon"}},
            {},
            '.pause.duration: Invalid value: "soon": "soon" is not a duration',
        ),
        (
            {"setCanaryScale": {"replicas": 1}},
            {},
            '.setCanaryScale: Invalid value: {"replicas":1}: SetCanaryScale requires TrafficRouting',
        ),
        (
            {"setHeaderRoute": {"name": "h"}},
            {},
            '.setHeaderRoute: Invalid value: {"name":"h"}: SetHeaderRoute requires TrafficRouting, '
            "supports Istio and ALB and Apisix",
        ),
        (
            {"setHeaderRoute": {"name": "h"}},
            {"trafficRouting": {**GATEWAY, "managedRoutes": [{"name": "other"}]}},
            '.setHeaderRoute.name: Invalid value: "h": Steps define a route that does not exist in '
            "spec.strategy.canary.trafficRouting.managedRoutes",
        ),
        (
            {"setMirrorRoute": {"name": "m", "match": [{"method": {"exact": "GET", "prefix": "G"}}]}},
            ROUTED,
            '.setMirrorRoute.match[0].method: Invalid value: {"exact":"GET","prefix":"G"}: StringMatch match '
            "value must have exactly one of the following: exact, regex, prefix",
        ),
        (
            {"setMirrorRoute": {"name": "m", "match": [{"path": {}}]}},
            ROUTED,
            ".setMirrorRoute.match[0].path: Invalid value: {}: StringMatch value missed, match value must "
            "have one of the following: exact, regex, prefix",
        ),
        (
            {"setHeaderRoute": {"match": [{"headerName": "who"}]}},
            ROUTED,
            ".setHeaderRoute.match[0].headerValue: Required value: StringMatch value missed",
        ),
        (
            {
                "analysis": {
                    "templates": [{"templateName": "t"}],
                    "args": [
                        {"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.label['app']"}}}
                    ],
                }
            },
            {},
            ".analysis.args[0].valueFrom.fieldRef.fieldPath: Invalid value: \"metadata.label['app']\": "
            "Analyses arguments must refer to valid object metadata supported by downwardAPI",
        ),
        (
            {"setMirrorRoute": {"name": "m"}},
            {"trafficRouting": {"nginx": {}}, **SERVICES},
            '.setMirrorRoute: Invalid value: {"name":"m"}: SetMirrorRoute requires TrafficRouting, '
            "supports Istio only",
        ),
        (
            {"analysis": {"templates": [{"clusterScope": True}]}},
            {},
            ".analysis.templates[0].templateName: Required value",
        ),
        (
            {
                "analysis": {
                    "templates": [{"templateName": "t"}],
                    "args": [{"name": "a", "valueFrom": {"podTemplateHashValue": "Newest"}}],
                }
            },
            {},
            '.analysis.args[0].valueFrom.podTemplateHashValue: Unsupported value: "Newest"',
        ),
        (
            {"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 5}]}},
            {},
            ".experiment.templates[0].weight: Invalid value: 5: Experiment template weight cannot be set "
            "unless TrafficRouting is enabled",
        ),
        (
            {"experiment": {"templates": [{"name": "a", "specRef": "old"}]}},
            {},
            '.experiment.templates[0].specRef: Unsupported value: "old"',
        ),
    ],
)
def test_the_first_error_of_a_step(step: dict[str, Any], canary: dict[str, Any], error: str) -> None:
    assert step_errors(step, **canary)[0].startswith(f"spec.strategy.canary.steps[0]{error}")


def test_a_route_that_a_step_sets_needs_a_place_among_the_others() -> None:
    assert step_errors({"setHeaderRoute": {"name": "h"}}, **ROUTED) == [
        "spec.strategy.canary.trafficRouting.managedRoutes: Required value: "
        "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'"
    ]


@pytest.mark.parametrize(
    "path",
    [
        "metadata.name",
        "metadata.labels",
        "metadata.labels['a.b/c']",
        "metadata.annotations['x']",
        "spec.replicas",
    ],
)
def test_an_argument_may_name_metadata_and_any_other_field(path: str) -> None:
    args = [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": path}}}]
    assert step_errors({"analysis": {"templates": [{"templateName": "t"}], "args": args}}) == []


def test_scale_and_routes_may_stand_in_one_step() -> None:
    routing = {**GATEWAY, "managedRoutes": [{"name": "h"}]}
    step = {"setCanaryScale": {"weight": 5}, "setHeaderRoute": {"name": "h"}}
    assert step_errors(step, trafficRouting=routing) == []


def test_alb_matches_headers_exactly() -> None:
    routing = {"alb": {"ingress": "x"}, "managedRoutes": [{"name": "h"}]}
    match = [{"headerName": "who", "headerValue": {"prefix": "me"}}]
    found = step_errors({"setHeaderRoute": {"name": "h", "match": match}}, trafficRouting=routing, **SERVICES)
    assert found == [
        "spec.strategy.canary.steps[0].setHeaderRoute.match[0].headerValue: "
        'Invalid value: {"prefix":"me"}: SetHeaderRoute match value invalid. '
        "ALB supports 'exact' value only"
    ]


def test_the_condition_names_the_rollout_and_the_first_error() -> None:
    first = validate_rollout({"spec": {**SPEC, "strategy": {"canary": {"steps": [{"setWeight": 120}]}}}})[0]
    assert invalid_spec_message("web", first) == (
        'The Rollout "web" is invalid: spec.strategy.canary.steps[0].setWeight: '
        "Invalid value: 120: SetWeight needs to be between 0 and 100"
    )


def test_a_rollout_without_a_spec_has_one_error() -> None:
    assert [str(e) for e in validate_rollout({})] == [
        "spec: Required value: Rollout has missing field '.spec'"
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (invalid("a.b", None, "why"), 'a.b: Invalid value: "null": why'),
        (invalid("a", True, "why"), "a: Invalid value: true: why"),
        (required("a"), "a: Required value"),
        (forbidden("a", "why"), "a: Forbidden: why"),
        (duplicate("a[1]", "x"), 'a[1]: Duplicate value: "x"'),
        (not_supported("a", "x", ("y",)), 'a: Unsupported value: "x": supported values: "y"'),
        (invalid("a", {"b": {"c": {"d": 1}}}, "deep"), 'a: Invalid value: {"b":{"c":{"…":"…"}}}: deep'),
    ],
)
def test_errors_read_as_those_of_the_api_server(error: FieldError, text: str) -> None:
    assert str(error) == text


def test_type_errors_do_not_show_the_value() -> None:
    (error,) = spec_errors(strategy={"canary": {"steps": [{"setWeight": "hunter2"}]}})
    assert error.startswith("spec.strategy.canary.steps[0].setWeight: Invalid value: ")
    assert "hunter2" not in error
