"""Label selectors: what is wrong with one, and what it selects. Pure.

A selector is the JSON form, ``{"matchLabels": …, "matchExpressions": …}``. The rules are those of
``metav1.LabelSelector``: all parts must hold, and an empty selector holds for everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


class SelectorError(ValueError):
    """A selector that cannot be read. The text names the part."""


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether the selector holds for these labels.

    Raises:
        SelectorError: an unknown operator, or values where there must be some (or none).
    """
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(rule, labels) for rule in selector.get("matchExpressions") or ())


def is_empty(selector: Mapping[str, Any]) -> bool:
    """Tell whether the selector has no rule and so selects everything."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = rule.get("key"), rule.get("operator"), rule.get("values") or ()
    if operator not in OPERATORS:
        raise SelectorError(f'operator "{operator}" of key "{key}" is unknown; wanted {", ".join(OPERATORS)}')
    if bool(values) != (operator in ("In", "NotIn")):
        wanted = "no values" if values else "at least one value"
        raise SelectorError(f'operator "{operator}" of key "{key}" wants {wanted}')
    match operator:
        case "In":
            return labels.get(str(key)) in values
        case "NotIn":
            return labels.get(str(key)) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
