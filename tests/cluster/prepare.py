"""Finds or builds the parts of the real lanes, one after the other, and says how far it is.

``python -m tests.cluster.prepare`` names each part that cannot be had with its reason; its tests then skip,
unless ``CI=true``, where this is an error.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.alertmanager import ensure_alertmanager
from tests.cluster.binaries import ensure_control_plane
from tests.cluster.crds import ensure_gateway_crds
from tests.cluster.golang import BuildFailed, say
from tests.cluster.prometheus import ensure_prometheus
from tests.cluster.router_crds import ensure_istio_crds
from tests.dataplane.envoy import ENVOY
from tests.dataplane.gateway_crds import ensure_newest_crds
from tests.dataplane.traefik import TRAEFIK

PARTS: tuple[tuple[str, Callable[[], Path]], ...] = (
    ("Prometheus", ensure_prometheus),
    ("Alertmanager", ensure_alertmanager),
    ("CRDs of the Gateway API", ensure_gateway_crds),
    ("CRDs of Istio", ensure_istio_crds),
    ("Traefik", TRAEFIK.ensure),
    ("Envoy", ENVOY.ensure),
    ("CRDs that Traefik asks for", ensure_newest_crds),
    ("real control plane", ensure_control_plane),
)


def main() -> int:
    """Prepare every part; return the exit code."""
    missing = 0
    for number, (name, ensure) in enumerate(PARTS, start=1):
        started = time.monotonic()
        print(f"[{number}/{len(PARTS)}] {name}", flush=True)
        try:
            say(f"ready: {ensure()} ({time.monotonic() - started:.0f} s)")
        except BuildFailed as error:
            missing += 1
            say(f"missing: {error}")
    return 1 if missing and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
