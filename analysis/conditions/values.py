"""Values as the language sees them: types, equality, arithmetic, access, and Go's way to write numbers.

Numbers are 64-bit integers (they wrap) and floats; bool is not a number. Arrays are lists or tuples, maps
are dicts, times are aware datetimes, durations timedeltas. ``FloatVector`` marks a result that is known to
hold floats only, as a Prometheus vector is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analysis.conditions.errors import ConditionError


class FloatVector(tuple[float, ...]):
    """The values of a vector or matrix, without labels, in the backend's order."""

    __slots__ = ()


def from_json(text: str | bytes) -> Any:
    """Read JSON as Go does: every number becomes a float. Raises ValueError."""
    return json.loads(text, parse_int=float)


def type_name(value: Any) -> str:
    """Return the language's name of a value's type."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return type(value).__name__


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (int, "int"),
    (float, "float"),
    (str, "string"),
    (Mapping, "map"),
    (list, "array"),
    (tuple, "array"),
    (datetime, "time.Time"),
    (timedelta, "time.Duration"),
)


def is_number(value: Any) -> bool:
    """Tell whether a value is an int or float (bool is neither)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_array(value: Any) -> bool:
    """Tell whether a value is an array."""
    return isinstance(value, list | tuple)


def number(value: Any, what: str) -> int | float:
    """Return a number, or raise ConditionError saying that ``what`` needs one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConditionError(f"{what} needs a number, not {described(value)}")
    return value


def boolean(value: Any, what: str) -> bool:
    """Return a bool, or raise ConditionError saying that ``what`` needs one."""
    if not isinstance(value, bool):
        raise ConditionError(f"{what} needs a bool, not {described(value)}")
    return value


def text(value: Any, what: str) -> str:
    """Return a string, or raise ConditionError saying that ``what`` needs one."""
    if not isinstance(value, str):
        raise ConditionError(f"{what} needs a string, not {described(value)}")
    return value


def array(value: Any, what: str) -> Sequence[Any]:
    """Return an array, or raise ConditionError saying that ``what`` needs one."""
    if not isinstance(value, list | tuple):
        raise ConditionError(f"{what} needs an array, not {described(value)}")
    return value


def described(value: Any) -> str:
    """Return a short description of a value for an error message."""
    name = type_name(value)
    if isinstance(value, bool) or is_number(value):
        return f"{name} {go_text(value)}"
    return f"{name} of length {len(value)}" if name in ("array", "map") else name


def wrapped(value: int) -> int:
    """Return an integer cut to 64 bits, as Go's arithmetic does."""
    return value if -(2**63) <= value < 2**63 else (value + 2**63) % 2**64 - 2**63


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal; values of different types are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if is_array(left) and is_array(right):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def add(left: Any, right: Any) -> Any:
    """Return left + right for numbers, strings, times and durations."""
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, datetime) and isinstance(right, timedelta):
        return left + right
    if isinstance(left, timedelta) and isinstance(right, datetime | timedelta):
        return right + left
    return _arithmetic("+", left, right, lambda a, b: a + b)


def subtract(left: Any, right: Any) -> Any:
    """Return left - right for numbers, times and durations."""
    if isinstance(left, datetime) and isinstance(right, datetime | timedelta):
        return left - right
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return left - right
    return _arithmetic("-", left, right, lambda a, b: a - b)


def multiply(left: Any, right: Any) -> Any:
    """Return left * right; one of the two may be a duration."""
    if isinstance(left, timedelta) and is_number(right) and math.isfinite(right):
        return left * right
    if isinstance(right, timedelta) and is_number(left) and math.isfinite(left):
        return right * left
    return _arithmetic("*", left, right, lambda a, b: a * b)


def divide(left: Any, right: Any) -> float:
    """Return left / right as a float; by zero it is NaN or an infinity."""
    _both_numbers("/", left, right)
    if right != 0:
        return float(left) / float(right)
    if left == 0 or left != left:
        return math.nan
    return math.copysign(math.inf, float(left)) * math.copysign(1.0, float(right))


