"""Prometheus metrics of the runtime, under the peer's names so that its dashboards keep working.

Labels stay few: objects are not named, namespaces are. Where the peer's metric has a label for the object's
name, ours is "N/A".
"""

from __future__ import annotations

from collections.abc import Iterable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from rollouts.kube.objects import Resource

RECONCILE_BUCKETS = (0.01, 0.15, 0.25, 0.5, 1.0)
_QUEUE_BUCKETS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


def new_registry() -> CollectorRegistry:
    """Return an empty registry; ``_created`` series are switched off, nobody reads them."""
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    return CollectorRegistry(auto_describe=True)


class PlainCounter(Collector):
    """A counter whose name does not end in ``_total``: the peer's older names are like that."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._values: dict[tuple[str, ...], float] = {}
        registry.register(self)

    def inc(self, *values: str) -> None:
        """Add one for these label values."""
        self._values[values] = self._values.get(values, 0.0) + 1.0

    def value(self, *values: str) -> float:
        """Return the count for these label values."""
        return self._values.get(values, 0.0)

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        metric = Metric(self._name, self._text, "unknown")
        for values, count in list(self._values.items()):
            metric.add_sample(self._name, dict(zip(self._labels, values, strict=True)), count)
        yield metric

    def describe(self) -> Iterable[Metric]:
        """See prometheus_client."""
        yield Metric(self._name, self._text, "unknown")


class QueueMetrics:
    """``QueueObserver`` for one named queue."""

    def __init__(self, metrics: RuntimeMetrics, name: str) -> None:
        self._depth = metrics.depth.labels(name)
        self._adds = metrics.adds.labels(name)
        self._latency = metrics.latency.labels(name)
        self._work = metrics.work.labels(name)
        self._retries = metrics.retries.labels(name)

    def depth(self, size: int) -> None:
        """See QueueObserver."""
        self._depth.set(size)

    def added(self) -> None:
        """See QueueObserver."""
        self._adds.inc()

    def waited(self, seconds: float) -> None:
        """See QueueObserver."""
        self._latency.observe(seconds)

    def worked(self, seconds: float) -> None:
        """Note how long a key was processed."""
        self._work.observe(seconds)

    def retried(self) -> None:
        """Note that a key is to be processed again after a failure."""
        self._retries.inc()


class RuntimeMetrics:
    """What the runtime measures. One per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        by_queue = ("name",)
        self.depth = Gauge("workqueue_depth", "Keys that wait", by_queue, registry=registry)
        self.adds = Counter("workqueue_adds_total", "Keys added", by_queue, registry=registry)
        self.latency = Histogram(
            "workqueue_queue_duration_seconds",
            "Time from adding a key to taking it",
            by_queue,
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )
        self.work = Histogram(
            "workqueue_work_duration_seconds",
            "Time of processing a key",
            by_queue,
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )
        self.retries = Counter(
            "workqueue_retries_total", "Keys added again after a failure", by_queue, registry=registry
        )
        self.requests = Counter(
            "controller_clientset_k8s_request_total",
            "Requests to the API server",
            ("kind", "namespace", "name", "verb", "status_code"),
            registry=registry,
        )
        self.events = Counter(
            "rollout_events_total", "Events recorded", ("type", "reason"), registry=registry
        )
        self.leader = Gauge(
            "leader_election_master_status", "1 while this process leads", ("name",), registry=registry
        )
        self.lag = Histogram(
            "event_loop_lag_seconds",
            "How late the event loop's timers are",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self._reconciles: dict[str, Histogram] = {}
        self._errors: dict[str, PlainCounter] = {}

    def request(self, verb: str, resource: Resource | None, status: int) -> None:
        """Count a request to the API server; ``status`` 0 means that there was no answer."""
        kind = str(resource) if resource else "discovery"
        code = str(status) if status else "no answer"
        self.requests.labels(kind, "N/A", "N/A", verb.capitalize(), code).inc()

    def event(self, type_: str, reason: str) -> None:
        """Count an event that was recorded."""
        self.events.labels(type_, reason).inc()

    def queue(self, name: str) -> QueueMetrics:
        """Return the metrics of a named queue."""
        return QueueMetrics(self, name)

    def reconciled(self, prefix: str, namespace: str, seconds: float) -> None:
        """Note how long a reconcile took, in the histogram ``<prefix>_reconcile``."""
        histogram = self._reconciles.get(prefix)
        if histogram is None:
            histogram = self._reconciles[prefix] = Histogram(
                f"{prefix}_reconcile",
                "Time of one reconcile, seconds",
                ("namespace",),
                buckets=RECONCILE_BUCKETS,
                registry=self.registry,
            )
        histogram.labels(namespace).observe(seconds)

    def failed(self, prefix: str, namespace: str) -> None:
        """Count an error of a reconcile in ``<prefix>_reconcile_error``."""
        counter = self._errors.get(prefix)
        if counter is None:
            counter = self._errors[prefix] = PlainCounter(
                f"{prefix}_reconcile_error", "Reconciles that failed", ("namespace",), self.registry
            )
        counter.inc(namespace)
