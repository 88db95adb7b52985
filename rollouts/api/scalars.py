"""Scalars of the Kubernetes API: durations, int-or-percent, quantities. Pure.

The forms are those of Go, because objects are written and compared by Go programs too.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_MAX_INT64 = 2**63 - 1
_MICROSECONDS = {"us": 1, "µs": 1, "μs": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}
_DURATION = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_PERCENT = re.compile(r"([+-]?\d+)%", re.ASCII)
_DURATION_WANTED = 'wanted whole seconds (90) or a Go duration ("1h30m", "1.5s")'


class ScalarError(ValueError):
    """A scalar that cannot be read. The text says what was seen and what was wanted."""


def parse_duration(value: str | int) -> timedelta:
    """Return the duration that ``value`` stands for.

    An integer or a string of digits counts seconds (as in ``pause.duration``); any other string is a Go
    duration: signed decimal numbers, each with a unit of ns, us, ms, s, m or h. Parts of a microsecond
    are cut.

    Raises:
        ScalarError: not a duration, or longer than Go can hold (about 292 years).
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ScalarError(f"{value!r} is not a duration: {_DURATION_WANTED}")
    if isinstance(value, int) or _INTEGER.fullmatch(value):
        return _bounded(int(value) * 10**6, value)
    sign, body = (-1, value[1:]) if value.startswith("-") else (1, value.removeprefix("+"))
    if body == "0":
        return timedelta()
    return _bounded(sign * _go_microseconds(body, value), value)


def _go_microseconds(body: str, seen: str) -> int:
    nanoseconds, position = 0, 0
    while part := _DURATION.match(body, position):
        whole, fraction, unit = part.group(1), part.group(2) or "", part.group(3)
        if not whole and not fraction:
            break
        scale = 1 if unit == "ns" else _MICROSECONDS[unit] * 1000
        nanoseconds += int(whole or "0") * scale + int(fraction or "0") * scale // 10 ** len(fraction)
        position = part.end()
    if position == 0 or position != len(body):
        raise ScalarError(f'"{seen}" is not a duration: {_DURATION_WANTED}')
    return nanoseconds // 1000


def _bounded(microseconds: int, seen: str | int) -> timedelta:
    if abs(microseconds) * 1000 > _MAX_INT64:
        raise ScalarError(f'"{seen}" is too long a duration: wanted at most 2562047h (292 years)')
    return timedelta(microseconds=microseconds)


def format_duration(duration: timedelta) -> str:
    """Return ``duration`` as Go's ``time.Duration.String`` does: ``1h30m0s``, ``1.5s``, ``100ms``, ``0s``."""
    total = duration // timedelta(microseconds=1)
    if total == 0:
        return "0s"
    sign, total = ("-", -total) if total < 0 else ("", total)
    if total < 1000:
        return f"{sign}{total}µs"
    if total < 10**6:
        return f"{sign}{_decimal(total, 3)}ms"
    minutes, rest = divmod(total, 60 * 10**6)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{head}{_decimal(rest, 6)}s"


def _decimal(value: int, places: int) -> str:
    whole, fraction = divmod(value, 10**places)
    tail = f"{fraction:0{places}d}".rstrip("0")
    return f"{whole}.{tail}" if tail else str(whole)


