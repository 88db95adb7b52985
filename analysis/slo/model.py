"""A service level objective as we write it: what is promised, over which period, measured how.

Numbers are shares of 1, as in the judge's configuration: an objective of 99.9 % is ``0.999``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from analysis.spec.base import NoneAsEmpty, SpecModel
from analysis.spec.providers import Header

API_VERSION = "rollouts.dev/v1alpha1"
KIND = "ServiceLevelObjective"
DEFAULT_WINDOW = "30d"
PAGE = "page"
TICKET = "ticket"


class RatioIndicator(SpecModel):
    """Events, and which of them are bad. Give ``total`` and either ``bad`` or ``good``.

    Each is a counter's selector such as ``http_requests_total{job="shop"}``, or a whole PromQL query with
    ``{{window}}`` where its range belongs. ``{{selector}}`` marks where a version's matcher belongs; without
    it the matcher goes into every selector that has the range.
    """

    total: str = ""
    bad: str = ""
    good: str = ""


class LatencyIndicator(SpecModel):
    """Requests slower than ``threshold`` (such as ``300ms``) are bad.

    Give ``buckets``, the selector of a classic histogram's ``…_bucket`` without ``le`` (the threshold must be
    one of its edges), or ``native``, the selector of a native histogram.
    """

    buckets: str = ""
    native: str = ""
    threshold: str = ""


class Indicator(SpecModel):
    """What is measured. Exactly one is set.

    ``errorRatio`` is a query with ``{{window}}`` that gives the share of bad events by itself; it holds no
    counts, so nobody can tell from it whether there were enough requests.
    """

    ratio: RatioIndicator | None = None
    latency: LatencyIndicator | None = None
    error_ratio: str = ""


class AlertWindow(SpecModel):
    """An alert when ``budgetShare`` of the budget is burnt within ``long``, and still burns in ``short``.

    ``severity`` is ``page`` or ``ticket``.
    """

    severity: str = ""
    budget_share: float = 0.0
    long: str = ""
    short: str = ""


class SeverityAlert(SpecModel):
    """What alerts of one severity carry."""

    disabled: bool = False
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Alerting(SpecModel):
    """The alerting rules. Without ``windows`` the usual four: 1h, 6h page; 1d, 3d ticket."""

    name: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    page: SeverityAlert = Field(default_factory=SeverityAlert)
    ticket: SeverityAlert = Field(default_factory=SeverityAlert)
    windows: Annotated[tuple[AlertWindow, ...], NoneAsEmpty] = ()
    absent: bool = True
    """Whether a ticket is raised when the metric is not there at all."""


START, HOLD = "start", "hold"


class OnNoData(SpecModel):
    """While the budget is not known a rollout waits ``after``; then it starts with a warning, or is held.

    ``action`` is ``start`` or ``hold``.
    """

    action: str = START
    after: str = "5m"


class GateSpec(SpecModel):
    """When the error budget lets a rollout start.

    It waits while less than ``blockedBelow`` of the budget is left, or the service burns at page level; below
    ``guardedBelow`` it starts with a warning. ``remaining`` is a query for the share that is left, such as a
    recorded series; without it the whole period is asked for.
    """

    remaining: str = ""
    guarded_below: float = 0.25
    blocked_below: float = 0.10
    block_on_page_burn: bool = True
    on_no_data: OnNoData = Field(default_factory=OnNoData)


class PrometheusSource(SpecModel):
    """Which Prometheus is asked for the budget; without an address the controller's own default.

    ``timeout`` is in seconds. Certificates and tokens are the operator's: see the file of connections.
    """

    address: str = ""
    headers: Annotated[tuple[Header, ...], NoneAsEmpty] = ()
    insecure: bool = False
    timeout: int = 10


class ServiceLevelObjectiveSpec(SpecModel):
    """What a service promises.

    ``objective`` is the share of good events (0.999 for 99.9 %) over the rolling ``window`` (default 30d).
    """

    service: str = ""
    description: str = ""
    objective: float
    window: str = DEFAULT_WINDOW
    indicator: Indicator
    labels: dict[str, str] = {}
    """Labels that every recorded series and alert gets."""
    alerting: Alerting = Field(default_factory=Alerting)
    prometheus: PrometheusSource | None = None
    gate: GateSpec | None = None
