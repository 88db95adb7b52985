"""Recording and alerting rules of an objective, as Prometheus reads them.

Recorded per objective, with the labels ``slo``, ``slo_service`` and ``slo_namespace``:

- ``slo:sli_error:ratio_rate<window>``: the share of bad events, for every window that an alert looks at;
- ``slo:sli_error:ratio_rate<period>`` from ``slo:bad_events:rate5m`` and ``slo:total_events:rate5m``, so that
  every event weighs the same (an average of ratios would let a quiet night weigh as much as the peak);
- ``slo:objective:ratio``, ``slo:error_budget:ratio``, ``slo:current_burn_rate:ratio``,
  ``slo:period_burn_rate:ratio`` and ``slo:period_error_budget_remaining:ratio``.

The names are those that dashboards in the field look for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from analysis.slo.burn import BurnWindow, budget, windows_of
from analysis.slo.indicator import Measured, read_indicator
from analysis.slo.model import PAGE, TICKET, ServiceLevelObjectiveSpec
from analysis.slo.periods import format_period, parse_period

ERROR_RATIO = "slo:sli_error:ratio_rate"
REMAINING = "slo:period_error_budget_remaining:ratio"
CURRENT = timedelta(minutes=5)
DEFAULT_ALERT = "ErrorBudgetBurn"
ABSENT_FOR = "10m"


@dataclass(frozen=True, slots=True)
class Named:
    """An objective under its name."""

    name: str
    spec: ServiceLevelObjectiveSpec
    namespace: str = ""

    @property
    def identity(self) -> dict[str, str]:
        """Return the labels that tell its series from others."""
        labels = {"slo": self.name, "slo_service": self.spec.service, "slo_namespace": self.namespace}
        return {name: value for name, value in labels.items() if value}

    def series(self, metric: str) -> str:
        """Return the selector of one of its recorded series."""
        matchers = ",".join(f"{name}={_quoted(value)}" for name, value in self.identity.items())
        return f"{metric}{{{matchers}}}"


def rule_file(objectives: Sequence[Named]) -> dict[str, Any]:
    """Return the content of a Prometheus rule file. Raises SpecError with the path in the spec."""
    return {"groups": [group for objective in objectives for group in _groups(objective)]}


def prometheus_rule(objective: Named, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the rules as an object of the Prometheus operator (``PrometheusRule``). Raises SpecError."""
    metadata: dict[str, Any] = {"name": f"slo-{objective.name}"}
    if objective.namespace:
        metadata["namespace"] = objective.namespace
    if labels:
        metadata["labels"] = labels
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": rule_file([objective]),
    }


def _groups(objective: Named) -> Iterator[dict[str, Any]]:
    windows = windows_of(objective.spec)
    measured = read_indicator(objective.spec.indicator)
    name = f"{objective.namespace}-{objective.name}" if objective.namespace else objective.name
    yield {"name": f"slo-recordings-{name}", "rules": list(_recordings(objective, measured, windows))}
    yield {"name": f"slo-budget-{name}", "rules": list(_budget(objective, measured))}
    alerts = list(_alerts(objective, measured, windows))
    if alerts:
        yield {"name": f"slo-alerts-{name}", "rules": alerts}


def _recordings(
    objective: Named, measured: Measured, windows: Sequence[BurnWindow]
) -> Iterator[dict[str, Any]]:
    ranges = sorted({CURRENT, *(w.long for w in windows), *(w.short for w in windows)})
    period = parse_period(objective.spec.window)
    for window in (window for window in ranges if window < period):
        text = format_period(window)
        yield _record(objective, f"{ERROR_RATIO}{text}", measured.error_ratio(text))
    if measured.counts:
        text = format_period(CURRENT)
        yield _record(objective, "slo:bad_events:rate5m", measured.bad_rate(text))
        yield _record(objective, "slo:total_events:rate5m", measured.total_rate(text))


