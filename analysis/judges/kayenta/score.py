"""From labels of metrics to one score and a verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from analysis.judges.kayenta.classify import Classified, Label

_COUNTED = (Label.PASS, Label.HIGH, Label.LOW, Label.NODATA_FAIL)
MOST_WITHOUT_DATA = 0.5
"""Share of metrics without data from which the score is 0."""


class Verdict(StrEnum):
    """The classification of a score."""

    PASS = "Pass"  # noqa: S105 - not a password
    MARGINAL = "Marginal"
    FAIL = "Fail"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which a judgement passes, and from which it is marginal."""

    passing: float
    marginal: float

    def verdict(self, score: float) -> Verdict:
        """Return the verdict of a score."""
        if score >= self.passing:
            return Verdict.PASS
        return Verdict.MARGINAL if score >= self.marginal else Verdict.FAIL


@dataclass(frozen=True, slots=True)
class Scored:
    """The summary score 0…100, that of each group, and why it is 0 when something made it so."""

    score: float
    groups: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


def score(metrics: Sequence[Classified], weights: Mapping[str, float]) -> Scored:
    """Return the weighted score of a judgement.

    Groups without a weight share what the others leave of 100. A metric without data does not count in its
    group; a group in which nothing counts has 100.
    """
    judged = [metric for metric in metrics if not metric.terms.muted]
    groups = _group_scores(judged)
    failed = sorted(metric.terms.name for metric in judged if metric.critical_failure)
    if failed:
        return Scored(0.0, groups, f"critical: {', '.join(failed)}")
    empty = sum(metric.label is Label.NODATA for metric in judged)
    if not judged or empty / len(judged) >= MOST_WITHOUT_DATA:
        return Scored(0.0, groups, f"{empty} of {len(judged)} metrics have no data")
    unweighted = [name for name in groups if name not in weights]
    rest = (100.0 - sum(weights.values())) / len(unweighted) if unweighted else 0.0
    total = sum(value * weights.get(name, rest) / 100.0 for name, value in groups.items())
    return Scored(round(total, 2), groups)


def _group_scores(metrics: Sequence[Classified]) -> dict[str, float]:
    labels: dict[str, list[Label]] = defaultdict(list)
    for metric in metrics:
        for group in metric.terms.groups:
            labels[group].append(metric.label)
    return {name: _group_score(own) for name, own in sorted(labels.items())}


def _group_score(labels: Sequence[Label]) -> float:
    counted = [label for label in labels if label in _COUNTED]
    return 100.0 * counted.count(Label.PASS) / len(counted) if counted else 100.0
