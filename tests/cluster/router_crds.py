"""Custom resource definitions that routers write to: Istio's published ones, and small ones of our own.

Istio's come out of its Go module. Other meshes publish theirs nowhere that a package registry serves, so this
file states the part that matters to a router: field names, types and bounds, with everything else pruned as
their own definitions would. A write that misspells a field is lost there, and a test sees it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cache import built_once, cache_root, digest
from tests.cluster.control_plane import RealCluster
from tests.cluster.golang import BuildFailed, ensure_go, run
from tests.cluster.processes import wait_until

ISTIO_MODULE = Path(__file__).resolve().parent / "istio_module"
ISTIO = "istio.io/api"
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_ISTIO_KINDS = ("VirtualService", "DestinationRule")

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FREE: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def thing(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Return the schema of an object."""
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def each(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def bounded(low: int, high: int) -> Schema:
    """Return the schema of a whole number."""
    return {"type": "integer", "minimum": low, "maximum": high}


_REF = thing(("name",), name=TEXT, namespace=TEXT)
_SMI = thing(
    ("service",),
    service=TEXT,
    backends=each(thing(("service", "weight"), service=TEXT, weight=WHOLE)),
    matches=each(FREE),
)
_TRAEFIK_SERVICE = thing(
    ("name",),
    name=TEXT,
    kind=TEXT,
    namespace=TEXT,
    port={"x-kubernetes-int-or-string": True},
    weight=bounded(0, 2**31 - 1),
)
_APISIX_RULE = thing(
    ("name", "match"),
    name=TEXT,
    priority=WHOLE,
    match=thing((), hosts=each(TEXT), paths=each(TEXT), exprs=each(FREE)),
    backends=each(
        thing(
            ("serviceName", "servicePort"),
            serviceName=TEXT,
            servicePort={"x-kubernetes-int-or-string": True},
            weight=bounded(0, 2**31 - 1),
        )
    ),
    plugins=each(FREE),
)
_MAPPING = thing(
    (),
    prefix=TEXT,
    hostname=TEXT,
    service=TEXT,
    rewrite=TEXT,
    weight=WHOLE,
    timeout_ms=WHOLE,
    headers=FREE,
    labels=FREE,
)
_TARGETS = thing(
    ("weightedTargets",),
    weightedTargets=each(
        thing(("weight",), virtualNodeRef=_REF, virtualNodeARN=TEXT, weight=bounded(0, 100), port=WHOLE)
    ),
)
_APP_MESH_ROUTE = thing(
    ("name",),
    name=TEXT,
    priority=bounded(0, 1000),
    **{kind: thing(("action",), action=_TARGETS, match=FREE) for kind in ("httpRoute", "http2Route")},
    grpcRoute=thing(("action",), action=_TARGETS, match=FREE),
    tcpRoute=thing(("action",), action=_TARGETS),
)
_CONTOUR_ROUTE = thing(
    (),
    conditions=each(FREE),
    services=each(thing(("name", "port"), name=TEXT, port=bounded(1, 65535), weight={**WHOLE, "minimum": 0})),
    timeoutPolicy=FREE,
)
_OPENSHIFT_TARGET = thing(("kind", "name"), kind=TEXT, name=TEXT, weight=bounded(0, 256))
_GLOO_DESTINATION = thing(
    (), destination=thing((), kube=FREE, upstream=_REF, subset=FREE), weight={**WHOLE, "minimum": 0}
)
_GLOO_ROUTE = thing(
    (), matchers=each(FREE), routeAction=thing((), multi=thing((), destinations=each(_GLOO_DESTINATION)))
)
_GLOO = thing((), virtualHost=thing((), domains=each(TEXT), routes=each(_GLOO_ROUTE)))
_CONSUL = thing(
    (), splits=each(thing((), service=TEXT, serviceSubset=TEXT, namespace=TEXT, weight={"type": "number"}))
)

_OURS: tuple[tuple[str, str, str, tuple[str, ...], Schema], ...] = (
    ("split.smi-spec.io", "TrafficSplit", "trafficsplits", ("v1alpha2",), _SMI),
    (
        "traefik.io",
        "TraefikService",
        "traefikservices",
        ("v1alpha1",),
        thing((), weighted=thing((), services=each(_TRAEFIK_SERVICE), sticky=FREE)),
    ),
    ("apisix.apache.org", "ApisixRoute", "apisixroutes", ("v2",), thing((), http=each(_APISIX_RULE))),
    ("getambassador.io", "Mapping", "mappings", ("v3alpha1", "v2"), _MAPPING),
    ("appmesh.k8s.aws", "VirtualService", "virtualservices", ("v1beta2",), thing(
        (), awsName=TEXT, meshRef=FREE,
        provider=thing((), virtualRouter=thing((), virtualRouterRef=_REF), virtualNode=FREE)),
    ),
    ("appmesh.k8s.aws", "VirtualRouter", "virtualrouters", ("v1beta2",), thing(
        (), awsName=TEXT, listeners=each(FREE), routes=each(_APP_MESH_ROUTE))),
    ("appmesh.k8s.aws", "VirtualNode", "virtualnodes", ("v1beta2",), thing(
        (), awsName=TEXT, listeners=each(FREE), serviceDiscovery=FREE,
        podSelector=thing((), matchLabels={"type": "object", "additionalProperties": TEXT}))),
    ("projectcontour.io", "HTTPProxy", "httpproxies", ("v1",), thing(
        (), virtualhost=FREE, routes=each(_CONTOUR_ROUTE))),
    ("route.openshift.io", "Route", "routes", ("v1",), thing(
        (), host=TEXT, to=_OPENSHIFT_TARGET, alternateBackends=each(_OPENSHIFT_TARGET))),
    ("gateway.solo.io", "VirtualService", "virtualservices", ("v1",), _GLOO),
    ("consul.hashicorp.com", "ServiceSplitter", "servicesplitters", ("v1alpha1",), _CONSUL),
)  # fmt: skip


def own_definitions() -> tuple[Mapping[str, Any], ...]:
    """Return the definitions that this file states, as manifests."""
    return tuple(_definition(*row) for row in _OURS)


def istio_definitions() -> tuple[Mapping[str, Any], ...] | None:
    """Return Istio's own definitions of what we write, None when its module was not fetched."""
    file = _istio_file()
    if not file.exists():
        return None
    documents = yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
    return tuple(found for found in documents if found and found["spec"]["names"]["kind"] in _ISTIO_KINDS)


def ensure_istio_crds() -> Path:
    """Return the cached file, copied out of Istio's Go module when needed. Raises BuildFailed."""
    return built_once(_istio_file(), _copy_istio_crds)


def install_definitions(cluster: RealCluster, definitions: tuple[Mapping[str, Any], ...]) -> None:
    """Apply definitions and wait until all are served."""
    for definition in definitions:
        cluster.admin.apply(f"{_PATH}/{definition['metadata']['name']}", definition)
    for definition in definitions:
        name = str(definition["metadata"]["name"])
        wait_until(lambda d=definition: _served(cluster, d), seconds=60, what=f"served objects of {name}")


def _served(cluster: RealCluster, definition: Mapping[str, Any]) -> bool:
    """Return whether every version can be listed; a new definition's storage is refused for a moment."""
    spec = definition["spec"]
    versions = [version["name"] for version in spec["versions"] if version["served"]]
    plural = spec["names"]["plural"]
    return all(cluster.admin.ready(f"/apis/{spec['group']}/{version}/{plural}") for version in versions)


def _definition(group: str, kind: str, plural: str, versions: tuple[str, ...], spec: Schema) -> Schema:
    schema = {"openAPIV3Schema": thing((), spec=spec, status=FREE)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # A group under k8s.io needs somebody's approval; none of these is.
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": index == 0,
                    "schema": schema,
                    "subresources": {"status": {}},
                }
                for index, version in enumerate(versions)
            ],
        },
    }


def _istio_file() -> Path:
    files = [ISTIO_MODULE / "go.mod", ISTIO_MODULE / "go.sum"]
    return cache_root() / f"istio-{digest(files)}" / "customresourcedefinitions.yaml"


def _copy_istio_crds(target: Path) -> None:
    go = ensure_go()
    answer = run(go, ["mod", "download", "-json", ISTIO], ISTIO_MODULE, what="CRDs of Istio")
    folder = Path(json.loads(answer)["Dir"])
    found = folder / "kubernetes" / "customresourcedefinitions.gen.yaml"
    if not found.exists():
        raise BuildFailed(f"the Go module {ISTIO} has no {found.relative_to(folder)}")
    shutil.copy(found, target)
    target.chmod(0o644)
