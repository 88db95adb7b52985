"""The text form of a label selector that autoscalers and people read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def format_selector(selector: Mapping[str, Any]) -> str:
    """Return ``a=b,c in (d,e)``, sorted by key, as Kubernetes formats a LabelSelector."""
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or ():
        key, operator = str(rule.get("key", "")), rule.get("operator")
        values = ",".join(sorted(rule.get("values") or ()))
        text = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }.get(str(operator), "")
        if text:
            parts.append((key, text))
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0]))