def modulo(left: Any, right: Any) -> int:
    """Return the remainder of two integers, with the sign of the left one."""
    if not (type(left) is int and type(right) is int):
        raise ConditionError(f"% needs two integers, not {described(left)} and {described(right)}")
    if right == 0:
        raise ConditionError("integer divide by zero")
    remainder: int = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def power(left: Any, right: Any) -> float:
    """Return left to the power of right, always as a float (infinite when too large)."""
    _both_numbers("**", left, right)
    try:
        return math.pow(left, right)
    except OverflowError:
        odd = float(right).is_integer() and int(right) % 2 == 1
        return -math.inf if left < 0 and odd else math.inf
    except ValueError:
        return math.inf if left == 0 else math.nan


def _both_numbers(operator: str, left: Any, right: Any) -> None:
    if not (is_number(left) and is_number(right)):
        raise ConditionError(f"invalid operation: {operator} (mismatched types {_types(left, right)})")


def _types(left: Any, right: Any) -> str:
    return f"{type_name(left)} and {type_name(right)}"


def _arithmetic(operator: str, left: Any, right: Any, compute: Callable[[Any, Any], Any]) -> Any:
    _both_numbers(operator, left, right)
    value = compute(left, right)
    return wrapped(value) if isinstance(value, int) else value


def ordered(operator: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a comparison of two numbers, strings, times or durations."""

    def run(left: Any, right: Any) -> bool:
        if is_number(left) and is_number(right):
            return compare(left, right)
        for kind in (str, datetime, timedelta):
            if isinstance(left, kind) and isinstance(right, kind):
                return compare(left, right)
        raise ConditionError(f"invalid operation: {operator} (mismatched types {_types(left, right)})")

    return run


def contains(container: Any, item: Any) -> bool:
    """Return ``item in container``: an element of an array, or a key of a map."""
    if container is None:
        return False
    if isinstance(container, Mapping):
        return isinstance(item, str) and item in container
    if is_array(container):
        return any(same(item, element) for element in container)
    raise ConditionError(f"in needs an array or a map on its right, not {described(container)}")


def fetch(container: Any, key: Any) -> Any:
    """Return ``container[key]``; a negative index counts from the end, a missing key is nil."""
    if isinstance(container, Mapping):
        return container.get(key) if isinstance(key, str) else None
    if is_array(container):
        return _element(container, key)
    raise ConditionError(
        f"cannot fetch {shown_key(key)} from {described(container)}", empty_result=container is None
    )


def shown_key(key: Any) -> str:
    """Return a key or index for an error message."""
    return key[:60] if isinstance(key, str) else go_text(key)


def _element(container: Sequence[Any], key: Any) -> Any:
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    if isinstance(key, bool) or not isinstance(key, int):
        raise ConditionError(f"an array's elements are selected by an integer, not {described(key)}")
    length = len(container)
    if not -length <= key < length:
        raise ConditionError(
            f"index out of range: {key} (array length is {length})", empty_result=length == 0
        )
    return container[key]


def sliced(container: Any, low: Any, high: Any) -> Any:
    """Return ``container[low:high]`` of an array or string; bounds beyond the ends are cut."""
    if not isinstance(container, str | list | tuple):
        raise ConditionError(f"only an array or a string can be sliced, not {described(container)}")
    length = len(container)
    start = 0 if low is None else _bound(low, length)
    end = length if high is None else _bound(high, length)
    return container[max(0, min(start, end)) : max(0, end)]


def _bound(value: Any, length: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConditionError(f"a slice needs integers, not {described(value)}")
    return min(value + length if value < 0 else value, length)


def go_float(value: float) -> str:
    """Format a float as Go's ``%v`` and Prometheus do: shortest digits, exponent below -4 or from 21 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    sign, digits, exponent = _shortest(value)
    if exponent < -4 or exponent >= 21:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _shortest(value: float) -> tuple[str, str, int]:
    mantissa, _, shift = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    power_of_ten = len(whole) - 1 - leading + (int(shift) if shift else 0)
    return ("-" if value < 0 else "", digits.rstrip("0") or "0", power_of_ten)


def go_text(value: Any) -> str:
    """Format a value as Go's ``%v`` does."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return go_float(value)
    if is_array(value):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    return str(value)
