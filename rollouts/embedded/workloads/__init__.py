"""Simulated workloads: what a kubelet and the built-in controllers do to Pods, played through ``KubeApi``.

Duty: ``kubelet`` plays scheduler and kubelet on any API server, also a real one. ``replicasets``,
``deployments``, ``jobs`` and ``endpoints`` stand in for the kube-controller-manager on the embedded
cluster, which has none. May import ``rollouts.kube`` and the clock only.

Promises: level-triggered and driven by watch events, so it can be started late or twice; time and chance
come from the ports, so a virtual clock works. Deciding is pure: each module has a function from objects to
a plan, and a thin shell that carries it out. It proves nothing about real kubelets, images or networks.
"""

from rollouts.embedded.workloads.backend import PodAddress, PodBackend
from rollouts.embedded.workloads.simulator import WorkloadSimulator
from rollouts.embedded.workloads.timing import KubeletTiming

__all__ = ["KubeletTiming", "PodAddress", "PodBackend", "WorkloadSimulator"]
