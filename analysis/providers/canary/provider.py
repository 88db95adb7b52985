"""The provider: asks the backend, lets the pure parts think, and answers the analysis."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from analysis.counts.errors import CountsError
from analysis.counts.vectors import boundaries
from analysis.judges.ledger import LAST_ATTEMPT, spend
from analysis.judges.profiles import FULL_LOOK_BACK
from analysis.judges.sums import StateUnreadable
from analysis.judges.trial import judge
from analysis.providers.canary.backend import Backend, breathe
from analysis.providers.canary.config import NAME, CanaryConfig, Policy, read_config
from analysis.providers.canary.intervals import Answers, edges_for
from analysis.providers.canary.looking import (
    Conclusion,
    Looked,
    guidance_of,
    look,
    newest_boundary,
    outlasted,
)
from analysis.providers.canary.opening import HistoryReader, NoCounters, Opener, Opening
from analysis.providers.canary.replay import RECORD_KEY, STATE_KEY, extended, opened_record
from analysis.providers.canary.report import evidence_of, value_of
from analysis.providers.canary.session import Session
from analysis.providers.errors import BackendError, ConfigurationError, ProviderError
from analysis.providers.protocol import Answer, Decided, Ongoing, Question
from analysis.spec.guidance import GUIDANCE_KEY
from analysis.spec.objects import Metric
from analysis.spec.status import Measurement, Phase

TROUBLE_KEY = "canary.trouble"
"""Since when the backend has been unusable: [Unix seconds, kind]."""
MOST_AT_ONCE = 120
"""Intervals that are caught up with after an outage; older ones are lost."""
NO_DATA = "no data"
ERROR = "error"


@dataclass(frozen=True, slots=True)
class _Saved:
    """What status holds. ``lost`` says that there was a session and it cannot be read."""

    session: Session | None
    record: str
    lost: bool


class CanaryProvider:
    """Compares canary and stable pods at every tick, in one measurement that goes on."""

    name: ClassVar[str] = NAME

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return the queries with the versions filled in."""
        try:
            queries = read_config(metric).queries()
        except ConfigurationError:
            return {}
        return {"ResolvedPrometheusQuery": "\n".join(queries)}

    async def measure(self, question: Question) -> Answer:
        """Begin, or go on after an error. Raises ProviderError."""
        return await self._look(question)

    async def resume(self, question: Question, measurement: Measurement) -> Answer:
        """Look at the intervals since the last look. Raises ProviderError."""
        return await self._look(question, had_begun=bool((measurement.metadata or {}).get("window")))

    async def terminate(self, question: Question, measurement: Measurement) -> Answer:
        """End without another look: nobody asks any more."""
        config = read_config(question.metric)
        session = _saved(question.state, config, had_begun=False).session
        if session is None:
            return Decided(Phase.SUCCESSFUL)
        judgement = judge(session.trial, session.terms)
        return Decided(
            Phase.SUCCESSFUL,
            metadata=evidence_of(session, judgement),
            text=value_of(session, judgement),
        )

    async def _look(self, question: Question, *, had_begun: bool = False) -> Answer:
        config = read_config(question.metric)
        saved = _saved(question.state, config, had_begun=had_begun)
        try:
            if saved.session is None:
                return await self._begin(question, config, lost=saved.lost)
            return await self._continue(question, config, saved.session, saved.record)
        except NoCounters as error:
            return _troubled(question, config, saved, NO_DATA, str(error))
        except CountsError as error:
            if saved.session is None:
                raise ConfigurationError(str(error)) from error
            return _troubled(question, config, saved, ERROR, str(error))
        except ProviderError as error:
            if saved.session is None and not isinstance(error, BackendError):
                raise
            return _troubled(question, config, saved, ERROR, str(error))

    async def _begin(self, question: Question, config: CanaryConfig, *, lost: bool) -> Answer:
        now = question.now.timestamp()
        end = newest_boundary(now, config, _phase(question, config))
        span = FULL_LOOK_BACK * config.tick
        answers = await self._backend.read(config, boundaries(end - span, end, config.tick))
        opening = await _read(config, answers)
        history = opening.history
        if opening.canary_from is not None and not lost and len(history) < FULL_LOOK_BACK:
            until = opening.canary_from
            older = await self._backend.read(config, boundaries(until - span, until, config.tick))
            history = (await _read(config, older, edges_for(config, answers))).history
        spent = spend(config.attempt or min(question.attempt, LAST_ATTEMPT), question.analyses)
        opener = Opener(config, answers, opening, history, lost, spent)
        for _ in opener.steps():
            await breathe()
        session = opener.session()
        start = Looked(session, judge(session.trial, session.terms), Conclusion(Phase.RUNNING, ""))
        return _answer(config, start, opened_record(session))

    async def _continue(
        self, question: Question, config: CanaryConfig, session: Session, record: str
    ) -> Answer:
        end = newest_boundary(question.now.timestamp(), config, session.position)
        if end <= session.position:
            return Ongoing(_resume_at(session.position, config))
        start = max(session.position, end - MOST_AT_ONCE * config.tick)
        answers = await self._backend.read(config, boundaries(start, end, config.tick))
        looked = look(session, config, answers)
        return _answer(config, looked, extended(record, looked.counted))


