"""Label selectors (metav1.LabelSelector) on plain mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.traffic.router import TrafficError


def check_selector(selector: Mapping[str, Any], path: str) -> None:
    """Raise TrafficError when the selector is malformed, or empty: an empty one would take every route."""
    if not isinstance(selector, Mapping):
        raise TrafficError(f"{path}: must be a label selector")
    if not isinstance(selector.get("matchLabels") or {}, Mapping):
        raise TrafficError(f"{path}.matchLabels: must be a map of labels")
    for name in selector:
        if name not in ("matchLabels", "matchExpressions"):
            raise TrafficError(f"{path}.{name}: unknown field; use matchLabels or matchExpressions")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        operator = expression.get("operator")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise TrafficError(
                f"{path}.matchExpressions[{index}].operator: {operator!r} is unknown; "
                "use In, NotIn, Exists or DoesNotExist"
            )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether the selector matches the labels. An empty selector matches everything."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key"), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(str(key)) in values
        case "NotIn":
            return labels.get(str(key)) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
