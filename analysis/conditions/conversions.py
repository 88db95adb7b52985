"""Conversions between types, and the functions that upstream adds to the language.

Each gets the scope first and charges its work.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Scope
from analysis.conditions.values import (
    described,
    go_text,
    is_number,
    number,
    text,
)
from analysis.conditions.values import (
    from_json as read_json,
)
from analysis.spec.duration import format_duration, parse_duration

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)",
    re.IGNORECASE,
)


def as_int(scope: Scope, value: Any) -> int:
    """``asInt``: a number cut to an integer, or a string that is one."""
    if is_number(value):
        return _cut("asInt", value)
    if isinstance(value, str) and len(value) <= 20 and _INTEGER.fullmatch(value):
        return _fitting("asInt", int(value))
    raise ConditionError(f"asInt() not supported on {described(value)}", empty_result=value is None)


def as_float(scope: Scope, value: Any) -> float:
    """``asFloat``: a number as a float, or a string that is one."""
    if is_number(value):
        return float(value)
    if isinstance(value, str) and len(value) <= 400 and _FLOAT.fullmatch(value):
        return float(value)
    raise ConditionError(f"asFloat() not supported on {described(value)}", empty_result=value is None)


def is_nan(scope: Scope, value: Any) -> bool:
    """``isNaN`` takes a number; a vector is a type error, as upstream."""
    return math.isnan(number(value, "isNaN"))


def is_inf(scope: Scope, value: Any) -> bool:
    """``isInf`` takes a number."""
    return math.isinf(number(value, "isInf"))


def is_nil(scope: Scope, _: Any) -> bool:
    """``isNil`` looks at the whole result and ignores its argument, as upstream."""
    return scope.result is None


def default(scope: Scope, _: Any, fallback: Any) -> Any:
    """``default`` gives the whole result, or the fallback when that is nil, as upstream."""
    return fallback if scope.result is None else scope.result


def _cut(name: str, value: int | float) -> int:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConditionError(f"{name} cannot turn {go_text(value)} into an integer")
    return _fitting(name, int(value))


def _fitting(name: str, value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ConditionError(f"{name}: {value} does not fit into 64 bits")
    return value


def length(scope: Scope, value: Any) -> int:
    """Return the length of a string (in characters), array or map."""
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise ConditionError(f"invalid argument for len: {described(value)}", empty_result=value is None)


def integer(scope: Scope, value: Any) -> int:
    """``int``: a number cut to an integer, or a string that is one."""
    if is_number(value):
        return _cut("int", value)
    if isinstance(value, str) and len(value) <= 20 and _INTEGER.fullmatch(value):
        return _fitting("int", int(value))
    raise ConditionError(f"invalid argument for int: {described(value)}")


def floating(scope: Scope, value: Any) -> float:
    """``float``: a number as a float, or a string that is one."""
    if is_number(value):
        return float(value)
    if isinstance(value, str) and len(value) <= 400 and _FLOAT.fullmatch(value):
        return float(value)
    raise ConditionError(f"invalid argument for float: {described(value)}")


def string(scope: Scope, value: Any) -> str:
    """Return a value as Go prints it."""
    if isinstance(value, timedelta):
        return format_duration(value)
    scope.weigh(value)
    written = go_text(value)
    scope.sized(len(written))
    return written


def to_json(scope: Scope, value: Any) -> str:
    """``toJSON``."""
    scope.weigh(value)
    try:
        written = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise ConditionError("toJSON cannot write this value") from error
    scope.sized(len(written))
    return written


def from_json(scope: Scope, value: Any) -> Any:
    """``fromJSON``."""
    scope.sized(len(text(value, "fromJSON")))
    try:
        return read_json(value)
    except (ValueError, RecursionError) as error:
        raise ConditionError("fromJSON: the text is not JSON") from error


def to_base64(scope: Scope, value: Any) -> str:
    """``toBase64``."""
    scope.sized(len(text(value, "toBase64")) * 2)
    return base64.b64encode(value.encode()).decode()


def from_base64(scope: Scope, value: Any) -> str:
    """``fromBase64``."""
    try:
        return base64.b64decode(text(value, "fromBase64"), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ConditionError("fromBase64: the text is not base64") from error


def duration(scope: Scope, value: Any) -> timedelta:
    """Read a Go duration."""
    try:
        return parse_duration(text(value, "duration"))
    except ValueError as error:
        raise ConditionError(f"duration: {error}") from error


def date(scope: Scope, value: Any) -> datetime:
    """Read a date, or a time with its zone (UTC when it has none)."""
    written = text(value, "date").strip()
    try:
        moment = datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError:
        raise ConditionError(
            "date: the text is not a date such as 2026-01-31 or 2026-01-31T10:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
