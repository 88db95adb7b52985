"""/openapi/v3: enough for kubectl's explain, apply and diff. Pure.

Custom resources show their whole schema; of built-in ones only the outline is known here. /openapi/v2 is not
served: kubectl then falls back to what it knows itself.
"""

from __future__ import annotations

from typing import Any

from rollouts.embedded.apiserver import VERSION
from rollouts.embedded.failures import no_such_path
from rollouts.embedded.resources import Registry, ResourceType
from rollouts.kube.objects import Manifest

_META: Manifest = {
    "type": "object",
    "description": "Standard object's metadata: name, namespace, labels, annotations, owners.",
    "properties": {
        "name": {"type": "string", "description": "Unique within a namespace."},
        "namespace": {"type": "string", "description": "The space within which names are unique."},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_OUTLINE: Manifest = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "description": "The wanted state."},
        "status": {"type": "object", "description": "The observed state."},
    },
}


def document(registry: Registry, path: str) -> Manifest:
    """Return the index, or the document of one group and version. Raises 404."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["openapi", "v3"]:
            return {"paths": _index(registry)}
        case ["openapi", "v3", "api", version]:
            return _of_version(registry, "", version)
        case ["openapi", "v3", "apis", group, version]:
            return _of_version(registry, group, version)
    raise no_such_path()


def _index(registry: Registry) -> Manifest:
    paths: Manifest = {}
    for group, versions in registry.groups().items():
        for version in versions:
            root = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[root] = {"serverRelativeURL": f"/openapi/v3/{root}?hash={registry.changes}"}
    return paths


def _of_version(registry: Registry, group: str, version: str) -> Manifest:
    kinds = registry.in_version(group, version)
    if not kinds:
        raise no_such_path()
    paths: Manifest = {}
    schemas: Manifest = {"io.k8s.ObjectMeta": _META}
    for kind in kinds:
        schema_name = ".".join((*reversed((group or "core").split(".")), version, kind.kind))
        schemas[schema_name] = _schema(kind)
        paths.update(_paths(kind, schema_name))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _gvk(kind: ResourceType) -> Manifest:
    return {"group": kind.group, "version": kind.resource.version, "kind": kind.kind}


def _schema(kind: ResourceType) -> Manifest:
    source: Any = kind.schema.source if kind.schema else _OUTLINE
    properties = {
        "apiVersion": {"type": "string", "description": "Group and version of this representation."},
        "kind": {"type": "string", "description": "The resource that this object represents."},
        **(source.get("properties") or {}),
        "metadata": {"allOf": [{"$ref": "#/components/schemas/io.k8s.ObjectMeta"}]},
    }
    return {**source, "properties": properties, "x-kubernetes-group-version-kind": [_gvk(kind)]}


def _paths(kind: ResourceType, schema_name: str) -> Manifest:
    answer = {
        "200": {
            "description": "OK",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema_name}"}}},
        }
    }

    def operation(action: str) -> Manifest:
        body: Manifest = {
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _gvk(kind),
            "responses": answer,
        }
        if action in ("post", "put", "patch"):
            body["parameters"] = [
                {"name": name, "in": "query", "schema": {"type": "string"}}
                for name in ("dryRun", "fieldManager", "fieldValidation")
            ]
        return body

    collection = kind.resource.path("{namespace}" if kind.namespaced else None)
    return {
        collection: {"get": operation("list"), "post": operation("post")},
        f"{collection}/{{name}}": {a: operation(a) for a in ("get", "put", "patch", "delete")},
    }
