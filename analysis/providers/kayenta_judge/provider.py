"""The provider: one measurement that goes on until the last judgement, or until one fails."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from analysis.conditions.values import FloatVector
from analysis.counts.arms import Arm
from analysis.judges.kayenta.classify import Classified, Label, classify
from analysis.judges.kayenta.run import Course
from analysis.judges.kayenta.score import Scored, Verdict, score
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.kayenta_judge.config import NAME, PATH, CanaryMetric, KayentaJudgeConfig, read_config
from analysis.providers.prometheus import QUERY_KEY, PrometheusProvider
from analysis.providers.protocol import Answer, Continuing, Decided, Ongoing, Question
from analysis.spec.objects import Metric
from analysis.spec.providers import MetricProvider, PrometheusMetric, RangeQuery
from analysis.spec.status import Phase

RUN_KEY = "kayenta.run"
"""State: [start in Unix seconds, scores so far, since when the backend has been unusable or null]."""
AGAIN = timedelta(seconds=15)
PATIENCE_SECONDS = 300.0
"""A backend that is away for so long ends the measurement in an error."""
_PHASES = {
    Verdict.PASS: Phase.SUCCESSFUL,
    Verdict.MARGINAL: Phase.INCONCLUSIVE,
    Verdict.FAIL: Phase.FAILED,
}
SHOWN_METRICS = 20


class KayentaJudgeProvider(Continuing):
    """Judges samples of both versions as Kayenta does; Inconclusive when the last score is only marginal."""

    name: ClassVar[str] = NAME

    def __init__(self, prometheus: PrometheusProvider) -> None:
        self._prometheus = prometheus

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return the queries of both versions."""
        try:
            return {QUERY_KEY: "\n".join(read_config(metric).queries())}
        except ConfigurationError:
            return {}

    async def look(self, question: Question) -> Answer:
        """Look at what there is now. Raises ProviderError."""
        config = read_config(question.metric)
        now = question.now.timestamp()
        start, scores, since = _run(question.state.get(RUN_KEY, ""), now)
        course = Course(config.lifetime, config.every, config.begin_after, config.look_back)
        judged: tuple[Classified, ...] = ()
        scored = Scored(0.0)
        while len(scores) < course.judgements:
            begin, end = (start + moment for moment in course.window(len(scores)))
            if now < end + config.lag:
                return _waiting(end + config.lag, start, scores, (judged, scored))
            try:
                judged = await self._judge(config, begin, end)
            except BackendError as error:
                since = now if since is None else since
                if now - since >= PATIENCE_SECONDS:
                    raise
                held = Ongoing(question.now + AGAIN, message=str(error), state=_state(start, scores, since))
                return held
            since = None
            scored = score(judged, config.canary_config.classifier.group_weights)
            scores = [*scores, scored.score]
            verdict = course.verdict(scores, config.thresholds)
            if verdict is not None:
                return _decided(verdict, start, scores, (judged, scored))
        raise BackendError("this judgement has ended already")

    async def _judge(self, config: KayentaJudgeConfig, begin: float, end: float) -> tuple[Classified, ...]:
        async def one(metric: CanaryMetric) -> Classified:
            experiment, control = await asyncio.gather(
                *(self._values(config, metric, arm, begin, end) for arm in (Arm.CANARY, Arm.STABLE))
            )
            return classify(metric.terms(), experiment, control)

        return tuple(await asyncio.gather(*(one(metric) for metric in config.canary_config.metrics)))

    async def _values(
        self, config: KayentaJudgeConfig, metric: CanaryMetric, arm: Arm, begin: float, end: float
    ) -> Sequence[float]:
        steps = math.floor((end - begin) / config.step + 1e-9)
        asked = PrometheusMetric(
            address=config.address,
            query=config.query(metric, arm),
            authentication=config.authentication,
            timeout=math.ceil(config.timeout),
            insecure=config.insecure,
            headers=config.headers,
            range_query=RangeQuery(
                start=f'now() - duration("{steps * config.step:g}s")', end="now()", step=f"{config.step:g}s"
            ),
        )
        named = Metric(name=metric.name, provider=MetricProvider(prometheus=asked))
        at = datetime.fromtimestamp(end, UTC)
        try:
            reading = await self._prometheus.measure(Question(metric=named, now=at))
        except (BackendError, ConfigurationError) as error:
            raise type(error)(str(error).replace("provider.prometheus", PATH)) from error
        values = reading.result
        if not isinstance(values, FloatVector):
            raise ConfigurationError(f"{PATH}: the query of '{metric.name}' gives a number where a series is")
        if len(values) > steps + 1:
            raise ConfigurationError(
                f"{PATH}: the query of '{metric.name}' gives more than one series; aggregate it, such as with"
                " avg()"
            )
        return tuple(values)


def _run(text: str, now: float) -> tuple[float, list[float], float | None]:
    try:
        start, scores, since = json.loads(text)
        return float(start), [float(one) for one in scores], None if since is None else float(since)
    except (ValueError, TypeError):
        return now, [], None


def _state(start: float, scores: Sequence[float], since: float | None = None) -> dict[str, str]:
    return {RUN_KEY: json.dumps([start, list(scores), since])}


def _waiting(
    until: float, start: float, scores: Sequence[float], seen: tuple[tuple[Classified, ...], Scored]
) -> Ongoing:
    moment = datetime.fromtimestamp(math.ceil(until), UTC)
    metadata = _evidence(*seen) if seen[0] else {}
    return Ongoing(moment, metadata, text=_text(scores), state=_state(start, scores))


def _decided(
    verdict: Verdict, start: float, scores: Sequence[float], seen: tuple[tuple[Classified, ...], Scored]
) -> Decided:
    judged, scored = seen
    bad = [f"{one.terms.name} {one.label.value}" for one in judged if one.label is not Label.PASS]
    parts = [part for part in (scored.reason, ", ".join(bad)) if part]
    message = f"score {scores[-1]:g}: {verdict.value}" + (f" ({'; '.join(parts)})" if parts else "")
    return Decided(
        _PHASES[verdict],
        "" if verdict is Verdict.PASS else message,
        _evidence(judged, scored),
        text=_text(scores),
        state=_state(start, scores),
    )


def _text(scores: Sequence[float]) -> str:
    return ", ".join(f"{one:g}" for one in scores)


def _evidence(judged: Sequence[Classified], scored: Scored) -> dict[str, str]:
    """Return a line for each group, and for each metric; those that did not pass come first."""
    found = {f"group {name}": f"{value:g}" for name, value in scored.groups.items()}
    ordered = sorted(judged, key=lambda one: one.label is Label.PASS)
    return found | {one.terms.name: f"{one.label.value}: {one.reason}" for one in ordered[:SHOWN_METRICS]}
