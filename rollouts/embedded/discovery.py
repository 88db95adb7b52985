"""Discovery: /api, /apis, their groups and versions, plain and aggregated. Pure."""

from __future__ import annotations

from typing import Any

from rollouts.embedded.failures import no_such_path
from rollouts.embedded.resources import Registry, ResourceType
from rollouts.kube.objects import Manifest

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_SUBRESOURCE_VERBS = ("get", "patch", "update")
_CREATED = {"eviction": ("policy", "v1", "Eviction"), "binding": ("", "v1", "Binding")}


def document(registry: Registry, path: str, accept: str) -> tuple[Manifest, str]:
    """Return (document, content type) of a discovery path. Raises 404."""
    plain = "application/json"
    parts = [part for part in path.split("/") if part]
    aggregated = "APIGroupDiscoveryList" in accept and "v=v2" in accept.replace(" ", "")
    match parts:
        case []:
            return {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/openapi/v3", "/version"]}, plain
        case ["api"]:
            if aggregated:
                return _aggregated(registry, core=True), AGGREGATED
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}, plain
        case ["apis"]:
            if aggregated:
                return _aggregated(registry, core=False), AGGREGATED
            groups = [_group(registry, g) for g in registry.groups() if g]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}, plain
        case ["apis", group]:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, group)}, plain
        case ["api", version]:
            return _resources(registry, "", version), plain
        case ["apis", group, version]:
            return _resources(registry, group, version), plain
    raise no_such_path()


def _group(registry: Registry, group: str) -> Manifest:
    versions = registry.groups().get(group)
    if not versions or not group:
        raise no_such_path()
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _resources(registry: Registry, group: str, version: str) -> Manifest:
    kinds = registry.in_version(group, version)
    if not kinds:
        raise no_such_path()
    rows: list[Manifest] = []
    for kind in kinds:
        rows.append(_row(kind))
        rows += [_subresource_row(kind, sub) for sub in kind.served_subresources()]
    named = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": named, "resources": rows}


def _row(kind: ResourceType) -> Manifest:
    row: Manifest = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    return row


def _response_kind(kind: ResourceType, sub: str) -> tuple[str, str, str]:
    if sub == "scale":
        return "autoscaling", "v1", "Scale"
    return _CREATED.get(sub, (kind.group, kind.resource.version, kind.kind))


def _subresource_verbs(sub: str) -> list[str]:
    return ["create"] if sub in _CREATED else list(_SUBRESOURCE_VERBS)


def _subresource_row(kind: ResourceType, sub: str) -> Manifest:
    group, version, name = _response_kind(kind, sub)
    row: Manifest = {
        "name": f"{kind.plural}/{sub}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": name,
        "verbs": _subresource_verbs(sub),
    }
    if (group, version) != (kind.group, kind.resource.version):
        row |= {"group": group, "version": version}
    return row


def _aggregated(registry: Registry, *, core: bool) -> Manifest:
    items: list[Manifest] = []
    for group, versions in registry.groups().items():
        if (group == "") is not core:
            continue
        listed = [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated_row(kind) for kind in registry.in_version(group, version)],
            }
            for version in versions
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": listed})
    kind = "APIGroupDiscoveryList"
    return {"kind": kind, "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _gvk(group: str, version: str, kind: str) -> dict[str, Any]:
    return {"group": group, "version": version, "kind": kind}


def _aggregated_row(kind: ResourceType) -> Manifest:
    row: Manifest = {
        "resource": kind.plural,
        "responseKind": _gvk(kind.group, kind.resource.version, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    subresources = [
        {
            "subresource": sub,
            "responseKind": _gvk(*_response_kind(kind, sub)),
            "verbs": _subresource_verbs(sub),
        }
        for sub in kind.served_subresources()
    ]
    if subresources:
        row["subresources"] = subresources
    return row
