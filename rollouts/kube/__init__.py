"""The only door to the Kubernetes API.

Duty: one thin client (``KubeApi``), its error tree, informers with a cache, server-side apply, events and
the leader lease. Objects are plain dicts as decoded from JSON (``Manifest``). May import ``rollouts.api``
and the clock; knows no product kind.
"""
