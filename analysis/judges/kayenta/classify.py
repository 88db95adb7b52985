"""One metric of two samples: is the experiment higher than the control, lower, or neither?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from analysis.judges.kayenta.ranks import Shift, rank_sum, shift_between
from analysis.judges.kayenta.samples import (
    OUTLIER_FACTOR,
    NanStrategy,
    OutlierStrategy,
    without_gaps,
    without_outliers,
)

CONFIDENCE = 0.98
TOLERANCE = 0.25
"""A shift counts when its interval stays farther from zero than this share of the shift."""


class Label(StrEnum):
    """The classification of a metric. ``NODATA_FAIL`` is no data where data is demanded."""

    PASS = "Pass"  # noqa: S105 - not a password
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"
    NODATA_FAIL = "NodataFailMetric"


class Direction(StrEnum):
    """The direction in which a difference is bad."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EITHER = "either"


class Measure(StrEnum):
    """How large a difference is: ratio of means, or the chance that an experiment's value is the larger."""

    MEAN_RATIO = "meanRatio"
    CLES = "cles"

    @property
    def neutral(self) -> float:
        """Return its value for equal samples."""
        return 1.0 if self is Measure.MEAN_RATIO else 0.5


@dataclass(frozen=True, slots=True)
class EffectSize:
    """Sizes from which a difference counts, and from which it is critical; None is any size."""

    measure: Measure = Measure.MEAN_RATIO
    allowed_increase: float | None = None
    allowed_decrease: float | None = None
    critical_increase: float | None = None
    critical_decrease: float | None = None

    def reached(self, label: Label, size: float, *, critical: bool) -> bool:
        """Tell whether a size reaches its limit; one that cannot be told reaches every limit."""
        if label is Label.HIGH:
            limit = self.critical_increase if critical else self.allowed_increase
            return math.isnan(size) or size >= (self.measure.neutral if limit is None else limit)
        limit = self.critical_decrease if critical else self.allowed_decrease
        return math.isnan(size) or size <= (self.measure.neutral if limit is None else limit)


@dataclass(frozen=True, slots=True)
class MetricTerms:
    """How one metric is judged. A ``critical`` one that fails makes the score 0; a ``muted`` one is shown."""

    name: str
    groups: tuple[str, ...] = ()
    direction: Direction = Direction.EITHER
    nan: NanStrategy = NanStrategy.REMOVE
    outliers: OutlierStrategy = OutlierStrategy.KEEP
    outlier_factor: float = OUTLIER_FACTOR
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False
    effect: EffectSize = field(default_factory=EffectSize)


@dataclass(frozen=True, slots=True)
class Classified:
    """A metric's label, and whether it alone makes the score 0. ``shift`` and ``size`` are the evidence."""

    terms: MetricTerms
    label: Label
    critical_failure: bool
    reason: str
    shift: Shift | None = None
    size: float | None = None


def classify(terms: MetricTerms, experiment: Sequence[float], control: Sequence[float]) -> Classified:
    """Return the label of a metric; values may hold NaN where there was a gap."""
    tried, known = (_prepared(terms, values) for values in (experiment, control))
    if not tried or not known:
        return _without_data(terms, "experiment" if not tried else "control")
    if sorted(tried) == sorted(known) or len({*tried, *known}) == 1:
        return Classified(terms, Label.PASS, False, "both samples are the same")
    shift = shift_between(tried, known, CONFIDENCE)
    size = _size(terms.effect.measure, tried, known)
    margin = TOLERANCE * abs(shift.estimate)
    label = Label.PASS
    if terms.direction is not Direction.DECREASE and shift.low > margin:
        label = Label.HIGH
    elif terms.direction is not Direction.INCREASE and shift.high < -margin:
        label = Label.LOW
    told = f"shift {shift.estimate:g} [{shift.low:g}, {shift.high:g}], {terms.effect.measure.value} {size:g}"
    if label is not Label.PASS and not terms.effect.reached(label, size, critical=False):
        return Classified(terms, Label.PASS, False, f"{label.value}, but not by enough: {told}", shift, size)
    failed = terms.critical and label is not Label.PASS and terms.effect.reached(label, size, critical=True)
    return Classified(terms, label, failed, told, shift, size)


def _prepared(terms: MetricTerms, values: Sequence[float]) -> tuple[float, ...]:
    kept = without_gaps(values, terms.nan)
    if terms.outliers is OutlierStrategy.REMOVE:
        return without_outliers(kept, terms.outlier_factor)
    return kept


def _without_data(terms: MetricTerms, side: str) -> Classified:
    """Return what no data means: nothing, a pass where gaps are zeros, a failure where data is demanded."""
    reason = f"the {side} has no data"
    if terms.nan is NanStrategy.REPLACE:
        return Classified(terms, Label.PASS, False, reason)
    if terms.must_have_data and not terms.critical:
        return Classified(terms, Label.NODATA_FAIL, False, f"{reason}, and mustHaveData is set")
    return Classified(terms, Label.NODATA, terms.critical, reason)


def _size(measure: Measure, experiment: Sequence[float], control: Sequence[float]) -> float:
    if measure is Measure.CLES:
        u, _ = rank_sum(experiment, control)
        return u / (len(experiment) * len(control))
    tried, known = (math.fsum(values) / len(values) for values in (experiment, control))
    return tried / known if tried and known else math.nan
