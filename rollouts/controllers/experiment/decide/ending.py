"""When an Experiment is available, when and how it ends, and what is taken down afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.controllers.experiment.actions import DeleteService, PatchReplicaSet, TerminateAnalysisRun
from rollouts.controllers.experiment.decide import analyses, services, versions
from rollouts.controllers.experiment.decide.draft import Draft
from rollouts.kube import objects
from rollouts.kube.objects import format_time
from rollouts.workloads import labels
from rollouts.workloads.replicaset import ReplicaSet

_WORSE = ("Successful", "Inconclusive", "Error", "Failed")


def note_availability(d: Draft) -> bool:
    """Begin the time that counts when every version has all its pods, and its Service if it wants one."""
    s = d.s
    if s.over:
        return False
    if not d.phase:
        d.set("phase", "Pending")
    if s.status.available_at or s.spec.terminate:
        return False
    for template in s.spec.templates:
        entry = d.template(template.name)
        served = not s.service_name(template) or not services.has_ports(template) or entry.get("serviceName")
        if entry.get("status") != "Running" or not served:
            return False
    d.set("availableAt", d.now_text)
    d.set("phase", "Running")
    return False


def follow_outcome(d: Draft) -> bool:
    """End the Experiment: at once on a bad outcome, else when its time and what must finish is over."""
    s = d.s
    if s.over:
        return False
    phase, message = max(_verdicts(d), key=lambda verdict: _WORSE.index(verdict[0]), default=("", ""))
    if phase:
        _end(d, phase, message)
    elif not reached(d):
        _explain_wait(d)
    elif not _open_runs(d):
        _end(d, "Successful", "Experiment terminated" if s.spec.terminate else "")
    return False


def _verdicts(d: Draft) -> Iterator[tuple[str, str]]:
    s = d.s
    for template in s.spec.templates:
        entry = d.template(template.name)
        if entry.get("status") in ("Failed", "Error"):
            yield entry["status"], str(entry.get("message") or "")
    for analysis in s.spec.analyses:
        found = d.analysis_entries().get(analysis.name) or {}
        phase = found.get("phase")
        if phase not in _WORSE[1:]:
            continue
        run = analyses.current(s, analysis.name)
        stopped = run is not None and run.terminating and not analysis.required_for_completion
        if phase == "Inconclusive" and stopped:
            continue  # before it could know
        name = f"analysis '{analysis.name}': " if len(s.spec.analyses) > 1 else ""
        yield str(phase), name + str(found.get("message") or f"AnalysisRun is {phase}")


def reached(d: Draft) -> bool:
    """Tell whether nothing is left to wait for but runs that have been asked to stop.

    Required analyses that have all succeeded end the Experiment, also before its duration is over; without
    any, the duration does.
    """
    s = d.s
    if s.over or s.spec.terminate:
        return True
    required = [analysis.name for analysis in s.spec.analyses if analysis.required_for_completion]
    if required:
        entries = d.analysis_entries()
        return all((entries.get(name) or {}).get("phase") == "Successful" for name in required)
    return s.time_is_up


def _explain_wait(d: Draft) -> None:
    s = d.s
    if s.available_at is None:
        return
    if s.ends_at is not None and not s.time_is_up:
        d.look_again(s.ends_at)
        d.wait(f"the duration to end at {format_time(s.ends_at)}")
    elif any(analysis.required_for_completion for analysis in s.spec.analyses):
        d.wait("the required analyses to finish")
    else:
        d.wait("a person to terminate it: it has neither a duration nor a required analysis")


def _open_runs(d: Draft) -> bool:
    """Tell whether runs that have been asked to stop have not answered yet."""
    runs = [analyses.current(d.s, analysis.name) for analysis in d.s.spec.analyses]
    names = [run.name for run in runs if run is not None and not run.finished]
    if names:
        d.wait(f"analyses to stop: {', '.join(names)}")
    return bool(names)


def _end(d: Draft, phase: str, message: str) -> None:
    d.set("phase", phase)
    d.set("message", message or None)
    versions.close(d)


def stop_runs(d: Draft) -> bool:
    """Stop runs that nobody waits for: all at the end, those not required when the duration is over."""
    s = d.s
    everything = reached(d)
    if not (everything or s.time_is_up):
        return False
    kept = () if everything else (a.name for a in s.spec.analyses if a.required_for_completion)
    waited_for = {run.name for name in kept if (run := analyses.current(s, name)) is not None}
    for run in s.runs:
        if run.name not in waited_for and not (run.finished or run.terminating or run.deleting):
            d.do(TerminateAnalysisRun(name=run.name, uid=run.uid))
    return False


def wind_down(d: Draft) -> bool:
    """After the delay remove the Services, then the pods; never while a Rollout still sends traffic there."""
    s = d.s
    if not s.over:
        return False
    for template in s.spec.templates:
        rs = s.replica_sets.get(template.name)
        if rs is None or rs.desired == 0 or _delay_is_over(d, rs):
            _take_down(d, template.name, rs)
    return False


def _delay_is_over(d: Draft, rs: ReplicaSet) -> bool:
    s = d.s
    if not rs.has_deadline and s.scale_down_delay:
        deadline = s.now + s.scale_down_delay
        notes = {labels.SCALE_DOWN_DEADLINE: format_time(deadline)}
        d.do(PatchReplicaSet(name=rs.name, uid=rs.uid, annotations=notes))
        d.look_again(deadline)
        return False
    if rs.deadline is not None and rs.deadline > s.now:
        d.look_again(rs.deadline)
        d.wait(f"ReplicaSet {rs.name} to be scaled down at {rs.deadline_text}")
        return False
    return True


def _take_down(d: Draft, template: str, rs: ReplicaSet | None) -> None:
    service = d.s.services.get(template)
    if service is not None:
        name = objects.name_of(service)
        if name in d.s.routed:
            d.wait(f"the Rollout to take its traffic off Service {name}")
            return
        if not objects.is_deleting(service):
            d.do(DeleteService(name=name, uid=objects.uid_of(service)))
        d.template(template).pop("serviceName", None)
    if rs is not None and rs.desired > 0 and not rs.deleting:
        versions.resize(d, rs, 0, {})
