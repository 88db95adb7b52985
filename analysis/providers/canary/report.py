"""What people and dashboards see of a look: a value in one line, and the evidence as small texts. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from analysis.judges import noninferior, objective, sampleratio
from analysis.judges.ledger import spend
from analysis.judges.opinion import Advice
from analysis.judges.terms import Terms
from analysis.judges.trial import Judgement, Trial
from analysis.providers.canary.session import Session

SHOWN_TRAIL = 20


def value_of(session: Session, judgement: Judgement) -> str:
    """Return the measurement's value: e of its level, and the raw counts of both sides."""
    totals = session.trial.totals
    question = judgement.leading
    return (
        f"e={_e(judgement.evidence.total)} of {session.terms.levels.total:g};"
        f" canary {totals.canary_bad[question]:g}/{totals.canary:g},"
        f" stable {totals.stable_bad[question]:g}/{totals.stable:g}"
    )


def evidence_of(session: Session, judgement: Judgement) -> dict[str, str]:
    """Return the measurement's metadata. Exact numbers are in the record; here is what one reads first."""
    trial, terms = session.trial, session.terms
    found, levels = judgement.evidence, terms.levels
    shown = {
        "profile": f"{terms.profile.value}: {session.why}",
        "window": f"{_time(session.began_at)}/{_time(session.position)}",
        "ticks": f"{trial.judged} judged, {trial.void} void, {session.look_back} of look-back",
        "statistic": "e-value of the corroborated conditional e-process (canary against stable)",
        "e": f"{_e(found.total)} (abort from {levels.total:g})",
        "logE": repr(found.total),
        "eWithoutOneGroup": f"{_e(found.one_left_out)} (abort from {levels.one_left_out:g})",
        "eWithoutTwoGroups": f"{_e(found.two_left_out)} (abort from {levels.two_left_out:g})",
        "dispersion": f"{found.dispersion:.4g}",
        "call": trial.call.value,
        "decision": f"{judgement.answer.decision.value}: {judgement.answer.reason}",
        "alpha": _alpha(session),
        "trouble": "",
        "eTrail": " ".join(_e(value) for value in trial.trail[-SHOWN_TRAIL:]),
    }
    shown |= _counts(trial, terms, judgement)
    shown |= _around(trial, terms, judgement)
    if trial.advice is not Advice.NOTHING:
        pods = ", ".join(trial.opinion.pods)
        shown["advice"] = f"{trial.advice.value}{f': {pods}' if pods else ''}"
    return shown


def _counts(trial: Trial, terms: Terms, judgement: Judgement) -> dict[str, str]:
    totals, question = trial.totals, judgement.leading
    shown = {
        "canary": f"{totals.canary_bad[question]:g} bad of {totals.canary:g}",
        "stable": f"{totals.stable_bad[question]:g} bad of {totals.stable:g}",
    }
    if terms.edges:
        shown["edge"] = f"slower than {terms.edges[question]:g} s"
    left_out = [str(g) for g, out in enumerate(trial.sums[question].out) if out]
    if left_out:
        shown["stableGroupsLeftOut"] = ", ".join(left_out)
    return shown


def _around(trial: Trial, terms: Terms, judgement: Judgement) -> dict[str, str]:
    shown = {}
    if judgement.objective is not None and terms.allowed is not None:
        over = math.exp(objective.OVER)
        shown["objective"] = (
            f"e={_e(judgement.objective)} against a bad share of {terms.allowed:g} (over from {over:g});"
            f" stable e={_e(judgement.stable_objective or 0.0)}"
        )
    if judgement.noninferior is not None:
        shown["nonInferiority"] = (
            f"e={_e(judgement.noninferior)} for less than {noninferior.MARGIN:g} times stable"
            f" (shown from {math.exp(noninferior.PROVED):.3g})"
        )
    if judgement.sample_ratio is not None and judgement.sample_ratio >= sampleratio.BROKEN:
        whole = trial.totals.canary + trial.totals.stable
        shown["sampleRatio"] = (
            f"warning: the canary gets {trial.totals.canary / whole:.2%} of the requests, not"
            f" {terms.weight or 0.0:.2%}"
        )
    if terms.focus is not None:
        shown["excess"] = f"{trial.excess:.1f} bad events beyond stable's rate"
    return shown


def _alpha(session: Session) -> str:
    spent = spend(session.attempt, session.analyses)
    shared = f" of {spent.analyses} analyses" if spent.analyses > 1 else ""
    return (
        f"attempt {spent.attempt}{shared}: levels times {spent.factor:g}, nominal false aborts"
        f" {spent.nominal:g}, {spent.so_far:g} for the release so far; calibrated, not proven"
    )


def _e(log_e: float) -> str:
    if math.isinf(log_e):
        return "none"
    return f"{math.exp(log_e):.3g}" if abs(log_e) < 500 else f"1e{log_e / math.log(10):+.0f}"


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
