"""How a result is shown in status: as upstream shows it."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from analysis.conditions.values import FloatVector


def shown(result: float | FloatVector) -> str:
    """Return numbers as upstream shows them: ``0.5``, ``[0.5,1]``, never with an exponent."""
    if isinstance(result, FloatVector):
        return "[" + ",".join(map(_number, result)) + "]"
    return _number(result)


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def written(value: Any) -> str:
    """Return a value as JSON the way Go writes it: sorted keys, whole floats without a fraction."""
    return json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value
