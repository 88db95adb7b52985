"""The metric plugin ``rollouts.dev/kayenta``: Kayenta's judgement without Kayenta, over Prometheus.

Duty: configuration (``config``: a canary config as Kayenta takes it, and when to judge) and the provider
itself (``provider``). The judge, which is pure, is ``analysis.judges.kayenta``. Whoever runs Kayenta already
asks it by the provider ``kayenta``.
"""
