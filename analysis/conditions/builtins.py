"""Functions of the language that take plain arguments. Each gets the scope first and charges its work."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Scope
from analysis.conditions.values import (
    array,
    described,
    from_json,
    go_text,
    is_array,
    is_number,
    number,
    same,
    text,
    type_name,
    wrapped,
)
from analysis.spec.duration import format_duration, parse_duration

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function and how many arguments it takes (``most`` None: any number)."""

    run: Callable[..., Any]
    least: int = 1
    most: int | None = 1
    float_arguments: bool = False
    """A float64 parameter: an integer that is not a literal does not fit, as in Go."""


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


def _len(scope: Scope, value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise ConditionError(f"invalid argument for len: {described(value)}", empty_result=value is None)


def _int(scope: Scope, value: Any) -> int:
    if is_number(value):
        return _cut("int", value)
    if isinstance(value, str) and len(value) <= 20 and _INTEGER.fullmatch(value):
        return _fitting("int", int(value))
    raise ConditionError(f"invalid argument for int: {described(value)}")


def _float(scope: Scope, value: Any) -> float:
    if is_number(value):
        return float(value)
    if isinstance(value, str) and len(value) <= 400 and _FLOAT.fullmatch(value):
        return float(value)
    raise ConditionError(f"invalid argument for float: {described(value)}")


def _string(scope: Scope, value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    scope.weigh(value)
    written = go_text(value)
    scope.sized(len(written))
    return written


def _abs(scope: Scope, value: Any) -> int | float:
    positive = abs(number(value, "abs"))
    return wrapped(positive) if isinstance(positive, int) else positive


def _rounding(name: str, compute: Callable[[float], float]) -> Callable[[Scope, Any], float]:
    def run(scope: Scope, value: Any) -> float:
        exact = float(number(value, name))
        return compute(exact) if math.isfinite(exact) else exact

    return run


def _half_away(value: float) -> float:
    whole = math.trunc(value)
    return float(whole + int(math.copysign(1, value))) if abs(value - whole) >= 0.5 else float(whole)


def _numbers(scope: Scope, name: str, args: Sequence[Any]) -> list[int | float]:
    """Return the numbers among the arguments, which may be arrays of numbers."""
    found: list[int | float] = []
    for arg in args:
        if is_array(arg):
            scope.charge(len(arg))
            found.extend(_numbers(scope, name, arg))
        else:
            found.append(number(arg, name))
    return found


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def run(scope: Scope, *args: Any) -> int | float:
        found = _numbers(scope, name, args)
        if not found:
            raise ConditionError(
                f"not enough arguments to call {name}: nothing to compare", empty_result=True
            )
        best = found[0]
        for value in found[1:]:
            if better(value, best):
                best = value
        return best

    return run


def _mean(scope: Scope, *args: Any) -> float:
    found = _numbers(scope, "mean", args)
    return float(sum(found)) / len(found) if found else 0.0


def _median(scope: Scope, *args: Any) -> float:
    found = sorted(_numbers(scope, "median", args))
    middle = len(found) // 2
    if not found:
        return 0.0
    return float(found[middle]) if len(found) % 2 else (found[middle - 1] + found[middle]) / 2


def _text_function(name: str, compute: Callable[[str], Any]) -> Callable[[Scope, Any], Any]:
    def run(scope: Scope, value: Any) -> Any:
        scope.charge(len(text(value, name)) // 16)
        return compute(value)

    return run


def _trim(scope: Scope, value: Any, cut: Any = None) -> str:
    return text(value, "trim").strip(None if cut is None else text(cut, "trim"))


def _affix(name: str, remove: Callable[[str, str], str]) -> Callable[..., str]:
    def run(scope: Scope, value: Any, part: Any = " ") -> str:
        return remove(text(value, name), text(part, name))

    return run


def _split(scope: Scope, value: Any, separator: Any, most: Any = -1) -> list[str]:
    whole, mark = text(value, "split"), text(separator, "split")
    limit = int(number(most, "split"))
    scope.sized(len(whole))
    if not mark:
        return list(whole)
    return [] if limit == 0 else whole.split(mark, limit - 1 if limit > 0 else -1)


def _join(scope: Scope, values: Any, separator: Any = "") -> str:
    parts = [text(part, "join") for part in array(values, "join")]
    mark = text(separator, "join")
    scope.sized(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def _replace(scope: Scope, value: Any, old: Any, new: Any) -> str:
    whole, before, after = (text(part, "replace") for part in (value, old, new))
    scope.sized((whole.count(before) if before else len(whole) + 1) * len(after) + len(whole))
    return whole.replace(before, after)


def _repeat(scope: Scope, value: Any, times: Any) -> str:
    count = number(times, "repeat")
    if not isinstance(count, int) or count < 0:
        raise ConditionError("repeat needs a count that is not negative")
    scope.sized(len(text(value, "repeat")) * count)
    return str(value) * count


def _index_of(name: str, find: Callable[[str, str], int]) -> Callable[..., int]:
    def run(scope: Scope, value: Any, part: Any) -> int:
        scope.charge(len(text(value, name)) // 16)
        return find(value, text(part, name))

    return run


def _affixed(name: str, test: Callable[[str, str], bool]) -> Callable[..., bool]:
    return lambda scope, value, part: test(text(value, name), text(part, name))


def _end(name: str, index: int) -> Callable[[Scope, Any], Any]:
    def run(scope: Scope, values: Any) -> Any:
        whole = array(values, name)
        return whole[index] if whole else None

    return run


def _get(scope: Scope, container: Any, key: Any) -> Any:
    if isinstance(container, Mapping):
        return container.get(key) if isinstance(key, str) else None
    if is_array(container) and isinstance(key, int) and not isinstance(key, bool):
        return container[key] if -len(container) <= key < len(container) else None
    return None


def _take(scope: Scope, values: Any, most: Any) -> Any:
    count = number(most, "take")
    if not isinstance(count, int) or count < 0:
        raise ConditionError("take needs a count that is not negative")
    return array(values, "take")[:count]


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConditionError(f"{name} needs a map, not {described(value)}")
    return value


def _keys(scope: Scope, value: Any) -> list[str]:
    return sorted(_mapping(value, "keys"))


def _values(scope: Scope, value: Any) -> list[Any]:
    mapping = _mapping(value, "values")
    return [mapping[key] for key in sorted(mapping)]


def _to_pairs(scope: Scope, value: Any) -> list[Any]:
    mapping = _mapping(value, "toPairs")
    scope.sized(len(mapping))
    return [[key, mapping[key]] for key in sorted(mapping)]


def _from_pairs(scope: Scope, value: Any) -> dict[str, Any]:
    pairs = array(value, "fromPairs")
    scope.sized(len(pairs))
    if not all(is_array(pair) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
        raise ConditionError("fromPairs needs an array of [string, value] pairs")
    return {pair[0]: pair[1] for pair in pairs}


def _reverse(scope: Scope, values: Any) -> list[Any]:
    whole = array(values, "reverse")
    scope.sized(len(whole))
    return list(reversed(whole))


def _unique(scope: Scope, values: Any) -> list[Any]:
    kept: list[Any] = []
    for value in array(values, "uniq"):
        scope.weigh(kept)
        if not any(same(value, other) for other in kept):
            kept.append(value)
    return kept


def _concat(scope: Scope, *arrays: Any) -> list[Any]:
    scope.sized(sum(len(array(part, "concat")) for part in arrays))
    return [value for part in arrays for value in part]


def _flatten(scope: Scope, values: Any) -> list[Any]:
    flat: list[Any] = []
    waiting = [iter(array(values, "flatten"))]
    while waiting:
        for value in waiting[-1]:
            scope.charge(1)
            if is_array(value):
                waiting.append(iter(value))
                break
            flat.append(value)
        else:
            waiting.pop()
    return flat


def compare(left: Any, right: Any) -> int:
    """Order two numbers, strings, times or durations; raises ConditionError for a mixture."""
    both = (left, right)
    if all(map(is_number, both)) or any(
        isinstance(left, kind) and isinstance(right, kind) for kind in (str, datetime, timedelta)
    ):
        return int(left > right) - int(left < right)
    raise ConditionError(f"cannot sort {type_name(left)} and {type_name(right)} together")


def descending(order: Any) -> bool:
    """Read a sort order, ``asc`` or ``desc``."""
    if order not in ("asc", "desc"):
        raise ConditionError('a sort order is "asc" or "desc"')
    return bool(order == "desc")


def _sort(scope: Scope, values: Any, order: Any = "asc") -> list[Any]:
    whole = array(values, "sort")
    scope.charge(len(whole) * 20)
    return sorted(whole, key=cmp_to_key(compare), reverse=descending(order))


def _to_json(scope: Scope, value: Any) -> str:
    scope.weigh(value)
    try:
        written = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise ConditionError("toJSON cannot write this value") from error
    scope.sized(len(written))
    return written


def _from_json(scope: Scope, value: Any) -> Any:
    scope.sized(len(text(value, "fromJSON")))
    try:
        return from_json(value)
    except (ValueError, RecursionError) as error:
        raise ConditionError("fromJSON: the text is not JSON") from error


def _to_base64(scope: Scope, value: Any) -> str:
    scope.sized(len(text(value, "toBase64")) * 2)
    return base64.b64encode(value.encode()).decode()


def _from_base64(scope: Scope, value: Any) -> str:
    try:
        return base64.b64decode(text(value, "fromBase64"), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ConditionError("fromBase64: the text is not base64") from error


def _duration(scope: Scope, value: Any) -> timedelta:
    try:
        return parse_duration(text(value, "duration"))
    except ValueError as error:
        raise ConditionError(f"duration: {error}") from error


def _date(scope: Scope, value: Any) -> datetime:
    written = text(value, "date").strip()
    try:
        moment = datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError:
        raise ConditionError(
            "date: the text is not a date such as 2026-01-31 or 2026-01-31T10:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


FUNCTIONS: Mapping[str, Function] = {
    "asInt": Function(as_int),
    "asFloat": Function(as_float),
    "isNaN": Function(is_nan, float_arguments=True),
    "isInf": Function(is_inf, float_arguments=True),
    "isNil": Function(is_nil),
    "default": Function(default, 2, 2),
    "len": Function(_len),
    "type": Function(lambda scope, value: type_name(value)),
    "int": Function(_int),
    "float": Function(_float),
    "string": Function(_string),
    "abs": Function(_abs),
    "ceil": Function(_rounding("ceil", lambda x: float(math.ceil(x)))),
    "floor": Function(_rounding("floor", lambda x: float(math.floor(x)))),
    "round": Function(_rounding("round", _half_away)),
    "max": Function(_extreme("max", lambda a, b: a > b), 1, None),
    "min": Function(_extreme("min", lambda a, b: a < b), 1, None),
    "mean": Function(_mean, 1, None),
    "median": Function(_median, 1, None),
    "upper": Function(_text_function("upper", str.upper)),
    "lower": Function(_text_function("lower", str.lower)),
    "trim": Function(_trim, 1, 2),
    "trimPrefix": Function(_affix("trimPrefix", str.removeprefix), 1, 2),
    "trimSuffix": Function(_affix("trimSuffix", str.removesuffix), 1, 2),
    "split": Function(_split, 2, 3),
    "join": Function(_join, 1, 2),
    "replace": Function(_replace, 3, 3),
    "repeat": Function(_repeat, 2, 2),
    "indexOf": Function(_index_of("indexOf", str.find), 2, 2),
    "lastIndexOf": Function(_index_of("lastIndexOf", str.rfind), 2, 2),
    "hasPrefix": Function(_affixed("hasPrefix", str.startswith), 2, 2),
    "hasSuffix": Function(_affixed("hasSuffix", str.endswith), 2, 2),
    "first": Function(_end("first", 0)),
    "last": Function(_end("last", -1)),
    "get": Function(_get, 2, 2),
    "take": Function(_take, 2, 2),
    "keys": Function(_keys),
    "values": Function(_values),
    "toPairs": Function(_to_pairs),
    "fromPairs": Function(_from_pairs),
    "reverse": Function(_reverse),
    "uniq": Function(_unique),
    "concat": Function(_concat, 1, None),
    "flatten": Function(_flatten),
    "sort": Function(_sort, 1, 2),
    "toJSON": Function(_to_json),
    "fromJSON": Function(_from_json),
    "toBase64": Function(_to_base64),
    "fromBase64": Function(_from_base64),
    "now": Function(lambda scope: scope.now, 0, 0),
    "duration": Function(_duration),
    "date": Function(_date),
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
