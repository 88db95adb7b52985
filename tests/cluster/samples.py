"""Manifests of the end-to-end tests: an application whose versions answer well or badly, and its analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PORT = 8080
"""The port that pods of these tests declare."""

Object = dict[str, Any]


def pod_template(name: str, version: str, *, error_rate: float = 0.0) -> Object:
    """Return a pod template whose pods really answer, with this share of errors."""
    env = [{"name": "VERSION", "value": version}, {"name": "ERROR_RATE", "value": str(error_rate)}]
    container = {"name": "app", "image": f"app:{version}", "env": env, "ports": [{"containerPort": PORT}]}
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def service(name: str, app: str) -> Object:
    """Return a Service on port 80 for pods of ``app``."""
    ports = [{"port": 80, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": ports},
    }


def route(name: str, host: str, weights: Mapping[str, int]) -> Object:
    """Return an HTTPRoute that splits ``host`` among Services."""
    backends = [{"name": backend, "port": 80, "weight": weight} for backend, weight in weights.items()]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "hostnames": [host],
            "parentRefs": [{"name": "gateway"}],
            "rules": [{"backendRefs": backends}],
        },
    }


def deployment(name: str, version: str, *, replicas: int = 1) -> Object:
    """Return a Deployment whose pods also carry their version as a label."""
    labels = {"app": name, "version": version}
    template = pod_template(name, version)
    template["metadata"]["labels"] = labels
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-{version}"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def rollout(name: str, strategy: Object, template: Object, *, replicas: int = 2) -> Object:
    """Return a Rollout with a short progress deadline."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 60,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            "strategy": strategy,
        },
    }


def canary(steps: Sequence[Object], *, name: str, **more: Any) -> Object:
    """Return a canary over HTTPRoute ``name`` and the Services ``<name>-stable`` and ``<name>-canary``."""
    return {
        "canary": {
            "stableService": f"{name}-stable",
            "canaryService": f"{name}-canary",
            "trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": name}}},
            "steps": list(steps),
            **more,
        }
    }


def error_rate_template(name: str, prometheus: str, *, initial_delay: str = "8s", count: int = 3) -> Object:
    """Return an AnalysisTemplate that refuses more than 5 % of errors among the newest pods' answers."""
    pods = 'namespace="{{args.namespace}}",rollouts_pod_template_hash="{{args.hash}}"'
    requests = f"sum(rate(http_requests_total{{{pods}}}[5s]))"
    query = requests.replace("}[5s]", ',code="500"}[5s]') + " / " + requests
    metric = {
        "name": "error-rate",
        "initialDelay": initial_delay,
        "interval": "2s",
        "count": count,
        "successCondition": "result[0] <= 0.05",
        "failureLimit": 0,
        "provider": {"prometheus": {"address": prometheus, "query": query}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": name},
        "spec": {"args": [{"name": "namespace"}, {"name": "hash"}], "metrics": [metric]},
    }


def analysis(template: str, namespace: str) -> Object:
    """Return the reference of a step or of a promotion to ``template``, about the newest pods."""
    return {
        "templates": [{"templateName": template}],
        "args": [
            {"name": "namespace", "value": namespace},
            {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
        ],
    }
