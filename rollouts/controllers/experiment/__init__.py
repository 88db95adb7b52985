"""The Experiment controller: versions that run side by side for a while, and the analyses over them.

Observe → decide → apply as every controller. ``decide`` answers actions, events and the next status; the
status is a patch of the main resource that holds only while nobody changed the Experiment. May import
``analysis.spec``, ``rollouts.workloads``, ``rollouts.runtime`` and ``rollouts.kube``. Promises: a ReplicaSet
per template, analyses start after availability is committed, and a Service goes before the pods behind it do.
"""
