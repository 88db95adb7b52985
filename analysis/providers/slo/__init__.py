"""Plugin ``rollouts.dev/slo``: a canary's burn against its objective, or the error-budget gate, as a metric.

It asks a Prometheus through the provider of that name; ``analysis.slo`` decides.
"""
