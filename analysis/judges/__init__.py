"""Judges: is the canary worse than stable, watched at every tick?

Duty: from grouped counts of disjoint ticks to evidence and a verdict, as pure functions of plain numbers.
``corroborated`` is the deciding judge for bad events, ``latency`` applies it at each histogram edge; around
them stand the absolute SLO test, the test of non-inferiority, the sample-ratio check, the second opinion by
a new pod and the table that joins the answers. May import the standard library only, no I/O, no clock, no
chance. Promises: the same ticks give the same numbers to the last digit, whatever order the pods came in and
however often the state went through JSON. The rates are calibrated by simulation, not proven: evidence here
is tempered, clipped and floored.
"""
