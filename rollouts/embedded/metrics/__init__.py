"""A small metrics store: scrapes pods and answers Prometheus' query API, for demonstrations and simulation.

Duty: ``samples`` keeps scraped samples in memory, ``promql`` evaluates queries over them, ``scraper`` finds
and reads the pods' ``/metrics``, ``server`` speaks the HTTP API. May import ``rollouts.kube``, the simulated
workloads' watch, and the clock. Needs the package ``promql-parser`` (extra ``lint``).

Promises: ``promql.evaluate`` is pure and gives what Prometheus gives for what it supports, including
staleness, look-back and the extrapolation of ``rate``; anything else is an error that names the construct.
It is no database: samples live in memory for a bounded time.
"""
