"""Which pods are scraped, where, and under which labels. Pure.

The conventions are the well-known pod annotations ``prometheus.io/scrape|port|path``; pod labels become
series labels with other characters replaced by ``_``, as the usual ``labelmap`` relabelling does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rollouts.embedded.metrics.samples import Labels, make_labels
from rollouts.embedded.workloads.backend import LISTENS_ON
from rollouts.embedded.workloads.pods import phase
from rollouts.kube.objects import ReadOnly, annotations_of, labels_of, name_of, namespace_of

SCRAPE = "prometheus.io/scrape"
PORT = "prometheus.io/port"
PATH = "prometheus.io/path"
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Target:
    """One pod to scrape."""

    url: str
    labels: Labels


def target_of(pod: ReadOnly) -> Target | None:
    """Return the pod's target, or None when it is not running, has no address or asks for no scrape.

    Labels: ``namespace``, ``pod``, ``instance``, ``job`` and ``service`` (the label
    ``app.kubernetes.io/name``, else ``app``), and every pod label.
    """
    annotations = annotations_of(pod)
    address = (pod.get("status") or {}).get("podIP")
    port = annotations.get(LISTENS_ON) or annotations.get(PORT)
    if annotations.get(SCRAPE) != "true" or phase(pod) != "Running" or not address or not port:
        return None
    mapped = {_NOT_IN_LABELS.sub("_", name): value for name, value in labels_of(pod).items()}
    service = labels_of(pod).get("app.kubernetes.io/name") or labels_of(pod).get("app", "")
    own = {
        "namespace": namespace_of(pod),
        "pod": name_of(pod),
        "instance": f"{address}:{port}",
        "job": "pods",
        "service": service,
    }
    path = annotations.get(PATH) or "/metrics"
    return Target(f"http://{address}:{port}{path}", make_labels({**mapped, **own}))
