"""What the simulated machinery may do on the real cluster; the controller has the shipped rights alone."""

from __future__ import annotations

from typing import Any

_RBAC = "rbac.authorization.k8s.io"
_READ = ("get", "list", "watch")
_WRITE = (*_READ, "create", "update", "patch", "delete")
_SIMULATOR = (
    ("", "nodes nodes/status pods pods/status", _WRITE),
    ("", "pods/binding bindings", ("create",)),
    ("", "events", ("create", "patch")),
    ("", "namespaces services endpoints", _READ),
    ("batch", "jobs", _READ),
)
_GATEWAY = (
    ("gateway.networking.k8s.io", "httproutes", _READ),
    ("gateway.networking.k8s.io", "httproutes/status", ("update", "patch")),
    ("", "services", _READ),
    ("discovery.k8s.io", "endpointslices", _READ),
)


def machinery_roles(simulator: str, gateway: str) -> list[tuple[str, dict[str, Any]]]:
    """Return (path, object) of the roles and bindings for the two users."""
    return [*_granted("workload-simulator", simulator, _SIMULATOR), *_granted("gateway", gateway, _GATEWAY)]


def _granted(
    name: str, user: str, rows: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> list[tuple[str, dict[str, Any]]]:
    rules = [
        {"apiGroups": [group], "resources": plurals.split(), "verbs": list(verbs)}
        for group, plurals, verbs in rows
    ]
    head = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": name}}
    binding = head | {
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
    }
    return [
        (f"/apis/{_RBAC}/v1/clusterroles/{name}", head | {"kind": "ClusterRole", "rules": rules}),
        (f"/apis/{_RBAC}/v1/clusterrolebindings/{name}", binding),
    ]
