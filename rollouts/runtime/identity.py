"""Where this process lives."""

from __future__ import annotations

import os
from pathlib import Path

from rollouts.settings import Settings

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT_NAMESPACE = "argo-rollouts"


def own_namespace(settings: Settings) -> str:
    """Return the namespace of this process: as set for its Lease, else the pod's, else the watched one, else
    the peer's. Its Lease and its ConfigMaps live there.
    """
    if settings.lease_namespace:
        return settings.lease_namespace
    if "KUBERNETES_SERVICE_HOST" in os.environ and _POD_NAMESPACE.is_file():
        return _POD_NAMESPACE.read_text().strip()
    return settings.namespace or _DEFAULT_NAMESPACE