async def _read(config: CanaryConfig, answers: Answers, edges: tuple[float, ...] | None = None) -> Opening:
    reader = HistoryReader.of(config, answers, edges)
    for _ in reader.steps():
        await breathe()
    return reader.opening()


def _saved(state: Mapping[str, str], config: CanaryConfig, *, had_begun: bool) -> _Saved:
    text = state.get(STATE_KEY, "")
    if not text:
        return _Saved(None, "", had_begun)
    try:
        session = Session.load(text)
    except StateUnreadable:
        return _Saved(None, "", lost=True)
    if session.config != config.digest():
        # The template was changed under the run: what was learnt belongs to another question.
        return _Saved(None, "", lost=False)
    return _Saved(session, state.get(RECORD_KEY, "") or opened_record(session), lost=False)


def _answer(config: CanaryConfig, looked: Looked, record: str) -> Answer:
    session, conclusion = looked.session, looked.conclusion
    guidance = guidance_of(session, looked.judgement, conclusion.phase)
    if config.services is not None:
        # What is counted there are pods of the gateway: none of them is to be replaced.
        guidance = replace(guidance, replace=())
    state = {STATE_KEY: session.dump(), RECORD_KEY: record, TROUBLE_KEY: "", GUIDANCE_KEY: guidance.dump()}
    evidence, value = evidence_of(session, looked.judgement), value_of(session, looked.judgement)
    if conclusion.phase.completed:
        return Decided(conclusion.phase, conclusion.reason, evidence, text=value, state=state)
    return Ongoing(
        _resume_at(session.position, config), evidence, message=conclusion.reason, text=value, state=state
    )


def _troubled(question: Question, config: CanaryConfig, saved: _Saved, kind: str, text: str) -> Answer:
    """Return what the policy says about no data or an unusable backend; the session stays as it is."""
    now = question.now.timestamp()
    policy: Policy = config.on_no_data if kind == NO_DATA else config.on_error
    since = _since(question.state.get(TROUBLE_KEY, ""), kind, now)
    reason = f"{kind} for {now - since:.0f} s: {text}"
    conclusion = Conclusion(Phase.RUNNING, reason)
    if now - since >= policy.after:
        conclusion = outlasted(policy, reason)
    metadata = {"trouble": reason}
    state = {TROUBLE_KEY: json.dumps([since, kind])}
    if conclusion.phase.completed:
        return Decided(conclusion.phase, reason, metadata, state=state)
    again = question.now + timedelta(seconds=max(1.0, config.tick))
    return Ongoing(again, metadata, message=reason, state=state)


def _since(text: str, kind: str, now: float) -> float:
    try:
        since, known = json.loads(text)
        return float(since) if known == kind else now
    except (ValueError, TypeError):
        return now


def _resume_at(position: float, config: CanaryConfig) -> datetime:
    # Status keeps whole seconds; a moment before the boundary would be a look for nothing.
    return datetime.fromtimestamp(math.ceil(position + config.tick + config.lag), UTC)


def _phase(question: Question, config: CanaryConfig) -> float:
    """Return an offset within a tick, so that many runs do not ask at the same moment."""
    if not question.run_uid:
        return 0.0
    digest = hashlib.sha256(f"{question.run_uid}/{question.metric.name}".encode()).digest()
    return float(int.from_bytes(digest[:4]) % max(1, int(config.tick)))
