"""Can these metrics carry the question? Asks a Prometheus about the series behind a template or an objective.

``subjects`` says what is to be looked at, ``examine`` asks, ``diagnosis`` puts the answers into words. Only
``examine`` does I/O.
"""
