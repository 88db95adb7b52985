"""Custom resources of the suite: one with every subresource, one with none, one with atomic lists."""

from __future__ import annotations

from typing import Any

from rollouts.kube.objects import Resource

GROUP = "contract.example.com"
WIDGETS = Resource(GROUP, "v1", "widgets", "Widget")
GADGETS = Resource(GROUP, "v1", "gadgets", "Gadget")
ROUTES = Resource(GROUP, "v1", "routes", "Route")


def _definition(resource: Resource, version: dict[str, Any], *short: str) -> dict[str, Any]:
    names = {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind}
    if short:
        names["shortNames"] = list(short)  # type: ignore[assignment]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": "v1", "served": True, "storage": True, **version}],
        },
    }


_WIDGET_SPEC: dict[str, Any] = {
    "type": "object",
    "description": "What the widget is to be.",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 100, "description": "Edge length."},
        "mode": {"type": "string", "enum": ["auto", "manual"], "default": "auto"},
        "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "replicas": {"type": "integer"},
        "portion": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "nested": {
            "type": "object",
            "properties": {"depth": {"type": "integer", "default": 3}, "note": {"type": "string"}},
        },
        "maybe": {"type": "string", "nullable": True},
        "plain": {"type": "array", "items": {"type": "string"}},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "parts": {
            "type": "array",
            "maxItems": 4,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "weight": {"type": "integer"},
                    "color": {"type": "string", "default": "grey"},
                },
            },
        },
    },
}

WIDGET_DEFINITION = _definition(
    WIDGETS,
    {
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
            {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1},
        ],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "A widget of the contract suite.",
                "required": ["spec"],
                "properties": {
                    "spec": _WIDGET_SPEC,
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    },
    "wg",
)

GADGET_DEFINITION = _definition(
    GADGETS,
    {
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        }
    },
)

_BACKEND = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "weight": {"type": "integer", "format": "int32", "minimum": 0, "default": 1},
    },
}
ROUTE_DEFINITION = _definition(
    ROUTES,
    {
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "required": ["spec"],
                "properties": {
                    "spec": {
                        "type": "object",
                        "properties": {
                            "hostnames": {"type": "array", "items": {"type": "string"}},
                            "rules": {
                                "type": "array",
                                "x-kubernetes-list-type": "atomic",
                                "items": {
                                    "type": "object",
                                    "properties": {
                                        "name": {"type": "string"},
                                        "backendRefs": {
                                            "type": "array",
                                            "x-kubernetes-list-type": "atomic",
                                            "items": _BACKEND,
                                        },
                                    },
                                },
                            },
                        },
                    },
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    },
)

ALL = (WIDGET_DEFINITION, GADGET_DEFINITION, ROUTE_DEFINITION)


def widget(name: str, spec: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    """Return a valid Widget."""
    return {
        "apiVersion": WIDGETS.api_version,
        "kind": "Widget",
        "metadata": {"name": name, **meta},
        "spec": spec if spec is not None else {"size": 1},
    }


def gadget(name: str, **rest: Any) -> dict[str, Any]:
    """Return a valid Gadget."""
    return {"apiVersion": GADGETS.api_version, "kind": "Gadget", "metadata": {"name": name}, **rest}


def route(name: str, *weights: tuple[str, int]) -> dict[str, Any]:
    """Return a Route with one rule that splits between backends."""
    backends = [{"name": backend, "weight": weight} for backend, weight in weights]
    return {
        "apiVersion": ROUTES.api_version,
        "kind": "Route",
        "metadata": {"name": name},
        "spec": {"rules": [{"name": "main", "backendRefs": backends}]},
    }


def configmap(name: str, **meta: Any) -> dict[str, Any]:
    """Return a ConfigMap."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}}
    return {**body, "data": {"key": "value"}}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """Return a Pod of one container."""
    containers = [{"name": "main", "image": "registry.example.com/app:1"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": containers, **spec},
    }


def deployment(name: str) -> dict[str, Any]:
    """Return a Deployment of two containers that nobody starts (no replicas)."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "containers": [
                {"name": "a", "image": "registry.example.com/a:1"},
                {"name": "b", "image": "registry.example.com/b:1"},
            ]
        },
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
