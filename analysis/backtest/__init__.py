"""A template run over recorded history: what it would have decided, measurement by measurement.

The unchanged state machine, conditions and plugins run on a clock that jumps; only the Prometheus provider is
another one, which reads ranges at once instead of a point at a time. ``report`` is pure.
"""
