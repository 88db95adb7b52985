"""The condition language of metrics: the expr-lang subset that real templates use, by our own parser.

Duty: compile a ``successCondition`` or ``failureCondition`` once and evaluate it on many results. Pure: no
I/O, and ``now`` is handed in. May import ``analysis.spec``. Promises: upstream's value or upstream's error
for what it understands, an error with the column for what it does not, and a bounded time for any input.
"""
