"""The real lane: etcd, kube-apiserver, kube-controller-manager and Prometheus, the controller as a process.

The parts are built or found by ``python -m tests.cluster.prepare``; tests only start what is there and skip,
with the way to get it, where something is missing. What is shown here is real but for the kubelet and the
network plugin, which the workload simulator plays.
"""
