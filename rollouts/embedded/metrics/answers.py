"""Prometheus' HTTP query API as data: parameters in, status code and JSON body out. Pure.

Shapes: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rollouts.embedded.metrics.promql import (
    Element,
    Options,
    PromqlError,
    QuerySyntaxError,
    RangeVector,
    Value,
    evaluate,
    evaluate_range,
    is_range_vector,
    parse,
)
from rollouts.embedded.metrics.samples import Source
from rollouts.kube.objects import parse_time

_MOST_POINTS = 11_000
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON body."""

    status: int
    body: Body


class _BadParameter(Exception):
    """A parameter that cannot be read."""


def answer_query(form: Mapping[str, str], source: Source, now: int, options: Options | None = None) -> Answer:
    """Answer ``/api/v1/query``; ``now`` in milliseconds is the default of ``time``."""
    return _guarded(lambda: _query(form, source, now, options))


def answer_query_range(form: Mapping[str, str], source: Source, options: Options | None = None) -> Answer:
    """Answer ``/api/v1/query_range``."""
    return _guarded(lambda: _query_range(form, source, options))


def success(data: Any) -> Answer:
    """Return the envelope of a good answer."""
    return Answer(200, {"status": "success", "data": data})


def _guarded(compute: Callable[[], Body]) -> Answer:
    try:
        return success(compute())
    except _BadParameter as error:
        return _failure(400, "bad_data", str(error))
    except QuerySyntaxError as error:
        return _failure(400, "bad_data", f'invalid parameter "query": {error}')
    except PromqlError as error:
        return _failure(422, "execution", str(error))


def _failure(status: int, kind: str, message: str) -> Answer:
    return Answer(status, {"status": "error", "errorType": kind, "error": message})


def _query(form: Mapping[str, str], source: Source, now: int, options: Options | None) -> Body:
    at = read_time(form["time"], "time") if form.get("time") else now
    parsed = parse(form.get("query", ""))
    value = evaluate(parsed, source, at, options)
    kind, result = _result(value, at, matrix=is_range_vector(parsed))
    return {"resultType": kind, "result": result}


def _query_range(form: Mapping[str, str], source: Source, options: Options | None) -> Body:
    start, end = (read_time(form.get(name, ""), name) for name in ("start", "end"))
    step = round(read_duration(form.get("step", ""), "step") * 1000)
    if end < start:
        raise _BadParameter('invalid parameter "end": end timestamp must not be before start time')
    if step <= 0:
        raise _BadParameter(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer"
        )
    if (end - start) / step > _MOST_POINTS:
        raise _BadParameter(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    series = evaluate_range(parse(form.get("query", "")), source, start, end, step, options)
    result = [{"metric": dict(s.labels), "values": [_point(*point) for point in s.points]} for s in series]
    return {"resultType": "matrix", "result": result}


def _result(value: Value, at: int, *, matrix: bool) -> tuple[str, Any]:
    if isinstance(value, float):
        return "scalar", _point(at, value)
    if isinstance(value, str):
        return "string", [at / 1000, value]
    if matrix:
        return "matrix", _matrix([item for item in value if isinstance(item, RangeVector)])
    elements = [item for item in value if isinstance(item, Element)]
    return "vector", [{"metric": dict(e.labels), "value": _point(at, e.value)} for e in elements]


def _matrix(vectors: Sequence[RangeVector]) -> list[Body]:
    return [{"metric": dict(v.labels), "values": [_point(*sample) for sample in v.samples]} for v in vectors]


def _point(time: int, value: float) -> list[Any]:
    return [time / 1000, format_value(value)]


def format_value(value: float) -> str:
    """Write a sample value as Prometheus does: shortest exact digits, never an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 2**63:
        return "-0" if value == 0 and math.copysign(1, value) < 0 else str(int(value))
    return format(Decimal(repr(value)), "f")


def read_time(text: str, name: str) -> int:
    """Return milliseconds from seconds or from an RFC 3339 time."""
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        moment = parse_time(text)
    if moment is None:
        raise _BadParameter(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
    return round(moment.timestamp() * 1000)


def read_duration(text: str, name: str) -> float:
    """Return seconds from a number or from a duration such as 30s or 1m30s."""
    try:
        return float(text)
    except ValueError:
        pass
    rest, seconds = text, 0.0
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        unit = next((u for u in sorted(_UNITS, key=len, reverse=True) if rest[digits:].startswith(u)), "")
        if not digits or not unit:
            raise _BadParameter(f'invalid parameter "{name}": cannot parse "{text}" to a valid duration')
        seconds += int(rest[:digits]) * _UNITS[unit]
        rest = rest[digits + len(unit) :]
    if not text:
        raise _BadParameter(f'invalid parameter "{name}": cannot parse "" to a valid duration')
    return seconds
