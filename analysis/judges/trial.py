"""One canary on trial: everything that is kept about it, tick by tick, and the answer that follows.

A trial is a pure function of its start, its terms and its ticks, so that a saved one can be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from analysis.judges import corroborated, noninferior, objective, sampleratio
from analysis.judges.corroborated import Evidence, Tick
from analysis.judges.decision import Answer, Finding, decide
from analysis.judges.dispersion import dispersion
from analysis.judges.grid import FLOOR
from analysis.judges.latency import join, strongest
from analysis.judges.opinion import NO_OPINION, Advice, Opinion, consult
from analysis.judges.profiles import Call, call
from analysis.judges.sums import StateUnreadable, Sums
from analysis.judges.terms import Counted, Terms

TRAIL = 40
"""e-values kept, of the last ticks."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Raw sums since the start: requests of both sides, and bad events for each question."""

    canary: float = 0.0
    stable: float = 0.0
    canary_bad: tuple[float, ...] = ()
    stable_bad: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """The state. Tuples are per question (or edge) where not said otherwise.

    ``slow`` holds (sum of stable bad shares, ticks). ``canary_objective``, ``stable_objective`` and
    ``noninferior`` are log likelihood sums per alternative. ``excess`` is the canary's bad events beyond
    stable's rate. ``trail`` are the last log e-values.
    """

    sums: tuple[Sums, ...]
    slow: tuple[tuple[float, int], ...]
    totals: Totals = Totals()
    canary_objective: tuple[float, ...] = objective.START
    stable_objective: tuple[float, ...] = objective.START
    noninferior: tuple[float, ...] = noninferior.START
    excess: float = 0.0
    call: Call = Call.CONTINUE
    advice: Advice = Advice.NOTHING
    opinion: Opinion = NO_OPINION
    judged: int = 0
    void: int = 0
    trail: tuple[float, ...] = ()

    def dump(self) -> dict[str, Any]:
        """Return JSON data for ``load``, exact to the last digit."""
        totals, opinion = self.totals, self.opinion
        return {
            "sums": [sums.dump() for sums in self.sums],
            "slow": [list(pair) for pair in self.slow],
            "totals": [totals.canary, totals.stable, list(totals.canary_bad), list(totals.stable_bad)],
            "objective": [list(self.canary_objective), list(self.stable_objective)],
            "noninferior": list(self.noninferior),
            "excess": self.excess,
            "call": self.call.value,
            "advice": self.advice.value,
            "opinion": [opinion.ticks, opinion.group, list(opinion.pods), opinion.lone, opinion.replaced],
            "judged": self.judged,
            "void": self.void,
            "trail": list(self.trail),
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Trial:
        """Return what ``dump`` wrote. Raises StateUnreadable."""
        try:
            canary, stable, canary_bad, stable_bad = data["totals"]
            ticks, group, pods, lone, replaced = data["opinion"]
            return cls(
                tuple(Sums.load(sums) for sums in data["sums"]),
                tuple((float(share), int(count)) for share, count in data["slow"]),
                Totals(float(canary), float(stable), tuple(canary_bad), tuple(stable_bad)),
                tuple(data["objective"][0]),
                tuple(data["objective"][1]),
                tuple(data["noninferior"]),
                float(data["excess"]),
                Call(data["call"]),
                Advice(data["advice"]),
                Opinion(int(ticks), group, tuple(pods), bool(lone), int(replaced)),
                int(data["judged"]),
                int(data["void"]),
                tuple(data["trail"]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise StateUnreadable(f"a saved trial cannot be read: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that can be said after a tick. Log e-values; ``leading`` is the strongest edge's index."""

    evidence: Evidence
    answer: Answer
    leading: int
    objective: float | None
    stable_objective: float | None
    noninferior: float | None
    sample_ratio: float | None


def begin(sums: tuple[Sums, ...], slow: tuple[tuple[float, int], ...]) -> Trial:
    """Return a trial before its first tick."""
    nothing = (0.0,) * len(sums)
    return Trial(sums, slow, Totals(canary_bad=nothing, stable_bad=nothing))


def advance(trial: Trial, counted: Counted, terms: Terms) -> Trial:
    """Return the trial with one more tick. A void tick is counted and changes nothing else."""
    if counted.void or (terms.edges and counted.warming):
        return replace(trial, void=trial.void + 1)
    trial = replace(
        trial,
        sums=tuple(
            corroborated.advance(sums, tick, terms.settings)
            for sums, tick in zip(trial.sums, counted.ticks, strict=True)
        ),
        slow=tuple(_slower(pair, tick) for pair, tick in zip(trial.slow, counted.ticks, strict=True)),
        totals=_totals(trial.totals, counted.ticks),
        judged=trial.judged + 1,
    )
    trial = _focused(trial, counted, terms)
    found = evidence(trial, terms)
    called = call(found, terms.levels, frozen=trial.call is Call.FREEZE)
    opinion, advice = consult(trial.opinion, called, found, counted.pods)
    if advice is Advice.SICK_POD:
        group = trial.opinion.group
        if group is not None:
            trial = replace(trial, sums=tuple(sums.dropped(group) for sums in trial.sums))
        found = evidence(trial, terms)
        called = call(found, terms.levels)
    return replace(
        trial, call=called, advice=advice, opinion=opinion, trail=(*trial.trail, found.total)[-TRAIL:]
    )


def evidence(trial: Trial, terms: Terms) -> Evidence:
    """Return the evidence, over all edges for latency."""
    return _joined(trial, terms, _of_each(trial, terms))


def _of_each(trial: Trial, terms: Terms) -> list[Evidence]:
    return [corroborated.evidence(sums, terms.settings) for sums in trial.sums]


def _joined(trial: Trial, terms: Terms, each: list[Evidence]) -> Evidence:
    return join(each, _shares(trial)) if terms.edges else each[0]


def judge(trial: Trial, terms: Terms) -> Judgement:
    """Return what the trial says now."""
    each = _of_each(trial, terms)
    over = stable_over = proved = None
    if terms.focus is not None:
        unrest = each[terms.focus].dispersion
        proved = noninferior.log_e(trial.noninferior, unrest)
        if terms.allowed is not None:
            over = objective.log_e(trial.canary_objective, unrest)
            stable_over = objective.log_e(trial.stable_objective, unrest)
    finding = Finding(
        trial.call,
        trial.advice,
        None if over is None else over >= objective.OVER,
        None if stable_over is None else stable_over >= objective.OVER,
        trial.excess,
        terms.spend_cap,
    )
    totals = trial.totals
    return Judgement(
        _joined(trial, terms, each),
        decide(finding, strict=terms.strict),
        strongest(each, _shares(trial)) if terms.edges else 0,
        over,
        stable_over,
        proved,
        sampleratio.log_e(totals.canary, totals.stable, terms.weight) if terms.weight else None,
    )


def _shares(trial: Trial) -> list[float]:
    return [share / count if count else 0.0 for share, count in trial.slow]


def _slower(pair: tuple[float, int], tick: Tick) -> tuple[float, int]:
    bad, requests = sum(e for e, _ in tick.stable), sum(n for _, n in tick.stable)
    return pair[0] + bad / requests, pair[1] + 1


def slow_shares(ticks: tuple[Tick, ...]) -> tuple[float, int]:
    """Return (sum of bad shares, ticks) of the stable pods over a look-back."""
    pair = (0.0, 0)
    for tick in ticks:
        if sum(n for _, n in tick.stable):
            pair = _slower(pair, tick)
    return pair


def _totals(totals: Totals, ticks: tuple[Tick, ...]) -> Totals:
    return Totals(
        totals.canary + sum(m for _, m in ticks[0].canary),
        totals.stable + sum(n for _, n in ticks[0].stable),
        tuple(bad + sum(c for c, _ in t.canary) for bad, t in zip(totals.canary_bad, ticks, strict=True)),
        tuple(bad + sum(e for e, _ in t.stable) for bad, t in zip(totals.stable_bad, ticks, strict=True)),
    )


def _focused(trial: Trial, counted: Counted, terms: Terms) -> Trial:
    """Add the tick to the tests of one question. They see raw counts: clipping would flatter the canary."""
    if terms.focus is None:
        return trial
    tick = counted.ticks[terms.focus]
    c, m = (sum(pair[i] for pair in tick.canary) for i in (0, 1))
    e, n = (sum(pair[i] for pair in tick.stable) for i in (0, 1))
    trial = replace(
        trial,
        noninferior=noninferior.advance(trial.noninferior, (c, m), (e, n)),
        excess=trial.excess + c - e * m / n,
    )
    if terms.allowed is None:
        return trial
    floor = -FLOOR * dispersion(trial.sums[terms.focus], sticky=terms.sticky)
    return replace(
        trial,
        canary_objective=objective.advance(trial.canary_objective, c, m, terms.allowed, floor),
        stable_objective=objective.advance(trial.stable_objective, e, n, terms.allowed, floor),
    )
