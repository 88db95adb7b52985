"""One frozen picture of the whole demo: objects from the cache, traffic from the pods' own counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollouts.clock import Clock
from rollouts.embedded.metrics.promql import Element, evaluate
from rollouts.embedded.metrics.samples import SampleStore
from rollouts.kube.cache import Cache
from rollouts.kube.objects import (
    ANALYSIS_RUNS,
    APPLICATIONS,
    EVENTS,
    HTTP_ROUTES,
    REPLICASETS,
    ROLLOUTS,
    ReadOnly,
    labels_of,
    name_of,
)

NAMESPACE = "shop"
APPLICATION_NAMESPACE = "argocd"
NAME = "shop"
HASH = "rollouts-pod-template-hash"
WATCHED = (ROLLOUTS, REPLICASETS, ANALYSIS_RUNS, HTTP_ROUTES, APPLICATIONS, EVENTS)

_HASH_LABEL = "rollouts_pod_template_hash"
WINDOW_SECONDS = 2
_RATE = f"sum by ({_HASH_LABEL}) (rate(http_requests_total[{WINDOW_SECONDS}s]))"
_ERRORS = f'sum by ({_HASH_LABEL}) (rate(http_requests_total{{code=~"5.."}}[{WINDOW_SECONDS}s]))'
_P99 = (
    f"histogram_quantile(0.99, sum by ({_HASH_LABEL}, le) "
    f"(rate(http_request_duration_seconds_bucket[{WINDOW_SECONDS}s])))"
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the pods of one template hash measured over the last WINDOW_SECONDS."""

    rate: float
    """Requests per second."""
    errors: float
    """Share of 5xx, 0 to 1."""
    p99: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything that is shown and judged. ``traffic`` is by template hash."""

    now: datetime
    rollout: ReadOnly = field(default_factory=dict)
    replicasets: Sequence[ReadOnly] = ()
    runs: Sequence[ReadOnly] = ()
    application: ReadOnly = field(default_factory=dict)
    route: ReadOnly = field(default_factory=dict)
    events: Sequence[ReadOnly] = ()
    traffic: Mapping[str, Traffic] = field(default_factory=dict)
    answers: int = 0
    """Requests that the load generator has sent and that ended, since the start."""
    lost: int = 0
    """Those that no pod answered: refused by the gateway, cut off, or too late."""

    @property
    def status(self) -> ReadOnly:
        """Return the Rollout's status."""
        return self.rollout.get("status") or {}

    @property
    def stable_hash(self) -> str:
        """Return the stable template hash, or ""."""
        return str(self.status.get("stableRS") or "")

    @property
    def current_hash(self) -> str:
        """Return the newest template hash, or ""."""
        return str(self.status.get("currentPodHash") or "")

    def version_of(self, pod_hash: str) -> str:
        """Return the version that a template hash stands for, as its ReplicaSet's environment says."""
        for replicaset in self.replicasets:
            if labels_of(replicaset).get(HASH) == pod_hash:
                return _version(replicaset)
        return ""

    def hash_of(self, version: str) -> str:
        """Return the template hash of a version, or ""."""
        found = (r for r in self.replicasets if _version(r) == version)
        return next((labels_of(r).get(HASH, "") for r in found), "")

    def share(self, version: str) -> float:
        """Return the share of requests that a version's pods answered, 0 to 1; 0 without traffic."""
        total = sum(traffic.rate for traffic in self.traffic.values())
        mine = self.traffic.get(self.hash_of(version))
        return mine.rate / total if mine and total else 0.0

    def asked(self) -> Mapping[str, int]:
        """Return the weights that the HTTPRoute asks for, by Service name."""
        rules: Sequence[ReadOnly] = (self.route.get("spec") or {}).get("rules") or ()
        refs = (ref for rule in rules for ref in rule.get("backendRefs") or ())
        return {str(ref["name"]): int(ref.get("weight", 1)) for ref in refs}

    def runs_of(self, pod_hash: str) -> Sequence[ReadOnly]:
        """Return the AnalysisRuns of a template hash, oldest first."""
        return [run for run in self.runs if labels_of(run).get(HASH) == pod_hash]


def _version(replicaset: ReadOnly) -> str:
    template: ReadOnly = (replicaset.get("spec") or {}).get("template") or {}
    containers: Sequence[ReadOnly] = (template.get("spec") or {}).get("containers") or ()
    env: Sequence[ReadOnly] = [e for c in containers for e in c.get("env") or ()]
    return next((str(e.get("value", "")) for e in env if e.get("name") == "VERSION"), "")


def look(cache: Cache, samples: SampleStore, clock: Clock, totals: Mapping[tuple[str, int], int]) -> Sight:
    """Return the present picture; ``totals`` counts answers by (version, code), version "" for none."""
    now = clock.now()
    newest_last = sorted(cache.list(EVENTS), key=_event_time)
    return Sight(
        now=now,
        rollout=cache.get(ROLLOUTS, NAMESPACE, NAME) or {},
        replicasets=sorted(cache.list(REPLICASETS, NAMESPACE), key=_created),
        runs=sorted(cache.list(ANALYSIS_RUNS, NAMESPACE), key=_created),
        application=cache.get(APPLICATIONS, APPLICATION_NAMESPACE, NAME) or {},
        route=cache.get(HTTP_ROUTES, NAMESPACE, NAME) or {},
        events=[e for e in newest_last if (e.get("involvedObject") or {}).get("kind") != "Pod"],
        traffic=measure(samples, int(now.timestamp() * 1000)),
        answers=sum(totals.values()),
        lost=sum(number for (version, _), number in totals.items() if not version),
    )


def measure(samples: SampleStore, at: int) -> Mapping[str, Traffic]:
    """Return the traffic by template hash at ``at`` milliseconds, from the scraped counters."""
    rates, errors, p99 = (_by_hash(query, samples, at) for query in (_RATE, _ERRORS, _P99))
    return {
        pod_hash: Traffic(rate, errors.get(pod_hash, 0.0) / rate if rate else 0.0, p99.get(pod_hash, 0.0))
        for pod_hash, rate in rates.items()
    }


def _by_hash(query: str, samples: SampleStore, at: int) -> dict[str, float]:
    value = evaluate(query, samples, at)
    elements = [e for e in value if isinstance(e, Element)] if isinstance(value, list) else []
    return {dict(e.labels).get(_HASH_LABEL, ""): e.value for e in elements}


def _created(obj: ReadOnly) -> tuple[str, str]:
    return str((obj.get("metadata") or {}).get("creationTimestamp", "")), name_of(obj)


def _event_time(event: ReadOnly) -> tuple[str, int]:
    moment: Any = event.get("lastTimestamp") or event.get("eventTime") or ""
    return str(moment), int((event.get("metadata") or {}).get("resourceVersion") or 0)
