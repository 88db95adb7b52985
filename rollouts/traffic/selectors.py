"""What is wrong with a label selector in a router's configuration; matching is `rollouts.api.selectors`."""

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
