"""Metric providers: the I/O of an analysis, each one small file behind one protocol.

Duty: ask a backend and hand back what it said as a plain result. May import ``analysis.spec`` and
``analysis.conditions`` (for values and time expressions), aiohttp and tenacity. Promises: every outbound
request passes the egress guard, every request ends by a timeout, and no error text holds a secret header.
"""
