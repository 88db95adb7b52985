"""The state machine of an analysis run: which metrics to measure now, and what the run's status says.

Duty: upstream's rules for measurements, limits, dry run, retention, termination and time to live, as pure
functions of spec, status, finished measurements and ``now``. May import ``analysis.spec`` and
``analysis.conditions``; reads no clock and does no I/O. Promises: the same input gives the same answer, a
finished run never changes, and a measurement is counted once.
"""
