"""The provider: asks, lets the pure parts decide, and answers the analysis.

``burn`` decides each measurement by itself (take ``interval`` and ``count`` as with any metric). ``gate`` is
one measurement that goes on while the budget is blocked or unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from analysis.providers.canary.config import Action, Policy
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.prometheus import QUERY_KEY, PrometheusProvider
from analysis.providers.protocol import Answer, Continuing, Decided, Ongoing, Question
from analysis.providers.slo.burning import burn_queries, judged
from analysis.providers.slo.config import NAME, Burn, Gate, SloConfig, read_config
from analysis.providers.slo.gating import decided, gate_queries
from analysis.providers.slo.reading import read_numbers
from analysis.slo.canary import Outcome
from analysis.slo.gate import GateDecision, GateState
from analysis.spec.errors import SpecError
from analysis.spec.objects import Metric
from analysis.spec.status import Phase

SINCE_KEY = "slo.since"
"""When the first measurement of the run was taken, Unix seconds: what the canary costs counts from there."""
TROUBLE_KEY = "slo.trouble"
"""Since when there is no data, no backend or no budget: [Unix seconds, kind]."""
NO_DATA, ERROR, BLOCKED = "no data", "error", "blocked"
AGAIN = timedelta(seconds=15)
_PHASES = {
    Action.FAIL: Phase.FAILED,
    Action.PASS: Phase.SUCCESSFUL,
    Action.PAUSE: Phase.INCONCLUSIVE,
}
"""HOLD is not here: it goes on."""


class SloProvider(Continuing):
    """Judges a canary's burn, or the error budget."""

    name: ClassVar[str] = NAME

    def __init__(self, prometheus: PrometheusProvider) -> None:
        self._prometheus = prometheus

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return the queries of the first measurement."""
        try:
            queries = _queries(read_config(metric), timedelta())
        except (ConfigurationError, SpecError):
            return {}
        return {QUERY_KEY: "\n".join(dict.fromkeys(queries.values()))}

    async def look(self, question: Question) -> Answer:
        """Look at what there is now. Raises ProviderError."""
        config = read_config(question.metric)
        since = _since(question)
        elapsed = question.now - since
        try:
            queries = _queries(config, elapsed)
            at = question.now - timedelta(seconds=config.lag)
            try:
                numbers = await read_numbers(self._prometheus, config, queries, at)
            except BackendError as error:
                return _unreadable(question, config, str(error))
            if config.gate is not None:
                return _of_gate(question, config, config.gate, numbers)
            assert config.burn is not None  # noqa: S101 - one of both is there
            return _of_burn(question, config, config.burn, numbers, since)
        except SpecError as error:
            raise ConfigurationError(str(error)) from error


def _queries(config: SloConfig, elapsed: timedelta) -> dict[str, str]:
    spec = config.objective()
    if config.burn is not None:
        return burn_queries(spec, config.burn, elapsed)
    assert config.gate is not None  # noqa: S101 - one of both is there
    return gate_queries(spec, config.gate)


def _of_burn(
    question: Question,
    config: SloConfig,
    burn: Burn,
    numbers: Mapping[str, float | None],
    since: datetime,
) -> Answer:
    judgement = judged(config.objective(), burn, numbers, question.now - since)
    state = {SINCE_KEY: f"{since.timestamp():.0f}"}
    first = burn.canary_pairs()[0]
    text = judgement.evidence[f"burn {first.long}/{first.short}"].partition(" ")[0]
    evidence = {"outcome": judgement.outcome.value, **judgement.evidence}
    if judgement.outcome is Outcome.NO_DATA:
        return _waiting(question, config.on_no_data, NO_DATA, judgement.reason, evidence, state)
    good = judgement.outcome is Outcome.WELL
    message = "" if good else judgement.reason
    return Decided(
        Phase.SUCCESSFUL if good else Phase.FAILED, message, evidence, text, {**state, TROUBLE_KEY: ""}
    )


def _of_gate(
    question: Question, config: SloConfig, gate: Gate, numbers: Mapping[str, float | None]
) -> Answer:
    decision = decided(config.objective(), gate, numbers, question.now)
    if decision.allowed:
        return _opened(decision)
    blocked = decision.state is GateState.BLOCKED
    policy, kind = (gate.on_blocked, BLOCKED) if blocked else (config.on_no_data, NO_DATA)
    return _waiting(question, policy, kind, decision.reason, dict(decision.evidence), {}, decision.recheck_at)


def _opened(decision: GateDecision) -> Decided:
    noteworthy = decision.state is not GateState.OK
    return Decided(
        Phase.SUCCESSFUL,
        decision.reason if noteworthy else "",
        decision.evidence,
        decision.state.value,
        {TROUBLE_KEY: ""},
    )


def _unreadable(question: Question, config: SloConfig, problem: str) -> Answer:
    """Return what follows when the backend does not answer; a rollback and an override go through."""
    if config.gate is not None:
        decision = decided(config.objective(), config.gate, {}, question.now, problem)
        if decision.allowed:
            return _opened(decision)
        return _waiting(question, config.on_error, ERROR, decision.reason, dict(decision.evidence), {})
    return _waiting(question, config.on_error, ERROR, problem, {}, {})


def _waiting(
    question: Question,
    policy: Policy,
    kind: str,
    reason: str,
    evidence: Mapping[str, str],
    state: Mapping[str, str],
    again: datetime | None = None,
) -> Answer:
    """Hold, and do what the policy says once it has lasted long enough."""
    began = _trouble(question, kind)
    lasted = question.now.timestamp() - began
    kept = {**state, TROUBLE_KEY: json.dumps([began, kind])}
    phase = _PHASES.get(policy.action)
    if phase is not None and lasted >= policy.after:
        return Decided(phase, f"{reason}, for {lasted:.0f} s", evidence, kind, kept)
    return Ongoing(again or question.now + AGAIN, evidence, message=reason, text=kind, state=kept)


def _since(question: Question) -> datetime:
    try:
        return datetime.fromtimestamp(float(question.state.get(SINCE_KEY, "")), UTC)
    except ValueError:
        return question.now


def _trouble(question: Question, kind: str) -> float:
    now = question.now.timestamp()
    try:
        since, known = json.loads(question.state.get(TROUBLE_KEY, ""))
        return float(since) if known == kind else now
    except (ValueError, TypeError):
        return now
