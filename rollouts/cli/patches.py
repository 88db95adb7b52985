"""What each command writes, as pure functions from the live Rollout to patches.

The fields are those that the field's other tools write too, so that it does not matter which one is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.workloads import labels
from rollouts.workloads.replicaset import ReplicaSet, parse_ephemeral, read


class NothingToDo(Exception):
    """What was asked for makes no sense in the present state; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Merge patches of spec and status (empty: none), or a patch of the whole object; and what was done."""

    done: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    whole: Mapping[str, Any] = field(default_factory=dict)
    json_patch: Sequence[Mapping[str, Any]] = ()


def abort(live: ReadOnly) -> Patch:
    """Send all traffic back to stable."""
    status = live.get("status") or {}
    if status.get("abort"):
        return Patch(done="is aborted already")
    if _fully_promoted(status):
        raise NothingToDo("no update is under way: the current version is the stable one")
    return Patch(done="aborted", status={"abort": True})


def retry(live: ReadOnly) -> Patch:
    """Take an abort back."""
    status = live.get("status") or {}
    if not status.get("abort"):
        return Patch(done="is not aborted: there is nothing to retry")
    return Patch(done="retried", status={"abort": False})


def retry_experiment(live: ReadOnly) -> Patch:
    """Run an Experiment again from the beginning: it forgets what it has found."""
    phase = (live.get("status") or {}).get("phase", "")
    if phase not in ENDED:
        raise NothingToDo(f"it has not ended ({phase or 'Pending'}); `terminate` it first")
    return Patch(done="retried", whole={"status": None})


def pause(live: ReadOnly) -> Patch:
    """Hold the Rollout."""
    if (live.get("spec") or {}).get("paused"):
        return Patch(done="is paused already")
    return Patch(done="paused", spec={"paused": True})


def resume(live: ReadOnly) -> Patch:
    """End a hold by ``pause``."""
    if not (live.get("spec") or {}).get("paused"):
        held = (live.get("status") or {}).get("pauseConditions")
        hint = "; the pause of a step is ended by `promote`" if held else ""
        raise NothingToDo(f"spec.paused is not set{hint}")
    return Patch(done="resumed", spec={"paused": False})


def promote(live: ReadOnly) -> Patch:
    """Go on after a pause; without one, skip the present step."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    unpause = {"paused": False} if spec.get("paused") else {}
    pauses = status.get("pauseConditions") or ()
    following = _next_step(spec, status)
    if pauses:
        inconclusive = any(str(p.get("reason", "")).startswith("Inconclusive") for p in pauses)
        changed: dict[str, Any] = {"pauseConditions": None}
        if inconclusive and following is not None:
            changed |= {"controllerPause": False, "currentStepIndex": following}
        return Patch(done="promoted", spec=unpause, status=changed)
    if unpause:
        return Patch(done="promoted", spec=unpause)
    if status.get("abort"):
        raise NothingToDo("it is aborted: `retry` it, or `promote --full` to skip everything")
    if _fully_promoted(status):
        return Patch(done="is fully promoted already")
    if following is None:
        raise NothingToDo("it is not paused and has no step left")
    return Patch(done="promoted", status={"pauseConditions": None, "currentStepIndex": following})


def promote_full(live: ReadOnly) -> Patch:
    """Skip everything that is left."""
    if _fully_promoted(live.get("status") or {}):
        return Patch(done="is fully promoted already")
    return Patch(done="fully promoted", status={"promoteFull": True})


def skip_step(live: ReadOnly) -> Patch:
    """Go past the present step, whatever it waits for."""
    steps = _steps_to_skip(live)
    index = min(int((live.get("status") or {}).get("currentStepIndex") or 0) + 1, steps)
    return Patch(done="promoted", status={"currentStepIndex": index})


def skip_all_steps(live: ReadOnly) -> Patch:
    """Go past the last step; pods and traffic follow as after any last step."""
    return Patch(done="promoted", status={"currentStepIndex": _steps_to_skip(live)})


def _steps_to_skip(live: ReadOnly) -> int:
    strategy = (live.get("spec") or {}).get("strategy") or {}
    if "blueGreen" in strategy:
        raise NothingToDo("a blue-green Rollout has no steps to skip: `promote` it without this option")
    steps = (strategy.get("canary") or {}).get("steps") or ()
    if not steps:
        raise NothingToDo("its canary has no steps to skip: `promote` it without this option")
    return len(steps)


def restart(live: ReadOnly, at: str) -> Patch:
    """Have the pods that are older than ``at`` (RFC 3339) replaced."""
    return Patch(done=f"restarts its pods at {at}", spec={"restartAt": at})


