"""A real Traefik with its Gateway API provider, from PyPI."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.control_plane import RealCluster
from tests.cluster.processes import ServerProcess
from tests.cluster.rest import Rest
from tests.dataplane.wheels import Wheel

TRAEFIK = Wheel("traefik", "bin/traefik", 50)
HTTP, TCP, API = 28000, 28001, 28081
"""Ports of the lane's own namespace; listeners of the Gateway must have the ports of entry points."""

_GATEWAY = "gateway.networking.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_READ = ["list", "watch"]
_READS = {
    "": ["services", "secrets", "namespaces", "configmaps"],
    "discovery.k8s.io": ["endpointslices"],
    _GATEWAY: [
        "gatewayclasses", "gateways", "httproutes", "grpcroutes", "tcproutes", "tlsroutes",
        "referencegrants", "backendtlspolicies", "listenersets",
    ],
}  # fmt: skip
_REPORTS = [
    f"{plural}/status"
    for plural in ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "tcproutes", "tlsroutes",
                   "backendtlspolicies")
]  # fmt: skip


def grant(cluster: RealCluster, user: str) -> None:
    """Let a user do what Traefik's documentation asks for."""
    head = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": "traefik"}}
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": _READ} for group, kinds in _READS.items()]
    rules.append({"apiGroups": [_GATEWAY], "resources": _REPORTS, "verbs": ["update", "patch"]})
    cluster.admin.apply(
        f"/apis/{_RBAC}/v1/clusterroles/traefik", head | {"kind": "ClusterRole", "rules": rules}
    )
    binding = {
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "traefik"},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": cluster.username(user)}],
    }
    cluster.admin.apply(f"/apis/{_RBAC}/v1/clusterrolebindings/traefik", head | binding)


class Traefik:
    """The process. It reads the cluster as ``user`` and reloads at most every two seconds: its default."""

    def __init__(self, binary: Path, cluster: RealCluster, user: str, folder: Path) -> None:
        gateway = "--providers.kubernetesgateway"
        command = [
            str(binary),
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            f"--entrypoints.web.address=127.0.0.1:{HTTP}",
            f"--entrypoints.tcp.address=127.0.0.1:{TCP}",
            f"--entrypoints.traefik.address=127.0.0.1:{API}",
            "--api.insecure=true",
            "--ping=true",
            f"{gateway}=true",
            f"{gateway}.experimentalchannel=true",
            f"{gateway}.endpoint={cluster.url}",
            f"{gateway}.token={cluster.token(user)}",
            f"{gateway}.certauthfilepath={cluster.ca}",
            f"{gateway}.statusaddress.ip=127.0.0.1",
        ]
        # A KUBECONFIG of the caller would win over the flags.
        self.process = ServerProcess("traefik", ["env", "-u", "KUBECONFIG", *command], folder)
        self._api = Rest(f"http://127.0.0.1:{API}", None, "")

    def start(self) -> Traefik:
        """Start it and wait until it answers."""
        self.process.start()
        self.process.wait_ready(lambda: self._api.ready("/ping"), seconds=20)
        return self

    def stop(self) -> None:
        """End it, without the ten seconds that it gives to open connections."""
        self.process.stop(first=signal.SIGKILL)


def gateway_objects() -> list[Mapping[str, Any]]:
    """Return the GatewayClass and a Gateway ``gateway`` for HTTP and TCP routes of all namespaces."""
    everyone = {"namespaces": {"from": "All"}}
    listeners = [
        {"name": "web", "port": HTTP, "protocol": "HTTP", "allowedRoutes": everyone},
        {
            "name": "tcp",
            "port": TCP,
            "protocol": "TCP",
            "allowedRoutes": everyone | {"kinds": [{"kind": "TCPRoute"}]},
        },
    ]
    head = {"apiVersion": f"{_GATEWAY}/v1"}
    controller = {"controllerName": "traefik.io/gateway-controller"}
    spec = {"gatewayClassName": "traefik", "listeners": listeners}
    return [
        head | {"kind": "GatewayClass", "metadata": {"name": "traefik"}, "spec": controller},
        head | {"kind": "Gateway", "metadata": {"name": "gateway"}, "spec": spec},
    ]
