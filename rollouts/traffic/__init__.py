"""Traffic routers: how a weight becomes fields of a route. Pure.

A router is three functions behind ``router.TrafficRouter``: which objects it needs, what they say now, and
which edits bring them to the intent. Routers do no I/O, read no clock and know no other router.
"""
