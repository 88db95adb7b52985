"""An HTTPRoute CRD for clusters that have none: the fields that this gateway acts on, with their limits.

It is written for the embedded cluster; a real one installs the Gateway API's own CRDs.
Limits: https://gateway-api.sigs.k8s.io/reference/spec/#httproute
"""

from __future__ import annotations

from typing import Any

from rollouts.kube.objects import HTTP_ROUTES, Manifest

_STRING = {"type": "string"}
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _list(items: Manifest, most: int, **more: Any) -> Manifest:
    return {"type": "array", "items": items, "maxItems": most, "x-kubernetes-list-type": "atomic", **more}


def _object(properties: Manifest, *required: str) -> Manifest:
    body: Manifest = {"type": "object", "properties": properties}
    if required:
        body["required"] = list(required)
    return body


def _backend_ref() -> Manifest:
    return _object(
        {
            "group": {"type": "string", "default": ""},
            "kind": {"type": "string", "default": "Service"},
            "name": _STRING,
            "namespace": _STRING,
            "port": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535},
            "weight": {
                "type": "integer",
                "format": "int32",
                "minimum": 0,
                "maximum": 1_000_000,
                "default": 1,
                "description": "Share of the rule's requests: this weight over the sum of all weights.",
            },
            "filters": _list(_OPEN, 16),
        },
        "name",
    )


def _named_value() -> Manifest:
    kind = {"type": "string", "enum": ["Exact", "RegularExpression"], "default": "Exact"}
    return _object({"type": kind, "name": _STRING, "value": _STRING}, "name", "value")


def _match() -> Manifest:
    path = _object(
        {
            "type": {
                "type": "string",
                "enum": ["Exact", "PathPrefix", "RegularExpression"],
                "default": "PathPrefix",
            },
            "value": {"type": "string", "default": "/"},
        }
    )
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    return _object(
        {
            "path": {**path, "default": {"type": "PathPrefix", "value": "/"}},
            "method": _STRING,
            "headers": {**_list(_named_value(), 16), **keyed},
            "queryParams": {**_list(_named_value(), 16), **keyed},
        }
    )


def _rule() -> Manifest:
    anything = [{"path": {"type": "PathPrefix", "value": "/"}}]
    return _object(
        {
            "name": {"type": "string", "maxLength": 253},
            "matches": _list(_match(), 64, default=anything),
            "filters": _list(_OPEN, 16),
            "backendRefs": _list(_backend_ref(), 16),
            "timeouts": _OPEN,
        }
    )


def _parent_ref() -> Manifest:
    return _object(
        {
            "group": {"type": "string", "default": "gateway.networking.k8s.io"},
            "kind": {"type": "string", "default": "Gateway"},
            "name": _STRING,
            "namespace": _STRING,
            "sectionName": _STRING,
            "port": {"type": "integer", "format": "int32"},
        },
        "name",
    )


def http_route_definition() -> Manifest:
    """Return the CustomResourceDefinition."""
    spec = _object(
        {
            "parentRefs": _list(_parent_ref(), 32),
            "hostnames": _list(_STRING, 16),
            "rules": _list(_rule(), 16, minItems=1),
        }
    )
    columns = [
        {"name": "Hostnames", "type": "string", "jsonPath": ".spec.hostnames"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    version = {
        "name": HTTP_ROUTES.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": _object({"spec": spec, "status": _OPEN}, "spec")},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{HTTP_ROUTES.plural}.{HTTP_ROUTES.group}"},
        "spec": {
            "group": HTTP_ROUTES.group,
            "scope": "Namespaced",
            "names": {
                "kind": HTTP_ROUTES.kind,
                "listKind": f"{HTTP_ROUTES.kind}List",
                "plural": HTTP_ROUTES.plural,
                "singular": "httproute",
            },
            "versions": [version],
        },
    }
