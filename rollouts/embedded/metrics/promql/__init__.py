"""PromQL over samples in memory: parsed by ``promql-parser``, evaluated here. Pure.

``evaluate(query, source, at)`` answers an instant query, ``evaluate_range`` one moment after the other. The
semantics are those of Prometheus 3 (``Dialect.V3``); ``Dialect.V2`` differs in two points: a range then
includes its left end, and ``rate`` treats a counter's zero before it treats gaps. Rules:
https://prometheus.io/docs/prometheus/latest/querying/ .

Supported: instant and range selectors with all matchers, ``offset``, ``@``; arithmetic, comparison and set
operators with ``on``, ``ignoring``, ``group_left``, ``group_right``, ``bool``; all aggregations but
``count_values``; the functions listed in ``functions`` and ``ranges``. Not supported, with an error that
says so: subqueries, native histograms, ``or`` between matchers, and every other function.
"""

from rollouts.embedded.metrics.promql.context import Dialect, Options, Value
from rollouts.embedded.metrics.promql.engine import (
    RangeResult,
    evaluate,
    evaluate_range,
    is_range_vector,
    parse,
)
from rollouts.embedded.metrics.promql.errors import (
    EvaluationFailed,
    PromqlError,
    QuerySyntaxError,
    Unsupported,
)
from rollouts.embedded.metrics.promql.vectors import Element, RangeVector

__all__ = [
    "Dialect",
    "Element",
    "EvaluationFailed",
    "Options",
    "PromqlError",
    "QuerySyntaxError",
    "RangeResult",
    "RangeVector",
    "Unsupported",
    "Value",
    "evaluate",
    "evaluate_range",
    "is_range_vector",
    "parse",
]