def int_or_percent(value: int | str, total: int, *, round_up: bool) -> int:
    """Return ``value`` as a count: an integer as it is, a percentage as its share of ``total``.

    The rule is that of Kubernetes' ``intstr.GetScaledValueFromIntOrPercent``: ``round_up`` as for maxSurge,
    otherwise down as for maxUnavailable.

    Raises:
        ScalarError: a string without a percent sign.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ScalarError(f'{value!r} is neither an integer nor a percentage: wanted 3 or "25%"')
    share = int(match.group(1)) * total
    return -(-share // 100) if round_up else share // 100


_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<whole>\d+)(?:\.(?P<part>\d*))?|\.(?P<only>\d+))"
    r"(?P<suffix>[numkMGTPE]?|[KMGTPE]i|[eE][+-]?\d+)",
    re.ASCII,
)
_DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_BY_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL_SUFFIXES.items()}
_BINARY_SUFFIXES = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_NANO = -9
_MAX_EXPONENT = 1000
_FAST_DIGITS = 18


def canonical_quantity(value: str | int | float) -> str:
    """Return a resource quantity the way the API server writes it back (Go's ``resource.Quantity``).

    ``1000m`` becomes ``1``, ``1024Ki`` ``1Mi``, ``0.5`` ``500m``; the family of the suffix (1000, 1024 or
    exponent) is kept. Less than a nano is rounded away from zero. Text that Go takes for canonical already
    (``1.500``) is returned as it is, as Go does; hashes of pod templates depend on it.

    Raises:
        ScalarError: not a quantity.
    """
    text = value if isinstance(value, str) else _json_number(value)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ScalarError(
            f'{value!r} is not a quantity: wanted a number with a suffix, such as "500m" or "1Gi"'
        )
    whole = (match["whole"] or "").lstrip("0") or "0"
    part = match["part"] or match["only"] or ""
    suffix = match["suffix"]
    if suffix in _BINARY_SUFFIXES[1:]:
        return _binary(text, match["sign"], whole, part, _BINARY_SUFFIXES.index(suffix))
    scientific = suffix not in _DECIMAL_SUFFIXES
    exponent = int(suffix[1:]) if scientific else _DECIMAL_SUFFIXES[suffix]
    if abs(exponent) > _MAX_EXPONENT:
        raise ScalarError(f"{value!r} is not a quantity: the exponent is beyond {_MAX_EXPONENT}")
    if _reused_decimal(whole + part, exponent - len(part)):
        return text
    amount = int(whole + part) * (-1 if match["sign"] == "-" else 1)
    return _decimal_form(amount, exponent - len(part), scientific=scientific)


def _json_number(value: float) -> str:
    if isinstance(value, bool):
        raise ScalarError(f"{value!r} is not a quantity: wanted a number with a suffix")
    if isinstance(value, int):
        return str(value)
    if value in (float("inf"), float("-inf")) or value != value:
        raise ScalarError(f"{value!r} is not a quantity: wanted a finite number")
    if value == int(value):
        return str(int(value))
    return f"{Decimal(repr(value)):f}"


def _reused_decimal(digits: str, scale: int) -> bool:
    """Tell whether Go keeps the text: a short number on a named suffix without a factor of 1000."""
    short = len(digits) <= _FAST_DIGITS and scale >= _NANO
    return short and scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"


def _decimal_form(amount: int, scale: int, *, scientific: bool) -> str:
    if amount == 0:
        return "0"
    if scale < _NANO:
        amount, scale = _round_away(amount, 10 ** (_NANO - scale)), _NANO
    while amount % 10 == 0:
        amount, scale = amount // 10, scale + 1
    amount, scale = amount * 10 ** (scale % 3), scale - scale % 3
    if scientific or scale not in _DECIMAL_BY_EXPONENT:
        return f"{amount}e{scale}" if scale else str(amount)
    return f"{amount}{_DECIMAL_BY_EXPONENT[scale]}"


def _binary(text: str, sign: str, whole: str, part: str, power: int) -> str:
    fast = not part and 14 - len(whole) - power * 3 >= 0
    if fast and int(whole) % 8:
        return text
    factor = -1 if sign == "-" else 1
    amount, places = int(whole + part) * 1024**power, len(part)
    if amount > _MAX_INT64 * 10**places:
        amount, places = _MAX_INT64, 0
    units, rest = divmod(amount, 10**places)
    if rest or units < 1024:
        return _decimal_form(factor * amount, -places, scientific=False)
    power = 0
    while units % 1024 == 0:
        units, power = units // 1024, power + 1
    return f"{factor * units}{_BINARY_SUFFIXES[power]}"


def _round_away(amount: int, step: int) -> int:
    return amount // step if amount < 0 else -(-amount // step)
