"""``make cluster``: the real control plane with simulated workloads, until Ctrl-C or end of input."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from tests.cluster.binaries import built_control_plane
from tests.cluster.control_plane import MISSING, ControlPlane, RealCluster
from tests.cluster.crds import gateway_crds, install_crds, our_crds
from tests.cluster.harness import Machinery
from tests.cluster.install import install
from tests.cluster.prometheus import find_prometheus


def main() -> int:
    """Start everything, say how to reach it, and wait; return the exit code."""
    binary, tools, gateway = built_control_plane(), find_prometheus(), gateway_crds()
    if binary is None or tools is None or gateway is None:
        print(f"something is missing: {MISSING}", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rollouts-cluster-")))
        plane = ControlPlane(binary, folder)
        stack.callback(plane.stop)
        cluster = plane.start()
        install_crds(cluster, our_crds(), gateway)
        install(cluster)
        machinery = Machinery(cluster, tools, folder)
        stack.callback(machinery.stop)
        machinery.start()
        _tell(cluster, machinery)
        ended.wait()
        print("stopping", flush=True)
    return 0


def _tell(cluster: RealCluster, machinery: Machinery) -> None:
    print(
        f"""
The real control plane answers at {cluster.url}; pods are simulated and really listen on loopback.

  export KUBECONFIG={cluster.kubeconfig("admin")}
  kubectl get nodes
  rollouts run            the controller, as a cluster administrator

  gateway (HTTPRoutes)    {machinery.gateway_url}
  Prometheus              {machinery.prometheus.url}
  logs, audit log         {cluster.folder}

Ctrl-C ends it and removes everything.""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
