"""The metric plugin ``rollouts.dev/canary``: is the canary worse than stable, watched at every tick?

One measurement goes on until the judge has an answer: it looks at every tick boundary, and between looks
everything it knows is in the AnalysisRun's status. Duty: configuration (``config``), queries (``backend``),
the position in time and the pods (``session``), what people read (``report``), offline recomputation
(``replay``) and the provider itself (``provider``). ``session``, ``report`` and ``replay`` are pure.
"""
