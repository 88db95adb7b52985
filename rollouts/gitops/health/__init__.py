"""Health of live objects on Argo CD's scale, and of an Application as the worst of them. Pure.

Healthy < Suspended < Progressing < Missing < Degraded < Unknown. A kind without a rule here, and without
conditions that say something, has no health and does not count.
"""
