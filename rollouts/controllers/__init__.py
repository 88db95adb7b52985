"""One package per kind: snapshot, observe, decide, actions, apply, status, controller.

``decide`` and ``status`` are pure. Controllers do not know each other; they meet in the API server.
"""
