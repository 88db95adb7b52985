"""Asks a Prometheus about the series of a subject."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from analysis.doctor.diagnosis import Examined, Series
from analysis.doctor.selectors import Selector, selectors_of
from analysis.doctor.subjects import Subject
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp, HttpRequest

LOOK_BACK = 600
"""Seconds over which the scrape interval is counted."""
TRAFFIC_WINDOW = "10m"
_COUNTED = ("_total", "_count", "_bucket")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server to ask. ``at`` is the moment of every question, in Unix seconds; None means now."""

    http: GuardedHttp
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    insecure: bool = False
    timeout: float = 30.0
    at: float | None = None

    async def vector(self, query: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the labels and values of an instant query. Raises ProviderError."""
        form = {"query": query, **({"time": f"{self.at:.3f}"} if self.at is not None else {})}
        request = HttpRequest(
            method="POST",
            url=f"{self.address.rstrip('/')}/api/v1/query",
            headers={**self.headers, **_FORM},
            body=urlencode(form, quote_via=quote).encode(),
            timeout=self.timeout,
            insecure=self.insecure,
            repeatable=True,
        )
        answer = await self.http.send(request)
        try:
            read = json.loads(answer.body)
        except ValueError:
            raise BackendError(
                f"{self.address} answered {answer.status} without JSON: is it a Prometheus?"
            ) from None
        if not isinstance(read, dict) or read.get("status") != "success":
            told = str(read.get("error", "") if isinstance(read, dict) else "")[:300]
            raise ConfigurationError(f"prometheus refuses {query[:200]}: {told}")
        return [_sample(item) for item in _result(read.get("data") or {})]

    async def number(self, query: str) -> float | None:
        """Return the single value of a query, None where it gives none. Raises ProviderError."""
        found = await self.vector(query)
        return found[0][1] if found and math.isfinite(found[0][1]) else None


def _result(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if data.get("resultType") == "scalar":
        return [{"metric": {}, "value": data["result"]}]
    return list(data.get("result") or ())


def _sample(item: Mapping[str, Any]) -> tuple[Mapping[str, str], float]:
    # A native histogram has no value of its own.
    value = item.get("value")
    return item.get("metric") or {}, float(value[1]) if value else math.nan


async def examine(prometheus: Prometheus, subject: Subject, weight: float) -> Examined:
    """Return everything that is to be known about a subject. Raises ProviderError, SpecError or NoParser."""
    selectors = selectors_of(subject.query, subject.title) if subject.series else ()
    series = await asyncio.gather(*(_series(prometheus, subject, selector) for selector in selectors))
    answer = [value for _, value in await prometheus.vector(subject.query)] if subject.result else None
    rps = await _traffic(prometheus, selectors) if subject.traffic else None
    return Examined(subject, series, answer, rps, weight)


async def _series(prometheus: Prometheus, subject: Subject, selector: Selector) -> Series:
    count = int(await prometheus.number(f"count({selector})") or 0)
    if not count:
        return await _absent(prometheus, selector)
    age = await prometheus.number(f"max(time() - timestamp({selector}))")
    samples = await prometheus.number(f"max(count_over_time({selector}[{LOOK_BACK}s]))")
    resets = None
    if selector.window is not None and not subject.edges:
        resets = await prometheus.number(f"max(resets({selector}[1h]))")
    missing = [
        (label, int(await prometheus.number(f"count({selector.also(label, '=', '')})") or 0))
        for label in subject.labels
    ]
    edges = await _edges(prometheus, selector) if subject.edges else []
    interval = (LOOK_BACK - min(age or 0.0, LOOK_BACK)) / samples if samples and samples > 1 else None
    return Series(selector, count, age=age, interval=interval, resets=resets, missing=missing, edges=edges)


async def _absent(prometheus: Prometheus, selector: Selector) -> Series:
    """Find out which matcher is to blame: without it there would be series."""
    named = 0
    if selector.name:
        named = int(await prometheus.number(f"count({Selector(selector.name)})") or 0)
    without = []
    for matcher in selector.matchers if named else ():
        found = int(await prometheus.number(f"count({selector.without(matcher)})") or 0)
        if found:
            without.append((str(matcher), found))
    return Series(selector, 0, named=named, found_without=without)


async def _edges(prometheus: Prometheus, selector: Selector) -> list[float]:
    found = await prometheus.vector(f"count by (le) ({selector})")
    return [float(labels["le"]) for labels, _ in found if "le" in labels]


async def _traffic(prometheus: Prometheus, selectors: tuple[Selector, ...]) -> float | None:
    counters = [one for one in selectors if one.name.endswith(_COUNTED)]
    if not counters:
        return None
    counter = counters[0]
    if counter.name.endswith("_bucket") and not any(m.label == "le" for m in counter.matchers):
        counter = counter.also("le", "=", "+Inf")
    return await prometheus.number(f"sum(rate({counter}[{TRAFFIC_WINDOW}]))")
