"""What a template may say under ``provider.plugin["rollouts.dev/slo"]``. Unknown fields are errors."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from analysis.providers.canary.config import Hash, Label, Period, Policy, PolicyField, Seconds, Strict
from analysis.providers.errors import ConfigurationError
from analysis.providers.plugin_config import CONDITIONS, read_plugin
from analysis.slo.canary import DEFAULT_PAIRS, MIN_BAD, MIN_REQUESTS, CanaryPair
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.periods import parse_period
from analysis.slo.validation import read_objective
from analysis.spec.errors import SpecError
from analysis.spec.objects import Metric
from analysis.spec.providers import Authentication, Header

NAME = "rollouts.dev/slo"
PATH = f'provider.plugin["{NAME}"]'


def _flag(value: Any) -> Any:
    """Read a flag that came through an argument: text, "" meaning no."""
    return {"": False, "false": False, "true": True}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]


class Pair(Strict):
    """Two windows (``5m``, ``1m``) and the burn rate that is too fast when both are above it."""

    long: str
    short: str
    factor: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if parse_period(self.short) >= parse_period(self.long):
            raise ValueError(f"short ({self.short}) must be shorter than long ({self.long})")
        return self


class Burn(Strict):
    """Judge the canary alone.

    ``canary`` is its pod-template hash; series show it in ``hashLabel``, or else in the name of the pod, in
    ``podLabel``. ``spendCap`` is the share of the period's budget that it may cost since the run began,
    beyond what ``stable`` pods would have failed.
    """

    canary: Hash
    stable: Hash | None = None
    hash_label: Label | None = None
    pod_label: Label = "pod"
    pairs: tuple[Pair, ...] = ()
    min_requests: float = Field(MIN_REQUESTS, ge=0)
    min_bad: float = Field(MIN_BAD, ge=0)
    spend_cap: float | None = Field(None, gt=0, le=1)

    def canary_pairs(self) -> tuple[CanaryPair, ...]:
        """Return the pairs to judge by."""
        return tuple(CanaryPair(p.long, p.short, p.factor) for p in self.pairs) or DEFAULT_PAIRS

    def matcher(self, version: str) -> str:
        """Return the PromQL matcher of one version."""
        if self.hash_label:
            return f'{self.hash_label}="{version}"'
        return f'{self.pod_label}=~".+-{version}-[a-z0-9]+"'


class OverrideText(Strict):
    """A person's word; both texts empty mean that there is none."""

    reason: str = ""
    until: str = ""


class Gate(Strict):
    """Ask whether a rollout may start.

    ``remaining`` is a query for the share of the budget that is left, such as a recorded series; without it
    the whole period is asked for. ``onBlocked`` says what follows when the budget stays blocked.
    """

    remaining: str = ""
    guarded_below: float = Field(0.25, ge=0, le=1)
    blocked_below: float = Field(0.10, ge=0, le=1)
    block_on_page_burn: bool = True
    on_blocked: PolicyField = Policy()
    rollback: Flag = False
    override: OverrideText = OverrideText()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.blocked_below > self.guarded_below:
            raise ValueError("blockedBelow must not be above guardedBelow")
        return self


class SloConfig(Strict):
    """The whole configuration: the objective, and one of ``burn`` and ``gate``."""

    address: str = ""
    headers: tuple[Header, ...] = ()
    authentication: Authentication | None = None
    insecure: bool = False
    timeout: Period = 30.0
    lag: Seconds = 30.0
    slo: dict[str, Any]
    burn: Burn | None = None
    gate: Gate | None = None
    on_no_data: PolicyField = Policy()
    on_error: PolicyField = Policy()

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.burn is None) == (self.gate is None):
            raise ValueError("needs either burn or gate")
        return self

    def objective(self) -> ServiceLevelObjectiveSpec:
        """Return the objective. Raises SpecError with the path."""
        return _objective(self.slo, f"{PATH}.slo")


def objective_problem(metric: Metric, path: str) -> SpecError | None:
    """Return what is wrong with a metric's objective before any run; None also when it has arguments.

    ``path`` is that of the metric.
    """
    written = (metric.provider.plugin or {}).get(NAME)
    slo = written.get("slo") if isinstance(written, dict) else None
    if not isinstance(slo, dict) or "{{args." in str(slo).replace(" ", ""):
        return None
    try:
        _objective(slo, f"{path}.{PATH}.slo")
    except SpecError as error:
        return error
    return None


def _objective(written: dict[str, Any], path: str) -> ServiceLevelObjectiveSpec:
    spec = read_objective(written, path)
    for name, value, here in (("prometheus", spec.prometheus, "address"), ("gate", spec.gate, "gate")):
        if value is not None:
            message = f"belongs to the object ServiceLevelObjective; a metric says it beside slo, with {here}"
            raise SpecError(f"{path}.{name}", message)
    return spec


def read_config(metric: Metric) -> SloConfig:
    """Return a metric's configuration. Raises ConfigurationError that names the field."""
    config = read_plugin(
        metric,
        NAME,
        SloConfig,
        holds="the objective and burn or gate",
        refused=CONDITIONS,
        because="it decides by itself; remove it",
    )
    try:
        config.objective()
    except SpecError as error:
        raise ConfigurationError(str(error)) from error
    return config
