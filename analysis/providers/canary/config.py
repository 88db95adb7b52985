"""What a template may say under ``provider.plugin["rollouts.dev/canary"]``. Unknown fields are errors."""

from __future__ import annotations

import hashlib
import json
import math
import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from analysis.counts.arms import Versions
from analysis.counts.native import EDGES
from analysis.counts.presets import PRESETS, Preset
from analysis.judges.ledger import LAST_ATTEMPT
from analysis.judges.objective import Objective
from analysis.judges.profiles import Profile
from analysis.providers.plugin_config import OWN_PACE, read_plugin
from analysis.spec.base import SpecModel
from analysis.spec.duration import parse_duration
from analysis.spec.objects import Metric
from analysis.spec.patterns import PatternError, compile_pattern
from analysis.spec.providers import CANARY_JUDGE, Authentication, Header

NAME = CANARY_JUDGE
MOST_EDGES = 10


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    return parse_duration(str(value)).total_seconds()


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("must be longer than zero")
    return value


def _hash(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{1,63}", value):
        raise ValueError(
            f"{value[:70]!r} is not a pod-template hash; give it by an argument with"
            " valueFrom.podTemplateHashValue: Latest (canary) or Stable"
        )
    return value


def _label(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", value):
        raise ValueError(f"{value[:70]!r} is not a label name")
    return value


def _pattern(value: str) -> str:
    try:
        compile_pattern(value)
    except PatternError as error:
        raise ValueError(f"{value[:70]!r} is not a regular expression: {error}") from None
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A Go duration (``15s``) as seconds."""
Period = Annotated[Seconds, AfterValidator(_positive)]
Hash = Annotated[str, AfterValidator(_hash)]
Label = Annotated[str, AfterValidator(_label)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Query = Annotated[str, Field(min_length=1)]


class Strict(SpecModel):
    """Refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid")


class Errors(Strict):
    """Counters of all requests, and which of them are bad: by labels of the same series, or by a query.

    ``bad_labels`` maps a label to a regular expression that its whole value matches, such as ``code: 5..``;
    one matching label is enough.
    """

    total: Query
    bad: str = ""
    bad_labels: dict[str, Pattern] = {}  # noqa: RUF012 - pydantic copies defaults

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.bad) == bool(self.bad_labels):
            raise ValueError("needs either bad (a query) or badLabels (such as code: 5..), and not both")
        return self


class Latency(Strict):
    """Classic histogram buckets, or a native histogram.

    ``edges`` in seconds are those to judge at. Default: all classic ones, and powers of two between which
    requests of a native one lie; ten at most.
    """

    buckets: Query
    edges: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _few_and_ascending(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)) or len(self.edges) > MOST_EDGES:
            raise ValueError(f"edges must be ascending, different, and at most {MOST_EDGES}")
        if any(not 0 < edge < math.inf for edge in self.edges):
            raise ValueError("edges must be finite and above 0")
        return self


def _service(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9@/._-]{1,253}", value):
        raise ValueError(f"{value[:70]!r} is not a service's name as the gateway's counters show it")
    return value


Service = Annotated[str, AfterValidator(_service)]


class Services(Strict):
    """What a gateway's counters call the two versions, in ``label``."""

    stable: Service
    canary: Service
    label: Label

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.stable == self.canary:
            raise ValueError(f"stable and canary are both {self.stable!r}: there is nothing to compare")
        return self


class Slo(Strict):
    """The objective for canary requests. ``edge`` says which latency edge it is about.

    ``strict`` fails a canary that is worse than stable although it keeps the objective.
    """

    objective: float = Field(gt=0, lt=1)
    burn_rate: float = Field(1.0, gt=0)
    edge: float | None = None
    strict: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if Objective(self.objective, self.burn_rate).allowed >= 1:
            raise ValueError("burnRate times the error budget is 1 or more: nothing could ever be over")
        return self


class Action(StrEnum):
    """What follows when a problem lasts."""

    HOLD = "hold"
    FAIL = "fail"
    PASS = "pass"  # noqa: S105 - not a password
    PAUSE = "pause"


class Policy(Strict):
    """Hold while a problem lasts, and do ``action`` once it has lasted for ``after``."""

    action: Action = Action.HOLD
    after: Seconds = 120.0


