"""Objectives as people write them, in every format."""

from typing import Any

REQUESTS = 'http_requests_total{job="shop"}'
ERRORS = 'http_requests_total{job="shop",code=~"5.."}'


def ours(**spec: Any) -> dict[str, Any]:
    written = {
        "service": "shop",
        "objective": 0.999,
        "indicator": {"ratio": {"total": REQUESTS, "bad": ERRORS}},
        **spec,
    }
    metadata = {"name": "availability", "namespace": "web"}
    return {
        "apiVersion": "rollouts.dev/v1alpha1",
        "kind": "ServiceLevelObjective",
        "metadata": metadata,
        "spec": written,
    }


def sloth_slo(**fields: Any) -> dict[str, Any]:
    return {
        "name": "requests-availability",
        "objective": 99.9,
        "description": "Answers of the shop.",
        "sli": {
            "events": {
                "error_query": 'sum(rate(http_requests_total{job="shop",code=~"5.."}[{{.window}}]))',
                "total_query": 'sum(rate(http_requests_total{job="shop"}[{{.window}}]))',
            }
        },
        "alerting": {
            "name": "ShopErrors",
            "labels": {"category": "availability"},
            "page_alert": {"labels": {"routing": "oncall"}},
            "ticket_alert": {"disable": True},
        },
        **fields,
    }


def sloth(**fields: Any) -> dict[str, Any]:
    return {
        "version": "prometheus/v1",
        "service": "shop",
        "labels": {"owner": "team-a"},
        "slos": [sloth_slo(**fields)],
    }


def pyrra(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pyrra.dev/v1alpha1",
        "kind": "ServiceLevelObjective",
        "metadata": {"name": "shop", "namespace": "web", "labels": {"pyrra.dev/team": "a", "role": "x"}},
        "spec": {
            "target": "99.5",
            "window": "4w",
            "indicator": {"ratio": {"errors": {"metric": ERRORS}, "total": {"metric": REQUESTS}}},
            **spec,
        },
    }


def openslo(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": "shop-availability"},
        "spec": {
            "service": "shop",
            "indicatorRef": "errors",
            "timeWindow": [{"duration": "28d", "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"target": 0.995}],
            **spec,
        },
    }


def source(query: str, **fields: Any) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}, **fields}}


def openslo_sli(**metric: Any) -> dict[str, Any]:
    ratio = {"counter": True, "bad": source(f"sum({ERRORS})"), "total": source(f"sum({REQUESTS})")}
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLI",
        "metadata": {"name": "errors"},
        "spec": metric or {"ratioMetric": ratio},
    }
