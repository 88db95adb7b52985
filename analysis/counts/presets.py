"""Which counters meshes and gateways keep, so that a template need not spell them out. Pure data.

A mesh counts in the pod that serves; a gateway counts per Service in its own pods, and does not know which
pod behind the Service failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """Queries with ``{{selector}}``, and the labels that matter.

    ``service_label`` is "" where the pod that is counted is the one that serves.
    """

    total: str
    bad_labels: Mapping[str, str]
    buckets: str
    pod_label: str = "pod"
    service_label: str = ""


_SERVER_ERROR = "5.."
PRESETS: Mapping[str, Preset] = {
    "istio": Preset(
        total='istio_requests_total{reporter="destination",{{selector}}}',
        bad_labels={"response_code": _SERVER_ERROR},
        buckets='istio_request_duration_milliseconds_bucket{reporter="destination",{{selector}}}',
    ),
    "linkerd": Preset(
        total='response_total{direction="inbound",{{selector}}}',
        bad_labels={"classification": "failure"},
        buckets='response_latency_ms_bucket{direction="inbound",{{selector}}}',
    ),
    "traefik": Preset(
        total="traefik_service_requests_total{{{selector}}}",
        bad_labels={"code": _SERVER_ERROR},
        buckets="traefik_service_request_duration_seconds_bucket{{{selector}}}",
        service_label="service",
    ),
    "nginx": Preset(
        total="nginx_ingress_controller_requests{{{selector}}}",
        bad_labels={"status": _SERVER_ERROR},
        buckets="nginx_ingress_controller_request_duration_seconds_bucket{{{selector}}}",
        pod_label="controller_pod",
        service_label="service",
    ),
    "envoy-gateway": Preset(
        total="envoy_cluster_upstream_rq_xx{{{selector}}}",
        bad_labels={"envoy_response_code_class": "5"},
        buckets="envoy_cluster_upstream_rq_time_bucket{{{selector}}}",
        service_label="envoy_cluster_name",
    ),
}
