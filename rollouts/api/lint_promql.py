"""PromQL that does not parse, found before it is asked. Needs promql-parser; without it nothing is found."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator

from analysis.spec.objects import AnalysisRunSpec, AnalysisTemplateSpec


def _load_parser() -> Callable[[str], object] | None:
    try:
        parse: Callable[[str], object] = importlib.import_module("promql_parser").parse
    except ImportError:
        return None
    return parse


_PARSE = _load_parser()

_TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_STANDS_FOR_A_TAG = ("x", "1m", "1")
"""A name, a duration, a number: an argument may be any of them."""


def query_problems(spec: AnalysisTemplateSpec | AnalysisRunSpec) -> Iterator[tuple[str, str]]:
    """Yield the path and the complaint for every Prometheus query that cannot be PromQL."""
    for index, metric in enumerate(spec.metrics):
        prometheus = metric.provider.prometheus
        if prometheus is not None and prometheus.query:
            complaint = _complaint(prometheus.query)
            if complaint:
                yield f"spec.metrics[{index}].provider.prometheus.query", f"not PromQL: {complaint}"


def _complaint(query: str) -> str:
    if _PARSE is None:
        return ""
    complaint = ""
    for stand_in in _STANDS_FOR_A_TAG:
        try:
            _PARSE(_TAG.sub(stand_in, query))
        except ValueError as error:
            complaint = complaint or str(error)
        else:
            return ""
    return complaint
