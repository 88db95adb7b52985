"""Aggregation operators: https://prometheus.io/docs/prometheus/latest/querying/operators/#aggregation-operators"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from rollouts.embedded.metrics.promql.vectors import (
    Element,
    drop,
    keep,
    largest,
    mean,
    quantile,
    smallest,
    total,
    variance,
)
from rollouts.embedded.metrics.samples import NAME, Labels

SIMPLE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": total,
    "avg": mean,
    "min": smallest,
    "max": largest,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
    "stdvar": variance,
    "stddev": lambda values: math.sqrt(variance(values)),
}
WITH_NUMBER = frozenset({"quantile", "topk", "bottomk"})


def group_labels(labels: Labels, names: Sequence[str], *, without: bool) -> Labels:
    """Return the labels of the group that a series falls into."""
    return drop(labels, (*names, NAME)) if without else keep(labels, names)


def aggregate(
    operator: str, parameter: float, vector: Sequence[Element], names: Sequence[str], *, without: bool
) -> list[Element]:
    """Aggregate a vector by or without the named labels; groups in order of their labels."""
    groups: dict[Labels, list[Element]] = {}
    for element in vector:
        groups.setdefault(group_labels(element.labels, names, without=without), []).append(element)
    if operator in ("topk", "bottomk"):
        return [e for _, group in sorted(groups.items()) for e in _ranked(operator, parameter, group)]
    return [
        Element(labels, _reduce(operator, parameter, [e.value for e in group]))
        for labels, group in sorted(groups.items())
    ]


def _reduce(operator: str, parameter: float, values: Sequence[float]) -> float:
    return quantile(parameter, values) if operator == "quantile" else SIMPLE[operator](values)


def _ranked(operator: str, parameter: float, group: Sequence[Element]) -> list[Element]:
    if math.isnan(parameter) or parameter < 1:
        return []
    sign = -1.0 if operator == "topk" else 1.0
    ordered = sorted(
        group, key=lambda e: (math.isnan(e.value), sign * e.value if e.value == e.value else 0.0)
    )
    return ordered[: int(parameter)]
