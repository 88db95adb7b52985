"""Counts per pod in disjoint intervals, from instant vectors at tick boundaries that we difference ourselves.

Duty: a backend's answer at boundaries in, bad events and requests per pod out, then grouped for a judge. No
``increase()``: it extrapolates, and it misses the errors a series is born with. A boundary is read again as
the start of the next interval, so the position is one moment and one fingerprint, and nothing is lost in a
restart; when the same moment answers differently the second time (another replica of the backend, late
samples), the interval between is void. May import the standard library only; no I/O, no clock. Promises:
intervals are disjoint, a counter's reset or birth is counted from zero, and the order of series changes
nothing.
"""
