"""What a template may say under ``provider.plugin["rollouts.dev/kayenta"]``. Unknown fields are errors."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from analysis.counts.arms import Arm, matcher_of
from analysis.judges.kayenta.classify import Direction, EffectSize, Measure, MetricTerms
from analysis.judges.kayenta.samples import OUTLIER_FACTOR, NanStrategy, OutlierStrategy
from analysis.judges.kayenta.score import Thresholds
from analysis.providers.canary.config import Hash, Label, Period, Seconds, Strict
from analysis.providers.plugin_config import OWN_PACE, read_plugin
from analysis.spec.objects import Metric
from analysis.spec.providers import Authentication, Header

NAME = "rollouts.dev/kayenta"
PATH = f'provider.plugin["{NAME}"]'
MOST_METRICS = 50
MOST_JUDGEMENTS = 100
MOST_POINTS = 11_000
"""Points of a series that a Prometheus gives at once."""
_PREFIX = "PromQL:"
_SELECTOR = re.compile(r"\{\{\s*selector\s*\}\}")
_SCOPE = re.compile(r"\$\{\s*scope\s*\}")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Effect(Strict):
    """Sizes from which a difference counts (``allowed``) and from which it is critical."""

    measure: Measure = Measure.MEAN_RATIO
    allowed_increase: float | None = Field(None, ge=0)
    allowed_decrease: float | None = Field(None, ge=0)
    critical_increase: float | None = Field(None, ge=0)
    critical_decrease: float | None = Field(None, ge=0)


class Outliers(Strict):
    """What becomes of values far outside the quartiles."""

    strategy: Annotated[OutlierStrategy, BeforeValidator(_lower)] = OutlierStrategy.KEEP
    outlier_factor: float = Field(OUTLIER_FACTOR, gt=0)


class Judged(Strict):
    """How one metric is judged."""

    direction: Annotated[Direction, BeforeValidator(_lower)] = Direction.EITHER
    nan_strategy: Annotated[NanStrategy, BeforeValidator(_lower)] = NanStrategy.REMOVE
    outliers: Outliers = Outliers()
    effect_size: Effect = Effect()
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False


class Configurations(Strict):
    """Kayenta's name for it."""

    canary: Judged = Judged()


class Query(Strict):
    """PromQL that gives one series. ``{{selector}}`` is the matcher of one version, ``${scope}`` its hash."""

    type: str = ""
    service_type: str = ""
    custom_inline_template: str = Field(min_length=1)

    @model_validator(mode="after")
    def _tells_versions_apart(self) -> Self:
        if not _SELECTOR.search(self.custom_inline_template) and not _SCOPE.search(
            self.custom_inline_template
        ):
            raise ValueError(
                "customInlineTemplate must hold {{selector}} or ${scope}: both versions would have the same"
                " values"
            )
        return self


class CanaryMetric(Strict):
    """One metric of the canary config."""

    name: str = Field(min_length=1)
    query: Query
    groups: tuple[str, ...] = ()
    analysis_configurations: Configurations = Configurations()
    scope_name: str = ""

    def terms(self) -> MetricTerms:
        """Return what the judge takes; a metric without a group is a group of its own."""
        canary, effect = self.analysis_configurations.canary, self.analysis_configurations.canary.effect_size
        return MetricTerms(
            self.name,
            self.groups or (self.name,),
            canary.direction,
            canary.nan_strategy,
            canary.outliers.strategy,
            canary.outliers.outlier_factor,
            canary.critical,
            canary.must_have_data,
            canary.muted,
            EffectSize(
                effect.measure,
                effect.allowed_increase,
                effect.allowed_decrease,
                effect.critical_increase,
                effect.critical_decrease,
            ),
        )


class Classifier(Strict):
    """Weights of groups, 100 at most in all."""

    group_weights: dict[str, float] = {}  # noqa: RUF012 - pydantic copies defaults

    @model_validator(mode="after")
    def _a_hundred(self) -> Self:
        if (
            any(weight < 0 for weight in self.group_weights.values())
            or sum(self.group_weights.values()) > 100
        ):
            raise ValueError("groupWeights must not be negative, and be 100 at most in all")
        return self


