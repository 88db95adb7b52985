"""Why a Rollout stands where it stands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollouts.controllers.rollout.decide.draft import (
    BLUE_GREEN_PAUSE,
    CANARY_PAUSE_STEP,
    INCONCLUSIVE_ANALYSIS,
    INCONCLUSIVE_EXPERIMENT,
)
from rollouts.controllers.rollout.explain.lines import Line, line
from rollouts.controllers.rollout.explain.sight import Sight
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, parse_time
from rollouts.views.analysis import RunRow
from rollouts.views.pods import trouble
from rollouts.workloads.replicaset import ReplicaSet

TOLD_BETTER = (
    "a person to promote",
    "a person: The Rollout",
    "the pause to end in",
    "automatic promotion at",
    "AnalysisRun ",
    "the aborted version to be scaled down at",
)
"""What decisions say they wait for and this module tells with more detail."""

SHOWN_PODS = 3


def reasons(sight: Sight) -> Iterator[Line]:
    """Yield what the Rollout waits for, or suffers from, the most telling first."""
    if sight.invalid:
        yield Line(_invalid_text(sight))
        return
    yield from _unseen(sight)
    yield from _aborted(sight)
    yield from _held(sight)
    yield from _late(sight)
    for text in sight.decision.waits:
        if not text.startswith(TOLD_BETTER):
            yield Line(f"waits for {text}")
    for rs in (sight.s.new, sight.s.stable):
        if rs is not None and not (rs is sight.s.new and sight.s.aborted):
            yield from _pods(sight, rs)
        if sight.s.new is not None and sight.s.stable is not None and sight.s.new.name == sight.s.stable.name:
            break
    yield from _analyses(sight)


def _invalid_text(sight: Sight) -> str:
    text = sight.message.removeprefix("InvalidSpec: ")
    return text.removeprefix(f'The Rollout "{sight.s.name}" is invalid: ')


def _unseen(sight: Sight) -> Iterator[Line]:
    if not sight.unseen:
        return
    seen, now = sight.s.status.observed_generation, objects.generation(sight.s.manifest)
    told = f"it has seen generation {seen}, the spec is at {now}" if seen else "it has written no status yet"
    yield Line(
        f"waits for the controller to take note of the spec: {told}. If this stays, no controller is running"
    )


def _aborted(sight: Sight) -> Iterator[Line]:
    if not sight.s.aborted:
        return
    at = parse_time(sight.s.status.aborted_at)
    why = sight.abort_reason
    yield line(f"aborted because: {why}" if why else "aborted by a person (status.abort was set)", at)


def _held(sight: Sight) -> Iterator[Line]:
    if sight.s.spec.paused:
        yield Line("waits for a person to resume: spec.paused is set")
    since, until = sight.held_since, sight.held_until
    for reason in sight.holds:
        match reason:
            case _ if reason == INCONCLUSIVE_ANALYSIS:
                yield line("waits for a person to decide, for an analysis was inconclusive; paused", since)
            case _ if reason == INCONCLUSIVE_EXPERIMENT:
                yield line("waits for a person to decide, for an experiment was inconclusive; paused", since)
            case _ if reason in (CANARY_PAUSE_STEP, BLUE_GREEN_PAUSE) and until is not None:
                yield line("waits for the pause to end", until)
            case _:
                yield line("waits for a person to promote; paused", since)


def _late(sight: Sight) -> Iterator[Line]:
    if sight.late:
        seconds = sight.s.spec.progress_deadline_seconds
        shown = "the default of 600 s" if seconds is None else f"{seconds} s"
        yield Line(f"progress: nothing has moved within progressDeadlineSeconds ({shown}); it goes on trying")


def _pods(sight: Sight, rs: ReplicaSet) -> Iterator[Line]:
    """Name the pods that are not ready, and why; pods with the same trouble together."""
    if rs.failure:
        yield Line(f"ReplicaSet {rs.name} cannot create pods: {rs.failure.get('message', '')}")
    pods = sight.owned_pods(rs)
    groups: dict[str, list[str]] = {}
    for pod in pods:
        if why := trouble(pod):
            groups.setdefault(why, []).append(objects.name_of(pod))
    for why, names in groups.items():
        yield Line(f"{_named(names)}: {why}")
    delay = sight.s.spec.min_ready_seconds
    if not groups and delay and rs.available < rs.ready:
        count = rs.ready - rs.available
        yield Line(f"waits for {count} ready pods of {rs.name} to stay ready for minReadySeconds ({delay} s)")
    if rs.replicas < rs.desired and not rs.failure and _live(pods) < rs.desired:
        yield Line(f"waits for ReplicaSet {rs.name} to create {rs.desired - rs.replicas} more pods")


def _live(pods: Sequence[Manifest]) -> int:
    return sum(not objects.is_deleting(pod) for pod in pods)


def _named(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"pod {names[0]}"
    shown = ", ".join(names[:SHOWN_PODS])
    more = f" and {len(names) - SHOWN_PODS} more" if len(names) > SHOWN_PODS else ""
    return f"{len(names)} pods ({shown}{more})"


def _analyses(sight: Sight) -> Iterator[Line]:
    for run in sight.deciding_runs:
        if run.phase == "Successful" or (not sight.in_update and run.phase != "Running"):
            continue
        yield from _analysis(run)


def _analysis(run: RunRow) -> Iterator[Line]:
    kind = f"{run.kind.lower()} analysis" if run.kind else "analysis"
    if not run.metrics:
        yield Line(f"{kind} {run.name} is {run.phase}{': ' + run.message if run.message else ''}")
    for metric in run.metrics:
        yield Line(
            f"{kind} {run.name}, metric {metric.metric} is {metric.phase}: {metric.standing()}",
            metric.next_at if run.phase in ("Running", "Pending") else "",
        )
