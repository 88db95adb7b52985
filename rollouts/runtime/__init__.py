"""Queues, workers and the manager that runs them. Knows no product kind.

Promises: one key is never reconciled twice at the same time; a key is not reconciled on a cache older than
its own last write; a failed reconcile is retried with growing back-off; a lost lease stops all writes.
"""
