"""From a commit to objects in the cluster: ``source → render → diff → plan → policy → apply → health``.

Each stage has its own input and output. Only ``source`` (the git command), ``render`` by subprocess and
``apply`` (the API server) do I/O; all else is pure and is given plain values. May import ``rollouts.kube``
and ``rollouts.api``; knows nothing of traffic routers or workloads: what a Rollout owns inside a desired
object arrives here as data (``transplant``).
"""
