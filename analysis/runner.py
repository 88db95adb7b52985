"""Takes one measurement: provider, conditions, redaction; every fault becomes an Error measurement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from analysis.conditions.condition import assess, holds_no_number
from analysis.conditions.errors import ConditionError
from analysis.providers.errors import ProviderError
from analysis.providers.protocol import Answer, Decided, Ongoing, Provider, Question, Reading
from analysis.providers.registry import ProviderRegistry
from analysis.run.machine import Due, Finished, Step
from analysis.run.schedule import write_time
from analysis.spec.arguments import resolve_metric
from analysis.spec.errors import SpecError
from analysis.spec.objects import Metric
from analysis.spec.status import Measurement, Phase

REDACTED = "*****"
SHORTEST_PART = 8
"""Characters of a path or a query of a secret address that is hidden by itself."""
LONGEST_MEASUREMENT_SECONDS = 300.0
"""No measurement takes longer, whatever its provider's own timeout says."""
SHORTEST_PAUSE = timedelta(seconds=1)
"""Between two looks at a measurement that goes on."""
LONGEST_MESSAGE = 1_000
LONGEST_VALUE = 2_000
"""Characters kept of a message and of a value, so that a run's status stays small."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Whose measurement it is; empty outside of a cluster.

    ``attempt`` is which try of a release it belongs to, from 1; ``analyses`` how many that try has.
    """

    name: str = ""
    namespace: str = ""
    uid: str = ""
    attempt: int = 1
    analyses: int = 1


class Runner:
    """Answers ``Due`` with ``Finished``. Never raises for what a backend or a template does wrong."""

    def __init__(self, providers: ProviderRegistry, now: Callable[[], datetime]) -> None:
        self._providers = providers
        self._now = now

    async def take(
        self,
        due: Due,
        template: Metric,
        values: Mapping[str, str],
        secrets: Iterable[str] = (),
        identity: RunIdentity | None = None,
    ) -> Finished:
        """Measure, resume or terminate one metric.

        ``template`` is the metric as the spec has it, ``values`` its arguments with secrets in. No secret
        is left in what is returned.
        """
        started = self._now()
        try:
            metric = resolve_metric(template, values, f"metric '{template.name}'")
            provider = self._providers.provider_of(metric)
            question = self._question(due, metric, identity or RunIdentity())
            answer = await self._ask(provider, question, due)
            measurement = self._measurement(due, metric, answer, started)
            state = {} if isinstance(answer, Reading) else answer.state
            metadata = provider.metadata(due.metric.metric)
        except (ProviderError, SpecError, ConditionError) as error:
            measurement, metadata, state = self._failed(due, str(error), started), {}, {}
        hidden = (*secrets, *self._providers.hidden.values())
        return Finished(
            due.metric.name,
            due.step,
            due.sequence,
            _redacted(measurement, hidden),
            {key: redact(value, hidden) for key, value in metadata.items()},
            # Not redacted: a provider could not read it back. Providers keep secrets out of it.
            state,
        )

    def _question(self, due: Due, metric: Metric, identity: RunIdentity) -> Question:
        return Question(
            metric=metric,
            now=self._now(),
            sequence=due.sequence,
            run_name=identity.name,
            run_namespace=identity.namespace,
            run_uid=identity.uid,
            attempt=identity.attempt,
            analyses=identity.analyses,
            state=due.state,
        )

    async def _ask(self, provider: Provider, question: Question, due: Due) -> Answer:
        try:
            async with asyncio.timeout(LONGEST_MEASUREMENT_SECONDS):
                if due.step is Step.MEASURE or due.measurement is None:
                    return await provider.measure(question)
                if due.step is Step.RESUME:
                    return await provider.resume(question, due.measurement)
                return await provider.terminate(question, due.measurement)
        except TimeoutError:
            raise ProviderError(f"no answer within {LONGEST_MEASUREMENT_SECONDS:g} s") from None

    def _measurement(self, due: Due, metric: Metric, answer: Answer, started: datetime) -> Measurement:
        base = due.measurement or Measurement(started_at=write_time(started))
        merged = {**(base.metadata or {}), **answer.metadata}
        metadata = {key: value for key, value in merged.items() if value} or None
        if isinstance(answer, Ongoing):
            update = {
                "phase": Phase.RUNNING.value,
                "metadata": metadata,
                "resume_at": write_time(max(answer.resume_at, self._now() + SHORTEST_PAUSE)),
            }
            shown = {"message": answer.message, "value": answer.text}
            return base.model_copy(update={**update, **{k: v for k, v in shown.items() if v}})
        finished = {"metadata": metadata, "finished_at": write_time(self._now()), "resume_at": None}
        if isinstance(answer, Decided):
            decided = {"phase": answer.phase.value, "message": answer.message}
            value = {"value": answer.text} if answer.text else {}
            return base.model_copy(update={**finished, **decided, **value})
        return base.model_copy(update={**finished, **self._judged(metric, answer)})

    def _judged(self, metric: Metric, reading: Reading) -> dict[str, str]:
        try:
            phase = assess(reading.result, metric.success_condition, metric.failure_condition, self._now())
        except ConditionError as error:
            return {"phase": Phase.ERROR.value, "value": reading.text, "message": str(error)}
        no_number = phase is not Phase.SUCCESSFUL and holds_no_number(reading.result)
        message = "no data: the result is NaN, as dividing nothing by nothing gives" if no_number else ""
        return {"phase": phase.value, "value": reading.text, "message": message}

    def _failed(self, due: Due, message: str, started: datetime) -> Measurement:
        base = due.measurement or Measurement(started_at=write_time(started))
        return base.model_copy(
            update={
                "phase": Phase.ERROR.value,
                "message": message,
                "finished_at": write_time(self._now()),
                "resume_at": None,
            }
        )


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return a text with every secret replaced; longer ones first, so that no part of one is left."""
    forms = {form for secret in secrets for form in (secret, *_parts_of_url(secret)) if form}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, REDACTED)
    return text


def _parts_of_url(secret: str) -> Iterator[str]:
    """Yield what a message may quote of a secret address: a failed connection names the host alone."""
    try:
        parts = urlsplit(secret.strip())
        host = parts.hostname or ""
    except ValueError:
        return
    if not (parts.scheme and parts.netloc):
        return
    yield parts.password or ""
    # A short name, such as that of a Service, is a word that messages have for other reasons too.
    yield from (name for name in (parts.netloc, host) if "." in name or name != host)
    yield from (part for part in (parts.path, parts.query) if len(part) >= SHORTEST_PART)


def _redacted(measurement: Measurement, secrets: tuple[str, ...]) -> Measurement:
    metadata = {k: redact(v, secrets) for k, v in (measurement.metadata or {}).items()} or None
    return measurement.model_copy(
        update={
            "message": redact(measurement.message, secrets)[:LONGEST_MESSAGE],
            "value": redact(measurement.value, secrets)[:LONGEST_VALUE],
            "metadata": metadata,
        }
    )
