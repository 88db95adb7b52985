"""One look: count the intervals that have passed, judge each, and say whether that is an answer. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analysis.judges.decision import Decision
from analysis.judges.noninferior import MARGIN, PROVED
from analysis.judges.opinion import Advice
from analysis.judges.profiles import Call
from analysis.judges.terms import Counted
from analysis.judges.trial import Judgement, advance, judge
from analysis.providers.canary.config import Action, CanaryConfig, Policy
from analysis.providers.canary.intervals import Answers, counted, print_at, read_interval
from analysis.providers.canary.session import Session
from analysis.spec.guidance import NO_GUIDANCE, Guidance
from analysis.spec.status import Phase

_PHASES = {
    Action.FAIL: Phase.FAILED,
    Action.PASS: Phase.SUCCESSFUL,
    Action.PAUSE: Phase.INCONCLUSIVE,
    Action.HOLD: Phase.RUNNING,
}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A phase (Running while there is no answer) and the reason for a person."""

    phase: Phase
    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """A session after a look; ``counted`` are the new intervals, each with its end."""

    session: Session
    judgement: Judgement
    conclusion: Conclusion
    counted: tuple[tuple[float, Counted], ...] = ()


def newest_boundary(now: float, config: CanaryConfig, origin: float) -> float:
    """Return the last boundary whose samples are settled, on the grid of ticks through ``origin``."""
    return origin + math.floor((now - config.lag - origin) / config.tick) * config.tick


def look(session: Session, config: CanaryConfig, answers: Answers) -> Looked:
    """Judge the intervals between the boundaries of ``answers``, oldest first, until one is an answer.

    When the backend no longer says about the session's position what it said before, the first interval is
    void: another replica answers, or samples came late.
    """
    boundaries = answers[0].boundaries
    jumped = boundaries[0] == session.position and print_at(answers, boundaries[0]) != session.print
    items: list[tuple[float, Counted]] = []
    said: tuple[Judgement, Conclusion] | None = None
    for position in range(len(boundaries) - 1):
        interval = read_interval(config, answers, position, session.groups, session.terms.edges)
        groups = session.groups.with_pods(interval.present, interval.start)
        session = replace(
            session, groups=groups, position=interval.end, print=print_at(answers, interval.end)
        )
        if jumped and position == 0:
            session = replace(session, jumps=session.jumps + 1)
        else:
            item = counted(groups, interval, session.terms.edges)
            items.append((interval.end, item))
            trial = advance(session.trial, item, session.terms)
            good = trial.judged > session.trial.judged
            session = replace(
                session,
                trial=trial,
                jumps=0,
                uncounted=session.uncounted + interval.uncounted,
                good_at=interval.end if good else session.good_at,
            )
        judgement = judge(session.trial, session.terms)
        session = _clocked(session, judgement, config)
        said = judgement, conclude(session, judgement, config)
        if said[1].phase.completed:
            break
    if said is None:
        judgement = judge(session.trial, session.terms)
        said = judgement, conclude(session, judgement, config)
    return Looked(session, *said, tuple(items))


def conclude(session: Session, judgement: Judgement, config: CanaryConfig) -> Conclusion:
    """Return what the session amounts to at its position; the first check that applies decides."""
    answer = judgement.answer
    if answer.decision is Decision.FAIL:
        return Conclusion(Phase.FAILED, answer.reason)
    if answer.decision is Decision.PAUSE:
        return Conclusion(Phase.INCONCLUSIVE, answer.reason)
    if session.held_since is not None and session.position - session.held_since >= config.hold_timeout:
        waited = session.position - session.held_since
        return Conclusion(
            Phase.INCONCLUSIVE, f"{_held_for(session, judgement, config)}; held for {waited:g} s"
        )
    silence = session.position - session.good_at
    if silence >= config.on_no_data.after:
        return outlasted(config.on_no_data, _no_data(session, silence))
    if answer.decision is Decision.GO_ON and _enough(session, config):
        if config.early_promotion and (judgement.noninferior or 0.0) >= PROVED:
            return Conclusion(
                Phase.SUCCESSFUL, f"the canary is shown to be less than {MARGIN:g} times as bad as stable"
            )
        if _due(session, config):
            return Conclusion(Phase.SUCCESSFUL, answer.reason)
    return Conclusion(Phase.RUNNING, _held_for(session, judgement, config) or answer.reason)


def guidance_of(session: Session, judgement: Judgement, phase: Phase) -> Guidance:
    """Return what the delivery should do meanwhile; ``phase`` is that of the conclusion.

    A hold asks for no more traffic. A lone canary pod under suspicion, and a canary that has cost too much,
    get none; an inconclusive end keeps it so until a person has looked.
    """
    trial, answer = session.trial, judgement.answer
    lone = len(judgement.evidence.groups) <= 1 or trial.opinion.lone
    suspected = trial.advice is Advice.PERSON and lone
    cap = session.terms.spend_cap
    expensive = answer.decision is Decision.PAUSE and cap is not None and trial.excess > cap
    without = trial.advice is Advice.REPLACE_WITHOUT_TRAFFIC or suspected or expensive
    if phase is Phase.INCONCLUSIVE:
        return Guidance(no_traffic=without, reason=answer.reason) if without else NO_GUIDANCE
    if phase.completed or answer.decision is not Decision.HOLD:
        return NO_GUIDANCE
    replacing = trial.advice in (Advice.REPLACE, Advice.REPLACE_WITHOUT_TRAFFIC)
    return Guidance(
        hold=True,
        no_traffic=without,
        replace=trial.opinion.pods if replacing else (),
        reason=answer.reason,
    )


def outlasted(policy: Policy, reason: str) -> Conclusion:
    """Return what a policy says about a problem that has lasted long enough."""
    return Conclusion(_PHASES[policy.action], reason)


def _clocked(session: Session, judgement: Judgement, config: CanaryConfig) -> Session:
    """Return the session with the clock of what is held started, kept or stopped."""
    if not _held_for(session, judgement, config):
        return replace(session, held_since=None)
    return session if session.held_since is not None else replace(session, held_since=session.position)


def _held_for(session: Session, judgement: Judgement, config: CanaryConfig) -> str:
    """Return why the analysis is held, "" when it is not.

    A freeze calls nobody: it holds an analysis that would be over, and nothing else.
    """
    answer, due = judgement.answer, _due(session, config)
    if answer.decision is Decision.HOLD:
        return answer.reason if session.trial.call is not Call.FREEZE or due else ""
    if due and not _enough(session, config):
        return (
            f"the canary had {session.trial.totals.canary:g} requests, fewer than minRequests"
            f" ({config.min_requests}): too few to tell"
        )
    return ""


def _due(session: Session, config: CanaryConfig) -> bool:
    return config.duration is not None and session.position - session.began_at >= config.duration


def _enough(session: Session, config: CanaryConfig) -> bool:
    return session.trial.judged > 0 and session.trial.totals.canary >= config.min_requests


def _no_data(session: Session, silence: float) -> str:
    if session.jumps:
        return (
            f"no data for {silence:g} s: the backend answers differently about the same moment"
            f" ({session.jumps} times in a row); raise lag, or ask one replica"
        )
    return f"no data for {silence:g} s: the canary or the stable version has no requests in its counters"