def _budget(objective: Named, measured: Measured) -> Iterator[dict[str, Any]]:
    spec, series = objective.spec, objective.series
    period = format_period(parse_period(spec.window))
    allowed = _decimal(budget(spec.objective))
    current = series(f"{ERROR_RATIO}{format_period(CURRENT)}")
    if measured.counts:
        bad, total = series("slo:bad_events:rate5m"), series("slo:total_events:rate5m")
        over_period = f"sum_over_time({bad}[{period}]) / (sum_over_time({total}[{period}]) > 0)"
    else:
        over_period = f"avg_over_time({current}[{period}])"
    yield _record(objective, "slo:objective:ratio", f"vector({spec.objective!r})")
    yield _record(objective, "slo:error_budget:ratio", f"vector({allowed})")
    yield _record(objective, "slo:time_period:days", f"vector({_days(spec.window)})")
    whole = f"{ERROR_RATIO}{period}"
    yield _record(objective, whole, over_period)
    yield _record(objective, "slo:current_burn_rate:ratio", f"{current} / {allowed}")
    yield _record(objective, "slo:period_burn_rate:ratio", f"{series(whole)} / {allowed}")
    yield _record(objective, REMAINING, f"1 - {series('slo:period_burn_rate:ratio')}")


def _alerts(objective: Named, measured: Measured, windows: Sequence[BurnWindow]) -> Iterator[dict[str, Any]]:
    alerting = objective.spec.alerting
    name = alerting.name or DEFAULT_ALERT
    for severity, how in ((PAGE, alerting.page), (TICKET, alerting.ticket)):
        pairs = [window for window in windows if window.severity == severity]
        if how.disabled or not pairs:
            continue
        yield {
            "alert": name,
            "expr": " or ".join(burning(objective, pair) for pair in pairs),
            "labels": {**_labels(objective), "severity": severity, **alerting.labels, **how.labels},
            "annotations": {**_burn_annotations(objective, pairs), **alerting.annotations, **how.annotations},
        }
    if alerting.absent and measured.counts and not alerting.ticket.disabled:
        yield {
            "alert": f"{name}NoData",
            "expr": f"absent({measured.total_rate(format_period(CURRENT))})",
            "for": ABSENT_FOR,
            "labels": {
                **_labels(objective),
                "severity": TICKET,
                **alerting.labels,
                **alerting.ticket.labels,
            },
            "annotations": {
                "summary": f"SLO {objective.name}: its metric is not there",
                "description": "The query for all events gives nothing. While that lasts nobody can tell"
                " whether the objective is kept: look at the scrape targets and at the metric's name.",
                **alerting.annotations,
            },
        }


def burning(objective: Named, pair: BurnWindow) -> str:
    """Return PromQL that gives something while a pair burns, from the recorded series."""
    threshold = f"({_decimal(pair.factor)} * {_decimal(budget(objective.spec.objective))})"
    parts = [
        f"({objective.series(f'{ERROR_RATIO}{format_period(window)}')} > {threshold})"
        for window in (pair.long, pair.short)
    ]
    return f"({' and '.join(parts)})"


def _burn_annotations(objective: Named, pairs: Sequence[BurnWindow]) -> dict[str, str]:
    told = ", or ".join(
        f"{_decimal(pair.factor)} times in {format_period(pair.long)} and {format_period(pair.short)}"
        for pair in pairs
    )
    return {
        "summary": f"SLO {objective.name}: the error budget burns too fast",
        "description": "The share of bad events is {{ $value | humanizePercentage }}; the budget for"
        f" {objective.spec.window} is {_decimal(budget(objective.spec.objective) * 100)}%."
        f" It burns faster than {told}.",
    }


def _record(objective: Named, metric: str, expression: str) -> dict[str, Any]:
    return {"record": metric, "expr": expression, "labels": _labels(objective)}


def _labels(objective: Named) -> dict[str, str]:
    return {**objective.spec.labels, **objective.identity}


def _days(window: str) -> str:
    return _decimal(Fraction(parse_period(window) // timedelta(microseconds=1), 86_400_000_000))


def _decimal(value: Fraction) -> str:
    """Return a short decimal that is exact to 12 digits; 14.4 and 0.001 are written as people write them."""
    return f"{float(value):.12g}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