def set_images(live: ReadOnly, images: Mapping[str, str]) -> Patch:
    """Set images of containers by name; ``*`` stands for all. Raises NothingToDo for an unknown container."""
    _own_template(live, "set image")
    template = (live.get("spec") or {}).get("template") or {}
    pod = template.get("spec") or {}
    known = [c.get("name") for part in _CONTAINERS for c in pod.get(part) or ()]
    unknown = [name for name in images if name != "*" and name not in known]
    if unknown:
        raise NothingToDo(f"no container {unknown[0]!r} in the pod template. There are: {', '.join(known)}")
    operations = [
        {"op": "replace", "path": f"/spec/template/spec/{part}/{index}/image", "value": wanted}
        for part in _CONTAINERS
        for index, container in enumerate(pod.get(part) or ())
        if (wanted := images.get(container.get("name"), images.get("*", "")))
        and wanted != container.get("image")
    ]
    if not operations:
        return Patch(done="has these images already")
    return Patch(done="image updated", json_patch=(_precondition(live), *operations))


ENDED = ("Successful", "Failed", "Error", "Inconclusive")
"""Phases of an analysis or an experiment that nothing follows."""
_CONTAINERS = ("containers", "initContainers")


def undo(live: ReadOnly, replica_sets: Sequence[Manifest], revision: int) -> Patch:
    """Put the pod template of an earlier revision back; 0 means the one before the present."""
    _own_template(live, "undo")
    sets = sorted((read(rs) for rs in replica_sets), key=lambda rs: -rs.revision)
    chosen = _revision(sets, revision)
    template = _without_marks(chosen)
    if template == (live.get("spec") or {}).get("template"):
        return Patch(done=f"keeps its template: revision {chosen.revision} is what it has already")
    operation = {"op": "replace", "path": "/spec/template", "value": template}
    return Patch(
        done=f"undone: back to revision {chosen.revision}", json_patch=(_precondition(live), operation)
    )


def terminate_run(live: ReadOnly) -> Patch:
    """Ask an AnalysisRun to stop."""
    phase = (live.get("status") or {}).get("phase", "")
    if phase in ENDED:
        raise NothingToDo(f"it has ended already ({phase})")
    return Patch(done="terminated", spec={"terminate": True})


def _revision(sets: Sequence[ReplicaSet], revision: int) -> ReplicaSet:
    known = ", ".join(str(rs.revision) for rs in reversed(sets)) or "none"
    if revision:
        found = next((rs for rs in sets if rs.revision == revision), None)
        if found is None:
            raise NothingToDo(f"no revision {revision}. There are: {known}")
        return found
    if len(sets) < 2:
        raise NothingToDo(f"no revision to go back to. There are: {known}")
    return sets[1]


def _without_marks(rs: ReplicaSet) -> Manifest:
    """Return a version's pod template without what controllers put into it."""
    template = (rs.manifest.get("spec") or {}).get("template") or {}
    injected = parse_ephemeral(objects.annotations_of(rs.manifest).get(labels.EPHEMERAL_METADATA, "{}"))
    metadata = dict(template.get("metadata") or {})
    drop = {
        "labels": {labels.POD_TEMPLATE_HASH, *injected["labels"]},
        "annotations": set(injected["annotations"]),
    }
    for part, names in drop.items():
        kept = {key: value for key, value in (metadata.get(part) or {}).items() if key not in names}
        if kept:
            metadata[part] = kept
        else:
            metadata.pop(part, None)
    return {**template, "metadata": metadata}


def _own_template(live: ReadOnly, verb: str) -> None:
    ref = (live.get("spec") or {}).get("workloadRef") or {}
    if ref:
        kind, name = ref.get("kind", "workload"), ref.get("name", "")
        raise NothingToDo(f"its pod template is in {kind} {name} (workloadRef): {verb} there")


def _precondition(live: ReadOnly) -> Mapping[str, Any]:
    version = objects.resource_version(live)
    return {"op": "test", "path": "/metadata/resourceVersion", "value": version}


def _fully_promoted(status: ReadOnly) -> bool:
    return bool(status.get("stableRS")) and status.get("stableRS") == status.get("currentPodHash")


def _next_step(spec: ReadOnly, status: ReadOnly) -> int | None:
    steps = ((spec.get("strategy") or {}).get("canary") or {}).get("steps") or ()
    index = status.get("currentStepIndex")
    return None if index is None or index >= len(steps) else int(index) + 1
