"""Service level objectives: what is promised, how fast the error budget burns, whether a rollout may start.

``model`` is our own form, ``formats`` reads OpenSLO, Sloth and Pyrra into it; ``indicator`` makes PromQL of
it (for the whole service or for one version alone), ``burn`` has the arithmetic, ``rules`` the Prometheus
rules, ``gate`` and ``spend`` the decisions. All of it is pure, and imports ``analysis.spec`` only.
"""
