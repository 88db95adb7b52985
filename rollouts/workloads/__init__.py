"""Pod templates and ReplicaSets: hash, identity and the arithmetic of scaling. Pure.

Shared by the Rollout and the Experiment controller. It decides numbers and builds manifests; it neither reads
a cache nor writes anything.
"""
