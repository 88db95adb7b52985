"""A real Envoy, from PyPI, and as much of a Gateway API controller as tests of mirrors take.

Envoy knows nothing of Kubernetes: a thread translates one HTTPRoute and the EndpointSlices behind it into
files that Envoy watches, and reports on the route as soon as they are written, so before they are in force.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.control_plane import RealCluster
from tests.cluster.processes import ServerProcess
from tests.cluster.rest import Rest
from tests.cluster.samples import Object
from tests.dataplane.wheels import Wheel

ENVOY = Wheel("envoy", "envoy/_bin/envoy", 37)
HTTP, ADMIN = 28100, 28101
"""Ports of the lane's own namespace."""

_CONTROLLER = "tests.example.com/envoy"
_EVERY = 0.1
"""Seconds between looks at the cluster."""

_TYPE = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


class EnvoyGateway:
    """Serves one HTTPRoute of a namespace."""

    def __init__(self, binary: Path, cluster: RealCluster, namespace: str, route: str, folder: Path) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._folder = folder / "envoy"
        self._folder.mkdir()
        self._route = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{route}"
        self._slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._written: dict[str, list[Object]] = {}
        self._problem: Exception | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="envoy gateway", daemon=True)
        bootstrap = self._folder / "bootstrap.json"
        bootstrap.write_text(json.dumps(self._bootstrap()))
        command = [str(binary), "-c", str(bootstrap), "--use-dynamic-base-id", "--concurrency", "1"]
        self._process = ServerProcess("envoy", [*command, "--log-level", "warning"], self._folder)
        self._admin = Rest(f"http://127.0.0.1:{ADMIN}", None, "")

    def start(self) -> EnvoyGateway:
        """Translate once, start Envoy, and follow the cluster from then on."""
        self._follow()
        self._process.start()
        self._process.wait_ready(lambda: self._admin.ready("/ready"), seconds=20)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End both. Raises what stopped the translation."""
        self._ended.set()
        self._thread.join(10)
        self._process.stop()
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            while not self._ended.wait(_EVERY):
                self._follow()
        except Exception as error:  # noqa: BLE001 - stop raises it where the test can see it
            self._problem = error

    def _follow(self) -> None:
        route = self._cluster.admin.get(self._route)
        slices = self._cluster.admin.get(self._slices)["items"]
        self._write("clusters", [_cluster(name, slices) for name in sorted(_services(route))])
        self._write("routes", [_routes(route)])
        self._report(route)

    def _write(self, name: str, resources: list[Object]) -> None:
        """Put a file in its place in one step: Envoy reads it when it is renamed."""
        if self._written.get(name) == resources:
            return
        self._written[name] = resources
        fresh = self._folder / f"{name}.tmp"
        fresh.write_text(json.dumps({"resources": resources}))
        os.replace(fresh, self._folder / f"{name}.json")

    def _report(self, route: Object) -> None:
        seen = (route.get("status") or {}).get("parents") or ()
        live = route["metadata"]["generation"]
        if any(c["observedGeneration"] == live for entry in seen for c in entry["conditions"]):
            return
        conditions = [
            {
                "type": kind,
                "status": "True",
                "reason": kind,
                "message": "written for Envoy",
                "observedGeneration": live,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]
        (parent,) = route["spec"]["parentRefs"]
        entry = {"parentRef": parent, "controllerName": _CONTROLLER, "conditions": conditions}
        self._cluster.admin.merge(f"{self._route}/status", {"status": {"parents": [entry]}})

    def _bootstrap(self) -> Object:
        router = {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router"},
        }
        manager = {
            "@type": _MANAGER,
            "stat_prefix": "web",
            "rds": {"route_config_name": "routes", "config_source": self._source("routes")},
            "http_filters": [router],
        }
        filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
        listener = {
            "name": "web",
            "address": _address("127.0.0.1", HTTP),
            "filter_chains": [{"filters": filters}],
        }
        return {
            "node": {"id": "tests", "cluster": "tests"},
            "admin": {"address": _address("127.0.0.1", ADMIN)},
            "dynamic_resources": {"cds_config": self._source("clusters")},
            "static_resources": {"listeners": [listener]},
        }

    def _source(self, name: str) -> Object:
        place = {"path": str(self._folder / f"{name}.json"), "watched_directory": {"path": str(self._folder)}}
        return {"path_config_source": place, "resource_api_version": "V3"}


def _services(route: Object) -> set[str]:
    return {ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]}


def _cluster_name(route_or_slice: Object, service: str) -> str:
    return f"{route_or_slice['metadata']['namespace']}/{service}/80"


def _cluster(service: str, slices: Sequence[Object]) -> Object:
    """Return a cluster of the ready endpoints of a Service."""
    own = [s for s in slices if s["metadata"]["labels"].get("kubernetes.io/service-name") == service]
    name = _cluster_name(own[0], service)
    found = [
        {"endpoint": {"address": _address(address, part["ports"][0]["port"])}}
        for part in own
        for endpoint in part.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready")
        for address in endpoint["addresses"]
    ]
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": found}]},
    }


def _routes(route: Object) -> Object:
    """Return the routes, the one that wins first: longer paths, then more headers, then as they stand."""
    matches = [
        (match, rule)
        for rule in route["spec"]["rules"]
        for match in rule.get("matches") or [{"path": {"type": "PathPrefix", "value": "/"}}]
    ]
    matches.sort(key=lambda pair: (-len(pair[0]["path"]["value"]), -len(pair[0].get("headers") or ())))
    found = [{"match": _match(match), "route": _action(route, rule)} for match, rule in matches]
    host = {"name": "route", "domains": route["spec"]["hostnames"], "routes": found}
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": "routes",
        "virtual_hosts": [host],
    }


def _match(match: Object) -> Object:
    """Return the match. Raises KeyError for what these tests do not use."""
    path = match["path"]
    assert path["type"] == "PathPrefix", path
    headers = [
        {"name": header["name"], "string_match": {{"Exact": "exact"}[header["type"]]: header["value"]}}
        for header in match.get("headers") or ()
    ]
    where: Object = (
        {"prefix": "/"} if path["value"] == "/" else {"path_separated_prefix": path["value"].rstrip("/")}
    )
    return where | ({"headers": headers} if headers else {})


def _action(route: Object, rule: Object) -> Object:
    clusters = [
        {"name": _cluster_name(route, ref["name"]), "weight": ref.get("weight", 1)}
        for ref in rule["backendRefs"]
    ]
    return {
        "weighted_clusters": {"clusters": clusters},
        "request_mirror_policies": list(_mirrors(route, rule)),
    }


def _mirrors(route: Object, rule: Object) -> Iterator[dict[str, Any]]:
    for used in rule.get("filters") or ():
        assert used["type"] == "RequestMirror", used
        mirror = used["requestMirror"]
        assert mirror.keys() <= {"backendRef", "percent"}, mirror
        share = {"numerator": mirror.get("percent", 100), "denominator": "HUNDRED"}
        yield {
            "cluster": _cluster_name(route, mirror["backendRef"]["name"]),
            "runtime_fraction": {"default_value": share},
        }


def _address(host: str, port: int) -> Object:
    return {"socket_address": {"address": host, "port_value": port}}
