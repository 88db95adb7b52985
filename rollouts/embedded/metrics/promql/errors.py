"""What can be wrong with a query."""

from __future__ import annotations


class PromqlError(Exception):
    """Root. The message is for the query's author."""


class QuerySyntaxError(PromqlError):
    """The text is no PromQL."""


class Unsupported(PromqlError):
    """Valid PromQL that this evaluator does not know; the message names the construct."""


class EvaluationFailed(PromqlError):
    """The samples do not allow the operation, for instance many-to-many matching."""
