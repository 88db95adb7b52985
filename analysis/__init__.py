"""Analysis of a running release against its SLO: spec, measurements, verdict. A library without Kubernetes.

``spec`` holds the models, ``conditions`` the expression language, ``run`` the pure state machine of an
analysis run, ``providers`` the I/O. It imports nothing of ``rollouts``.
"""
