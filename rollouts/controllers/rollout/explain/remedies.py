"""What a person can do about a Rollout: commands, ready to paste. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.slo.gate import GateState
from rollouts.controllers.rollout.explain.lines import Command
from rollouts.controllers.rollout.explain.sight import Sight
from rollouts.kube import objects
from rollouts.views.pods import has_crashed, trouble
from rollouts.workloads import labels


def remedies(sight: Sight) -> Iterator[Command]:
    """Yield the commands that make sense in this state, the most likely first."""
    s = sight.s
    if sight.invalid:
        yield Command(
            _kubectl(sight, f"edit rollout {s.name}"), "correct the field named above, or do it in Git"
        )
        return
    yield from _looks(sight)
    if s.waits_for_budget:
        yield from _budget(sight)
        return
    if s.aborted:
        yield Command(_own(sight, "retry"), "try the same version again from the first step")
        yield Command(_own(sight, "undo"), "or put the version before back into the spec")
    elif sight.in_update:
        yield from _moves(sight)
    elif s.spec.paused:
        yield Command(_own(sight, "resume"), "take spec.paused back")


def _budget(sight: Sight) -> Iterator[Command]:
    s = sight.s
    for budget in s.budget_gate.budgets if s.budget_gate is not None else ():
        if budget.state in (GateState.BLOCKED, GateState.UNKNOWN):
            yield Command(
                f"rollouts slo get {budget.name} -n {s.namespace}", "see the budget and its burn rates"
            )
    note = f"'{labels.BUDGET_OVERRIDE}=<why it cannot wait>; until=<2026-01-31T18:00:00Z>'"
    yield Command(
        _kubectl(sight, f"annotate rollout {s.name} {note}"), "start it all the same; this is recorded"
    )
    back = _own(sight, "undo", f"--to-revision {s.revision}")
    yield Command(back, "or put the version that runs back into the spec")


def _moves(sight: Sight) -> Iterator[Command]:
    s = sight.s
    if s.spec.paused:
        yield Command(_own(sight, "resume"), "take spec.paused back; pauses of steps stay")
    if sight.holds:
        yield Command(_own(sight, "promote"), "go on now")
    elif s.step is not None:
        yield Command(_own(sight, "promote"), "skip the present step")
    if not s.status.promote_full:
        yield Command(_own(sight, "promote", "--full"), "skip all that is left: steps, pauses and analyses")
    yield Command(_own(sight, "abort"), "send all traffic back to the stable version")


def _looks(sight: Sight) -> Iterator[Command]:
    """Show where to look closer: the first pod in trouble, and analyses that are not successful."""
    if not sight.s.aborted:
        troubled = next(
            (p for rs in (sight.s.new, sight.s.stable) for p in sight.owned_pods(rs) if trouble(p)), None
        )
        if troubled is not None:
            name = objects.name_of(troubled)
            yield Command(_kubectl(sight, f"describe pod {name}"), "see the events of the pod")
            if has_crashed(troubled):
                yield Command(_kubectl(sight, f"logs {name} --previous"), "read what it said before it ended")
    open_runs = [run for run in sight.deciding_runs if run.phase != "Successful"]
    if open_runs and sight.in_update:
        yield Command(
            f"rollouts get analysisrun {open_runs[0].name} -n {sight.s.namespace}", "see its measurements"
        )


def _own(sight: Sight, verb: str, flag: str = "") -> str:
    return f"rollouts {verb} {sight.s.name} -n {sight.s.namespace}{' ' + flag if flag else ''}"


def _kubectl(sight: Sight, rest: str) -> str:
    return f"kubectl -n {sight.s.namespace} {rest}"
