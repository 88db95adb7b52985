"""A against A: how often the judge cries wolf on this very service.

Duty: stable pods are split by chance, one part plays the canary, and the judge that watches releases watches
them (``split``, ``driver``: pure; chance comes in). Every alarm is a false one. ``rates`` counts them,
``watch`` does it round by round and publishes the rates as Prometheus metrics. May import the canary provider
and the judges. Promises that the judge, its profile, levels and look-back are those of a release.
"""