class Judge(Strict):
    """Which judge the config was written for."""

    name: str = "NetflixACAJudge-v1.0"
    judge_configurations: dict[str, Any] = {}  # noqa: RUF012

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.name != "NetflixACAJudge-v1.0":
            raise ValueError(f"judge {self.name!r} is not known here; NetflixACAJudge-v1.0 is")
        return self


class CanaryDocument(Strict):
    """A canary config, as Kayenta stores it; what is only for its storage is read and not used."""

    name: str = ""
    description: str = ""
    id: str = ""
    config_version: str = ""
    applications: tuple[str, ...] = ()
    created_timestamp: int | None = None
    created_timestamp_iso: str = ""
    updated_timestamp: int | None = None
    updated_timestamp_iso: str = ""
    judge: Judge = Judge()
    metrics: tuple[CanaryMetric, ...] = Field(min_length=1, max_length=MOST_METRICS)
    classifier: Classifier = Classifier()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [metric.name for metric in self.metrics]
        if len(set(names)) < len(names):
            raise ValueError("two metrics have the same name")
        groups = {group for metric in self.metrics for group in metric.terms().groups}
        unknown = sorted(set(self.classifier.group_weights) - groups)
        if unknown:
            raise ValueError(f"groupWeights names groups that no metric has: {', '.join(unknown)}")
        return self


class Threshold(Strict):
    """Scores from which a judgement passes, and below which it fails."""

    passing: float = Field(alias="pass", ge=0, le=100)
    marginal: float = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.marginal > self.passing:
            raise ValueError("marginal must not be above pass")
        return self


class KayentaJudgeConfig(Strict):
    """The whole configuration. Durations are Go durations.

    ``lifetime`` is how long values are collected, ``interval`` the time between judgements (one at the end
    without it). ``begin_after`` leaves out the first minutes; ``look_back`` makes the window slide.
    """

    address: str = ""
    headers: tuple[Header, ...] = ()
    authentication: Authentication | None = None
    insecure: bool = False
    timeout: Period = 30.0
    stable: Hash
    canary: Hash
    pod_label: Label = "pod"
    hash_label: Label | None = None
    canary_config: CanaryDocument
    threshold: Threshold
    lifetime: Period
    interval: Period | None = None
    begin_after: Seconds = 0.0
    look_back: Period | None = None
    step: Period = 60.0
    lag: Seconds = 30.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.stable == self.canary:
            raise ValueError(f"stable and canary are both {self.stable!r}: there is nothing to compare")
        if self.step > self.every:
            raise ValueError("step must not be longer than interval")
        if self.lifetime / self.every > MOST_JUDGEMENTS:
            raise ValueError(f"lifetime holds more than {MOST_JUDGEMENTS} intervals")
        if self.lifetime / self.step > MOST_POINTS:
            raise ValueError(f"lifetime holds more than {MOST_POINTS} steps; make step longer")
        return self

    @property
    def every(self) -> float:
        """Return the seconds between judgements."""
        return min(self.interval or self.lifetime, self.lifetime)

    @property
    def thresholds(self) -> Thresholds:
        """Return what the judge takes."""
        return Thresholds(self.threshold.passing, self.threshold.marginal)

    def query(self, metric: CanaryMetric, arm: Arm) -> str:
        """Return the query of one side."""
        version = self.canary if arm is Arm.CANARY else self.stable
        text = metric.query.custom_inline_template.removeprefix(_PREFIX).strip()
        matcher = matcher_of((version,), self.pod_label, self.hash_label or "")
        return _SCOPE.sub(lambda _: version, _SELECTOR.sub(lambda _: matcher, text))

    def queries(self) -> tuple[str, ...]:
        """Return all queries: of each metric the canary's and the stable version's."""
        both = (Arm.CANARY, Arm.STABLE)
        return tuple(self.query(metric, arm) for metric in self.canary_config.metrics for arm in both)


def read_config(metric: Metric) -> KayentaJudgeConfig:
    """Return a metric's configuration. Raises ConfigurationError that names the field."""
    return read_plugin(
        metric,
        NAME,
        KayentaJudgeConfig,
        holds="the configuration of the judge",
        refused=OWN_PACE,
        because="it judges at its own intervals and decides by itself; remove it, and say lifetime and"
        " interval in the plugin",
    )
