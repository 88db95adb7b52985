"""What users of each router write: its objects, its part of ``trafficRouting``, and how to read its weights.

Everything belongs to an application ``shop`` with Services ``shop-stable`` and ``shop-canary``. Readers here
look at the stored objects and know nothing of the product's own reading.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.deliveries import APP

Object = dict[str, Any]
Stored = Mapping[tuple[str, str], Object]
"""Objects by (kind, name)."""

STABLE, CANARY = f"{APP}-stable", f"{APP}-canary"
NGINX = "nginx.ingress.kubernetes.io"
ALB = "alb.ingress.kubernetes.io"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One router as a user has it.

    ``collections`` are the API paths of its kinds, by kind. ``weights`` returns (stable, canary) of every
    place that splits, managed routes left out. ``managed`` returns what header steps added. ``headers`` tells
    that the router has header routes.
    """

    routing: Object
    objects: tuple[Object, ...]
    collections: Mapping[str, str]
    weights: Callable[[Stored], list[tuple[int, int]]]
    managed: Callable[[Stored], list[Any]] = lambda stored: []
    headers: bool = False


def _object(api_version: str, kind: str, spec: Object, name: str = APP, **meta: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


def _by(field: str, entries: Sequence[Object]) -> tuple[int, int]:
    weights = {entry[field]: int(entry.get("weight", 1)) for entry in entries}
    return weights[STABLE], weights[CANARY]


def _pair(field: str = "name", **more: Any) -> list[Object]:
    return [{field: STABLE, **more, "weight": 100}, {field: CANARY, **more, "weight": 0}]


# -- Gateway API --------------------------------------------------------------------------------------------

GATEWAY = "gateway.networking.k8s.io"


def _gateway(kind: str, field: str, version: str, **spec: Any) -> Sample:
    rule = {"backendRefs": _pair(port=80)}
    route = _object(f"{GATEWAY}/{version}", kind, {"parentRefs": [{"name": "gw"}], **spec, "rules": [rule]})
    named = kind in ("HTTPRoute", "GRPCRoute")

    def rules(stored: Stored, managed: bool) -> list[Object]:
        found = stored[kind, APP]["spec"]["rules"]
        return [rule for rule in found if managed == (rule.get("name") == "to-canary")]

    return Sample(
        routing={"plugins": {"argoproj-labs/gatewayAPI": {field: APP}}},
        objects=(route,),
        collections={kind: f"{GATEWAY}/{version}/{kind.lower()}s"},
        weights=lambda stored: [_by("name", rule["backendRefs"]) for rule in rules(stored, False)],
        managed=lambda stored: rules(stored, True),
        headers=named,
    )


# -- Istio --------------------------------------------------------------------------------------------------

ISTIO = "networking.istio.io"


def _istio_hosts() -> Sample:
    route = [
        {"destination": {"host": STABLE, "port": {"number": 80}}, "weight": 100},
        {"destination": {"host": CANARY, "port": {"number": 80}}, "weight": 0},
    ]
    http = [{"name": "main", "timeout": "3s", "retries": {"attempts": 2}, "route": route}]
    service = _object(f"{ISTIO}/v1", "VirtualService", {"hosts": ["shop.test"], "http": http})
    return Sample(
        routing={"istio": {"virtualService": {"name": APP}}},
        objects=(service,),
        collections={"VirtualService": f"{ISTIO}/v1/virtualservices"},
        weights=lambda stored: _istio_weights(stored, lambda to: to["host"], STABLE, CANARY),
        managed=_istio_managed,
        headers=True,
    )


def _istio_subsets() -> Sample:
    route = [
        {"destination": {"host": APP, "subset": "stable"}, "weight": 100},
        {"destination": {"host": APP, "subset": "canary"}, "weight": 0},
    ]
    spec = {"hosts": ["shop.test"], "http": [{"name": "main", "route": route}]}
    subsets = [{"name": "stable", "labels": {"app": APP}}, {"name": "canary", "labels": {"app": APP}}]
    policy = {"loadBalancer": {"simple": "LEAST_REQUEST"}}
    rule = {"host": APP, "trafficPolicy": policy, "subsets": subsets}
    names = {"name": APP, "canarySubsetName": "canary", "stableSubsetName": "stable"}
    return Sample(
        routing={"istio": {"virtualService": {"name": APP, "routes": ["main"]}, "destinationRule": names}},
        objects=(
            _object(f"{ISTIO}/v1", "VirtualService", spec),
            _object(f"{ISTIO}/v1", "DestinationRule", rule),
        ),
        collections={
            "VirtualService": f"{ISTIO}/v1/virtualservices",
            "DestinationRule": f"{ISTIO}/v1/destinationrules",
        },
        weights=lambda stored: _istio_weights(stored, lambda to: to["subset"], "stable", "canary"),
        managed=_istio_managed,
        headers=True,
    )


def _istio_weights(
    stored: Stored, of: Callable[[Object], str], stable: str, canary: str
) -> list[tuple[int, int]]:
    found = []
    for route in stored["VirtualService", APP]["spec"]["http"]:
        if route.get("name") == "main":
            weights = {of(to["destination"]): to.get("weight", 0) for to in route["route"]}
            found.append((weights[stable], weights[canary]))
    return found


def _istio_managed(stored: Stored) -> list[Any]:
    return [r for r in stored["VirtualService", APP]["spec"]["http"] if r.get("name") == "to-canary"]


# -- Ingress ------------------------------------------------------------------------------------------------


def _ingress(**more: Any) -> Object:
    backend = {"service": {"name": STABLE, **more}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return _object(
        "networking.k8s.io/v1",
        "Ingress",
        {"ingressClassName": "some", "rules": [{"host": "shop.test", "http": {"paths": paths}}]},
        annotations={"team": "kept"},
    )


def _nginx_weights(stored: Stored) -> list[tuple[int, int]]:
    canary = stored.get(("Ingress", f"{APP}-{APP}-canary"))
    if canary is None:
        return [(100, 0)]
    weight = int(canary["metadata"]["annotations"][f"{NGINX}/canary-weight"])
    return [(100 - weight, weight)]


def _alb_weights(stored: Stored) -> list[tuple[int, int]]:
    text = stored["Ingress", APP]["metadata"]["annotations"].get(f"{ALB}/actions.{STABLE}")
    if text is None:
        return [(100, 0)]
    groups = json.loads(text)["ForwardConfig"]["TargetGroups"]
    weights = {group["ServiceName"]: group["Weight"] for group in groups}
    return [(weights[STABLE], weights[CANARY])]


def _alb_managed(stored: Stored) -> list[Any]:
    ingress = stored["Ingress", APP]
    paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    notes = [key for key in ingress["metadata"]["annotations"] if key.endswith(".to-canary")]
    return notes + [path for path in paths if path["backend"]["service"]["name"] == "to-canary"]


# -- meshes described by weighted lists ---------------------------------------------------------------------


def _smi_weights(stored: Stored) -> list[tuple[int, int]]:
    split = stored.get(("TrafficSplit", APP))
    return [(100, 0)] if split is None else [_by("service", split["spec"]["backends"])]


def _traefik() -> Sample:
    spec = {"weighted": {"services": _pair(port=80), "sticky": {"cookie": {"name": "kept"}}}}
    return Sample(
        routing={"traefik": {"weightedTraefikServiceName": APP}},
        objects=(_object("traefik.io/v1alpha1", "TraefikService", spec),),
        collections={"TraefikService": "traefik.io/v1alpha1/traefikservices"},
        weights=lambda stored: [_by("name", stored["TraefikService", APP]["spec"]["weighted"]["services"])],
    )


def _apisix() -> Sample:
    rule = {"name": "main", "match": {"hosts": ["shop.test"], "paths": ["/*"]}}
    http = [{**rule, "backends": _pair("serviceName", servicePort=80), "plugins": [{"name": "cors"}]}]
    return Sample(
        routing={"apisix": {"route": {"name": APP, "rules": ["main"]}}},
        objects=(_object("apisix.apache.org/v2", "ApisixRoute", {"http": http}),),
        collections={"ApisixRoute": "apisix.apache.org/v2/apisixroutes"},
        weights=lambda stored: [
            _by("serviceName", stored["ApisixRoute", APP]["spec"]["http"][0]["backends"])
        ],
        managed=lambda stored: [name for _, name in stored if name == "to-canary"],
        headers=True,
    )


def _ambassador_weights(stored: Stored) -> list[tuple[int, int]]:
    canary = stored.get(("Mapping", f"{APP}-canary"))
    weight = 0 if canary is None else int(canary["spec"]["weight"])
    return [(100 - weight, weight)]


def _app_mesh() -> Sample:
    targets = [
        {"virtualNodeRef": {"name": name}, "weight": weight} for name, weight in ((STABLE, 100), (CANARY, 0))
    ]
    match = {"match": {"prefix": "/"}}
    routes = [{"name": "main", "httpRoute": {**match, "action": {"weightedTargets": targets}}}]
    provider = {"virtualRouter": {"virtualRouterRef": {"name": "some-router"}}}
    group, pods = "appmesh.k8s.aws/v1beta2", {"podSelector": {"matchLabels": {"app": APP}}}

    def weights(stored: Stored) -> list[tuple[int, int]]:
        (route,) = stored["VirtualRouter", "some-router"]["spec"]["routes"]
        found = {
            to["virtualNodeRef"]["name"]: to["weight"]
            for to in route["httpRoute"]["action"]["weightedTargets"]
        }
        return [(found[STABLE], found[CANARY])]

    nodes = {"canaryVirtualNodeRef": {"name": CANARY}, "stableVirtualNodeRef": {"name": STABLE}}
    return Sample(
        routing={"appMesh": {"virtualService": {"name": APP}, "virtualNodeGroup": nodes}},
        objects=(
            _object(group, "VirtualService", {"provider": provider}),
            _object(group, "VirtualRouter", {"routes": routes}, "some-router"),
            _object(group, "VirtualNode", pods, STABLE),
            _object(group, "VirtualNode", pods, CANARY),
        ),
        collections={
            "VirtualService": f"{group}/virtualservices",
            "VirtualRouter": f"{group}/virtualrouters",
            "VirtualNode": f"{group}/virtualnodes",
        },
        weights=weights,
    )


def _preset(
    name: str, group: str, kind: str, plural: str, spec: Object, listed: Callable[[Object], list[Object]],
    field: str = "name",
) -> Sample:  # fmt: skip
    return Sample(
        routing={"plugins": {f"rollouts.dev/{name}": {"name": APP}}},
        objects=(_object(group, kind, spec),),
        collections={kind: f"{group}/{plural}"},
        weights=lambda stored: [_by(field, listed(stored[kind, APP]["spec"]))],
    )


def _gloo() -> Sample:
    destinations = [
        {"destination": {"kube": {"ref": {"name": name}, "port": 80}}, "weight": weight}
        for name, weight in ((STABLE, 100), (CANARY, 0))
    ]
    route = {"matchers": [{"prefix": "/"}], "routeAction": {"multi": {"destinations": destinations}}}

    def listed(spec: Object) -> list[Object]:
        found = spec["virtualHost"]["routes"][0]["routeAction"]["multi"]["destinations"]
        return [{"name": d["destination"]["kube"]["ref"]["name"], "weight": d["weight"]} for d in found]

    spec = {"virtualHost": {"domains": ["shop.test"], "routes": [route]}}
    return _preset("gloo", "gateway.solo.io/v1", "VirtualService", "virtualservices", spec, listed)


_CONTOUR: Object = {"virtualhost": {"fqdn": "shop.test"}, "routes": [{"services": _pair(port=80)}]}
_OPENSHIFT: Object = {
    "host": "shop.test",
    "to": {"kind": "Service", "name": STABLE, "weight": 100},
    "alternateBackends": [{"kind": "Service", "name": CANARY, "weight": 0}],
}

SAMPLES: Mapping[str, Sample] = {
    "httproute": _gateway("HTTPRoute", "httpRoute", "v1", hostnames=["shop.test"]),
    "grpcroute": _gateway("GRPCRoute", "grpcRoute", "v1", hostnames=["shop.test"]),
    "tcproute": _gateway("TCPRoute", "tcpRoute", "v1alpha2"),
    "tlsroute": _gateway("TLSRoute", "tlsRoute", "v1alpha3", hostnames=["shop.test"]),
    "istio-hosts": _istio_hosts(),
    "istio-subsets": _istio_subsets(),
    "nginx": Sample(
        routing={"nginx": {"stableIngress": APP}},
        objects=(_ingress(port={"number": 80}),),
        collections={"Ingress": "networking.k8s.io/v1/ingresses"},
        weights=_nginx_weights,
    ),
    "alb": Sample(
        routing={"alb": {"ingress": APP, "servicePort": 80}},
        objects=(_ingress(port={"name": "use-annotation"}),),
        collections={"Ingress": "networking.k8s.io/v1/ingresses"},
        weights=_alb_weights,
        managed=_alb_managed,
        headers=True,
    ),
    "smi": Sample(
        routing={"smi": {}},
        objects=(),
        collections={"TrafficSplit": "split.smi-spec.io/v1alpha2/trafficsplits"},
        weights=_smi_weights,
    ),
    "traefik": _traefik(),
    "apisix": _apisix(),
    "ambassador": Sample(
        routing={"ambassador": {"mappings": [APP]}},
        objects=(
            _object("getambassador.io/v3alpha1", "Mapping", {"prefix": "/", "service": f"{STABLE}:80"}),
        ),
        collections={"Mapping": "getambassador.io/v3alpha1/mappings"},
        weights=_ambassador_weights,
    ),
    "app-mesh": _app_mesh(),
    "contour": _preset(
        "contour",
        "projectcontour.io/v1",
        "HTTPProxy",
        "httpproxies",
        _CONTOUR,
        lambda spec: spec["routes"][0]["services"],
    ),
    "openshift-route": _preset(
        "openshift-route",
        "route.openshift.io/v1",
        "Route",
        "routes",
        _OPENSHIFT,
        lambda spec: [spec["to"], *spec["alternateBackends"]],
    ),
    "gloo": _gloo(),
    "consul": _preset(
        "consul",
        "consul.hashicorp.com/v1alpha1",
        "ServiceSplitter",
        "servicesplitters",
        {"splits": _pair("service")},
        lambda spec: spec["splits"],
        "service",
    ),
}
