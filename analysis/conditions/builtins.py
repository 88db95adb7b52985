"""The functions of the language by name, with the arguments that each takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analysis.conditions import arithmetic, arrays, conversions, texts
from analysis.conditions.values import type_name


@dataclass(frozen=True, slots=True)
class Function:
    """A function and how many arguments it takes (``most`` None: any number)."""

    run: Callable[..., Any]
    least: int = 1
    most: int | None = 1
    float_arguments: bool = False
    """A float64 parameter: an integer that is not a literal does not fit, as in Go."""


FUNCTIONS: Mapping[str, Function] = {
    "asInt": Function(conversions.as_int),
    "asFloat": Function(conversions.as_float),
    "isNaN": Function(conversions.is_nan, float_arguments=True),
    "isInf": Function(conversions.is_inf, float_arguments=True),
    "isNil": Function(conversions.is_nil),
    "default": Function(conversions.default, 2, 2),
    "len": Function(conversions.length),
    "type": Function(lambda scope, value: type_name(value)),
    "int": Function(conversions.integer),
    "float": Function(conversions.floating),
    "string": Function(conversions.string),
    "abs": Function(arithmetic.absolute),
    "ceil": Function(arithmetic.rounding("ceil", lambda x: float(math.ceil(x)))),
    "floor": Function(arithmetic.rounding("floor", lambda x: float(math.floor(x)))),
    "round": Function(arithmetic.rounding("round", arithmetic.half_away)),
    "max": Function(arithmetic.extreme("max", lambda a, b: a > b), 1, None),
    "min": Function(arithmetic.extreme("min", lambda a, b: a < b), 1, None),
    "mean": Function(arithmetic.mean, 1, None),
    "median": Function(arithmetic.median, 1, None),
    "upper": Function(texts.text_function("upper", str.upper)),
    "lower": Function(texts.text_function("lower", str.lower)),
    "trim": Function(texts.trim, 1, 2),
    "trimPrefix": Function(texts.affix("trimPrefix", str.removeprefix), 1, 2),
    "trimSuffix": Function(texts.affix("trimSuffix", str.removesuffix), 1, 2),
    "split": Function(texts.split, 2, 3),
    "join": Function(texts.join, 1, 2),
    "replace": Function(texts.replace, 3, 3),
    "repeat": Function(texts.repeat, 2, 2),
    "indexOf": Function(texts.index_of("indexOf", str.find), 2, 2),
    "lastIndexOf": Function(texts.index_of("lastIndexOf", str.rfind), 2, 2),
    "hasPrefix": Function(texts.affixed("hasPrefix", str.startswith), 2, 2),
    "hasSuffix": Function(texts.affixed("hasSuffix", str.endswith), 2, 2),
    "first": Function(arrays.end("first", 0)),
    "last": Function(arrays.end("last", -1)),
    "get": Function(arrays.get, 2, 2),
    "take": Function(arrays.take, 2, 2),
    "keys": Function(arrays.keys_of),
    "values": Function(arrays.values_of),
    "toPairs": Function(arrays.to_pairs),
    "fromPairs": Function(arrays.from_pairs),
    "reverse": Function(arrays.reverse),
    "uniq": Function(arrays.unique),
    "concat": Function(arrays.concat, 1, None),
    "flatten": Function(arrays.flatten),
    "sort": Function(arrays.sort, 1, 2),
    "toJSON": Function(conversions.to_json),
    "fromJSON": Function(conversions.from_json),
    "toBase64": Function(conversions.to_base64),
    "fromBase64": Function(conversions.from_base64),
    "now": Function(lambda scope: scope.now, 0, 0),
    "duration": Function(conversions.duration),
    "date": Function(conversions.date),
}
"""Name → function, for everything that takes no predicate."""

METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    datetime: {
        "Unix": lambda moment: int(moment.timestamp()),
        "Year": lambda moment: moment.year,
        "Month": lambda moment: moment.month,
        "Day": lambda moment: moment.day,
        "Hour": lambda moment: moment.hour,
        "Minute": lambda moment: moment.minute,
        "Second": lambda moment: moment.second,
        "Weekday": lambda moment: (moment.weekday() + 1) % 7,
    },
    timedelta: {
        "Hours": lambda duration: duration.total_seconds() / 3600,
        "Minutes": lambda duration: duration.total_seconds() / 60,
        "Seconds": lambda duration: duration.total_seconds(),
        "Milliseconds": lambda duration: duration // timedelta(milliseconds=1),
    },
}
"""Methods of times and durations, without arguments."""
