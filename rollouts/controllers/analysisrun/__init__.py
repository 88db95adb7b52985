"""The AnalysisRun controller: measures metrics, keeps the run's status, ends and deletes runs.

Observe → decide → apply as every controller; ``decide`` wraps the state machine of ``analysis.run``.
Measurements run beside the reconciles (``measuring``) and wake their run when they are done: no run waits
for another one's backend. May import ``analysis``, ``rollouts.runtime`` and ``rollouts.kube``. Promises: a
measurement is counted once, a finished run never changes, and no secret reaches status, events or logs.
"""
