"""HTTP servers of the process: health, metrics, and later webhooks and the dashboard.

May import everything but the CLI. Promises: no secret is served; no page changes anything without a token.
"""
