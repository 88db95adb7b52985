"""Progressive delivery for Kubernetes: watch → cache → observe → decide → apply → status.

``api`` holds the types, ``kube`` is the only door to the API server, ``runtime`` the queue and workers,
``controllers`` the product's decisions, each a pure function of a frozen snapshot.
"""

__version__ = "0.1.0"