def _policy(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


PolicyField = Annotated[Policy, BeforeValidator(_policy)]


class CanaryConfig(Strict):
    """The whole configuration. Durations are Go durations; numbers may come as text from arguments.

    ``stable`` and ``canary`` are pod-template hashes. Series show them in ``hash_label``, or in the pod's
    name. A ``preset`` is the counters of a mesh or gateway; those that count per Service need ``services``,
    and their "pods" are the gateway's. ``weight`` is in percent. ``attempt`` counts the tries of one
    revision; without it, whoever asks says which one it is.
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
    preset: str = ""
    services: Services | None = None
    errors: Errors | None = None
    latency: Latency | None = None
    slo: Slo | None = None
    profile: Profile | None = None
    main_metric: bool = True
    cold_start: bool = False
    sticky: bool = False
    tick: Period = 15.0
    lag: Seconds = 30.0
    duration: Period | None = None
    hold_timeout: Period = 600.0
    min_requests: int = Field(50, ge=0)
    early_promotion: bool = False
    attempt: int | None = Field(None, ge=1, le=LAST_ATTEMPT)
    weight: float | None = Field(None, gt=0, lt=100)
    spend_cap: float | None = Field(None, gt=0)
    series_cap: int = Field(5_000, ge=1, le=50_000)
    on_no_data: PolicyField = Policy()
    on_error: PolicyField = Policy()

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        """Put a preset's queries under what the template says."""
        if not isinstance(data, dict) or not data.get("preset"):
            return data
        preset = PRESETS.get(str(data["preset"]))
        if preset is None:
            raise ValueError(
                f"preset {data['preset']!r} is not known; known are {', '.join(sorted(PRESETS))}"
            )
        return _filled(data, preset)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        preset = PRESETS.get(self.preset)
        if preset is not None and preset.service_label and self.services is None:
            raise ValueError(
                f"preset {self.preset} counts per Service: say what its label {preset.service_label} calls"
                " both versions, in services.stable and services.canary"
            )
        if (self.errors is None) == (self.latency is None):
            raise ValueError("needs either errors or latency; judge both with two metrics")
        if self.stable == self.canary:
            raise ValueError(f"stable and canary are both {self.stable!r}: there is nothing to compare")
        if self.latency is None and self.slo is not None and self.slo.edge is not None:
            raise ValueError("slo.edge belongs to latency, not to errors")
        if self.latency is not None and self.slo is not None and self.slo.edge is None:
            raise ValueError("slo.edge must say which latency edge the objective is about")
        named = self.latency.edges if self.latency is not None else ()
        if named and self.slo is not None and self.slo.edge not in named:
            raise ValueError(f"slo.edge {self.slo.edge} is not one of latency.edges")
        return self

    @property
    def versions(self) -> Versions:
        """Return the two versions and where series show them."""
        if self.services is not None:
            named = self.services
            return Versions(named.stable, named.canary, self.pod_label, named.label)
        return Versions(self.stable, self.canary, self.pod_label, self.hash_label or "")

    @property
    def objective(self) -> Objective | None:
        """Return the objective, if one is declared."""
        return Objective(self.slo.objective, self.slo.burn_rate) if self.slo is not None else None

    def queries(self) -> tuple[str, ...]:
        """Return the queries with the versions filled in."""
        if self.latency is not None:
            written = [self.latency.buckets]
        else:
            assert self.errors is not None  # noqa: S101 - one of both is there
            written = [self.errors.total, *filter(None, [self.errors.bad])]
        return tuple(self.versions.put_into(query) for query in written)

    def native_edges(self) -> tuple[float, ...]:
        """Return the edges at which native histograms are read; () where counters are wanted."""
        if self.latency is None:
            return ()
        own = {self.slo.edge} if self.slo is not None and self.slo.edge is not None else set()
        return self.latency.edges or tuple(sorted({*EDGES, *own}))

    def digest(self) -> str:
        """Return what identifies the question: a judge's history is of no use for another one."""
        asked = [self.queries(), self.stable, self.canary, self.tick, self.pod_label, self.hash_label or ""]
        labels = self.errors.bad_labels if self.errors is not None else {}
        edges = self.latency.edges if self.latency is not None else ()
        text = json.dumps([*asked, labels, edges], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _filled(data: dict[str, Any], preset: Preset) -> dict[str, Any]:
    filled: dict[str, Any] = {"podLabel": preset.pod_label, **data}
    if data.get("latency") is not None:
        filled["latency"] = {"buckets": preset.buckets, **data["latency"]}
    else:
        own = data.get("errors") or {}
        bad = {} if own.get("bad") else {"badLabels": dict(preset.bad_labels)}
        filled["errors"] = {"total": preset.total, **bad, **own}
    if preset.service_label and isinstance(data.get("services"), dict):
        filled["services"] = {"label": preset.service_label, **data["services"]}
    return filled


def read_config(metric: Metric) -> CanaryConfig:
    """Return a metric's configuration. Raises ConfigurationError that names the field."""
    return read_plugin(
        metric,
        NAME,
        CanaryConfig,
        holds="the configuration of the judge",
        refused=OWN_PACE,
        because="it looks at every tick by itself and decides by itself; remove it, and say how long to look"
        " with duration",
    )
