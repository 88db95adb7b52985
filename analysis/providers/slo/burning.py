"""The burn of a canary: which queries it takes, and what their answers say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from analysis.providers.slo.config import Burn
from analysis.slo.burn import budget
from analysis.slo.canary import CanaryBurn, Least, Seen, judge_canary
from analysis.slo.indicator import Measured, read_indicator
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.periods import format_period, parse_period
from analysis.slo.spend import Served, Spent, spend_cap, spent
from analysis.spec.errors import SpecError

SERVICE_WINDOW = "1h"
"""Over which the traffic of the whole service is taken, for the size of its budget."""
SHORTEST_SPEND = timedelta(minutes=1)


def burn_queries(spec: ServiceLevelObjectiveSpec, burn: Burn, elapsed: timedelta) -> dict[str, str]:
    """Return the queries by name. Raises SpecError when the objective cannot be split by version."""
    measured = read_indicator(spec.indicator)
    if not measured.splittable:
        raise SpecError(
            "slo.indicator",
            "cannot be asked for one version alone: write {{selector}} where the version's matcher belongs",
        )
    canary = burn.matcher(burn.canary)
    queries: dict[str, str] = {}
    for window in _windows(burn):
        counted = measured.counted(window, canary)
        if counted is not None:
            queries[f"total {window}"], queries[f"bad {window}"] = counted
            continue
        queries[f"ratio {window}"] = measured.error_ratio(window, canary)
        if measured.counts:
            queries[f"total {window}"] = measured.total_rate(window, canary)
            queries[f"bad {window}"] = measured.bad_rate(window, canary)
    if burn.spend_cap is not None:
        queries |= _spend_queries(measured, burn, elapsed)
    return queries


def judged(
    spec: ServiceLevelObjectiveSpec, burn: Burn, numbers: Mapping[str, float | None], elapsed: timedelta
) -> CanaryBurn:
    """Return the judgement of the answers."""
    measured = read_indicator(spec.indicator)
    seen = {window: _seen(measured, window, numbers) for window in _windows(burn)}
    least = Least(burn.min_requests, burn.min_bad)
    cost = _cost(spec, burn, measured, numbers, elapsed) if burn.spend_cap is not None else None
    return judge_canary(burn.canary_pairs(), seen, float(budget(spec.objective)), least, cost)


def _windows(burn: Burn) -> tuple[str, ...]:
    return tuple(dict.fromkeys(w for pair in burn.canary_pairs() for w in (pair.long, pair.short)))


def _seen(measured: Measured, window: str, numbers: Mapping[str, float | None]) -> Seen:
    if f"ratio {window}" not in numbers:
        requests, failed = numbers[f"total {window}"] or 0.0, numbers[f"bad {window}"] or 0.0
        return Seen(failed / requests if requests > 0 else None, requests, failed)
    ratio = numbers[f"ratio {window}"]
    if not measured.counts or measured.gives_counts() is None:
        return Seen(ratio)
    seconds = 1.0 if measured.gives_counts() else parse_period(window).total_seconds()
    total, bad = numbers[f"total {window}"], numbers[f"bad {window}"]
    return Seen(ratio, (total or 0.0) * seconds, (bad or 0.0) * seconds)


def _spend_queries(measured: Measured, burn: Burn, elapsed: timedelta) -> dict[str, str]:
    if not measured.counts or measured.gives_counts() is None:
        raise SpecError("burn.spendCap", "needs an indicator that counts events by rate() or increase()")
    window = _spend_window(elapsed)
    queries = {"service": measured.total_rate(SERVICE_WINDOW)}
    for version, name in ((burn.canary, "canary"), (burn.stable, "stable")):
        if version is None:
            continue
        # Stable pods are not young: a gap in their samples must not count their whole past.
        counted = measured.counted(window, burn.matcher(version)) if name == "canary" else None
        total = counted[0] if counted else measured.total_rate(window, burn.matcher(version))
        bad = counted[1] if counted else measured.bad_rate(window, burn.matcher(version))
        queries |= {f"{name} total": total, f"{name} bad": bad}
    return queries


def _spend_window(elapsed: timedelta) -> str:
    return format_period(timedelta(seconds=max(elapsed, SHORTEST_SPEND) // timedelta(seconds=1)))


def _cost(
    spec: ServiceLevelObjectiveSpec,
    burn: Burn,
    measured: Measured,
    numbers: Mapping[str, float | None],
    elapsed: timedelta,
) -> Spent | None:
    per_second = not measured.gives_counts()
    seconds = parse_period(_spend_window(elapsed)).total_seconds() if per_second else 1.0

    def served(name: str, times: float) -> Served:
        return Served((numbers[f"{name} bad"] or 0.0) * times, (numbers[f"{name} total"] or 0.0) * times)

    service = numbers["service"] or 0.0
    rps = service if per_second else service / parse_period(SERVICE_WINDOW).total_seconds()
    cap = spend_cap(burn.spend_cap or 0.0, spec.objective, rps, parse_period(spec.window))
    if cap <= 0:
        return None
    exact = measured.counted(SERVICE_WINDOW, burn.matcher(burn.canary)) is not None
    canary = served("canary", 1.0 if exact else seconds)
    return spent(canary, served("stable", seconds) if burn.stable is not None else None, cap)
