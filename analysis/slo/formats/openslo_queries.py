"""The metrics of an OpenSLO indicator. The format says nothing of ranges, so they are found in the query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analysis.slo.formats.imported import Document, Reader
from analysis.slo.queries import blanked

_QUERY_KEYS = ("query", "promql")
_RANGE = re.compile(r"\[\s*([0-9][0-9a-z]*)\s*\]")
_SUM_OF_COUNTER = re.compile(r"\s*sum\s*\(\s*([a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:\{[^{}]*\})?)\s*\)\s*")
_PLAIN = re.compile(r"\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:\{[^{}]*\})?\s*")
_BAD_WHEN = {"lt": ">=", "lte": ">", "gt": "<=", "gte": "<"}
_SUBQUERY_STEP = "1m"


def indicator_of(indicator: Reader, objective: Reader, sources: Mapping[str, Document]) -> dict[str, Any]:
    """Return our indicator. Raises SpecError for what cannot be one."""
    indicator.only("", "apiVersion", "kind", "metadata", "spec")
    indicator.only("spec", "description", "thresholdMetric", "ratioMetric")
    if indicator.get("spec.ratioMetric") is not None:
        ratio = indicator.below("spec.ratioMetric", indicator.get("spec.ratioMetric"))
        return _ratio(ratio, sources)
    if indicator.get("spec.thresholdMetric") is not None:
        threshold = indicator.below("spec.thresholdMetric", indicator.get("spec.thresholdMetric"))
        return _threshold(threshold, objective, sources)
    raise indicator.error("spec", "has neither ratioMetric nor thresholdMetric")


def _ratio(ratio: Reader, sources: Mapping[str, Document]) -> dict[str, Any]:
    ratio.only("", "counter", "good", "bad", "total", "raw", "rawType")
    if ratio.get("raw") is not None:
        query = _windowed(ratio, "raw", sources, counter=False)
        kind = ratio.text("rawType")
        if kind not in ("success", "failure"):
            raise ratio.error("rawType", f"is {kind!r}; wanted success or failure")
        return {"errorRatio": query if kind == "failure" else f"1 - ({query})"}
    counter = ratio.get("counter") is not False
    parts = [part for part in ("good", "bad") if ratio.get(part) is not None]
    if len(parts) != 1:
        raise ratio.error("good", "wanted exactly one of good and bad")
    return {
        "ratio": {
            parts[0]: _windowed(ratio, parts[0], sources, counter=counter),
            "total": _windowed(ratio, "total", sources, counter=counter),
        }
    }


def _threshold(metric: Reader, objective: Reader, sources: Mapping[str, Document]) -> dict[str, Any]:
    """Return an error ratio over minutes: one is bad when its value breaks the objective's comparison."""
    query = _query(metric, "metricSource", sources)
    operator, value = objective.text("op"), objective.number("value")
    if operator not in _BAD_WHEN:
        raise objective.error("op", f"is {operator!r}; wanted {', '.join(_BAD_WHEN)}")
    if value is None:
        raise objective.error("value", "is missing; a thresholdMetric is compared with it")
    metric.warn(
        "metricSource",
        "gives a value, not events: each minute counts as one event, and no version can be told apart",
    )
    return {"errorRatio": f"avg_over_time((({query}) {_BAD_WHEN[operator]} bool {value!r})"
            f"[{{{{window}}}}:{_SUBQUERY_STEP}])"}  # fmt: skip


def _windowed(ratio: Reader, part: str, sources: Mapping[str, Document], *, counter: bool) -> str:
    """Return a query with our window in it."""
    path = f"{part}.metricSource"
    query = _query(ratio, path, sources)
    looked_at = blanked(query)
    if re.search(r"\{\{\s*\.?window\s*\}\}", query):
        return query
    summed = _SUM_OF_COUNTER.fullmatch(looked_at)
    if counter and summed:
        return query[summed.start(1) : summed.end(1)].strip()
    if counter and _PLAIN.fullmatch(looked_at):
        return query.strip()
    ranges = {found[1] for found in _RANGE.finditer(looked_at)}
    if len(ranges) != 1:
        seen = f"has the ranges {', '.join(sorted(ranges))}" if ranges else "has no range"
        raise ratio.error(
            path, f"{seen}: wanted a counter (with counter: true), or a query with one range such as [5m]"
        )
    ratio.warn(path, f"its range {ranges.pop()} is replaced by the window that is asked for")
    for found in reversed(list(_RANGE.finditer(looked_at))):
        query = f"{query[: found.start()]}[{{{{window}}}}]{query[found.end() :]}"
    return query


def _query(reader: Reader, path: str, sources: Mapping[str, Document]) -> str:
    source = reader.get(f"{path}.metricSourceRef")
    kind = reader.text(f"{path}.type", "")
    if source is not None and not kind:
        if source not in sources:
            known = ", ".join(sorted(sources)) or "none"
            raise reader.error(
                f"{path}.metricSourceRef", f"names {source!r}; DataSources in this file: {known}"
            )
        kind = Reader(sources[source]).text("spec.type")
    if kind.lower() not in ("", "prometheus"):
        raise reader.error(f"{path}.type", f"is {kind!r}; only Prometheus can be asked")
    for key in _QUERY_KEYS:
        if reader.get(f"{path}.spec.{key}") is not None:
            return reader.text(f"{path}.spec.{key}")
    raise reader.error(f"{path}.spec", f"has no query; looked for {' and '.join(_QUERY_KEYS)}")
