"""The Application's status on Argo CD's paths, as a function of snapshot, step and outcome. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rollouts.api.argoproj import application as api
from rollouts.controllers.application.actions import Begin, Event, Finish, Retry, Row, Run, Step, Wait
from rollouts.controllers.application.decide import HEAL_LIMIT, HEAL_WINDOW
from rollouts.controllers.application.decide.tasks import is_automated, prune_refusal
from rollouts.controllers.application.decide.view import View
from rollouts.controllers.application.snapshot import REFRESH, ApplicationSnapshot
from rollouts.gitops.comparison import Compared, aggregate_health, in_sync
from rollouts.gitops.diff.ignore import unsupported as unsupported_ignores
from rollouts.gitops.health.kinds import images_of
from rollouts.gitops.health.model import Health, Level
from rollouts.gitops.plan.options import unknown
from rollouts.kube.objects import Manifest, ReadOnly, format_time

HELD = "HeldTemplateWarning"
UNSUPPORTED = "UnsupportedFieldWarning"


def operation_state(view: View, step: Step, rows: Sequence[Row] | None = None) -> Manifest:
    """Return ``status.operationState`` after a step; ``rows`` are all results so far."""
    now = format_time(view.snapshot.now)
    state = dict(view.operation_state)
    if rows is not None:
        state["syncResult"] = {**(state.get("syncResult") or {}), "resources": list(rows)}
    match step:
        case Begin():
            return _begun(step, now)
        case Run() | Wait():
            state["message"] = step.message or "syncing"
        case Retry():
            state["message"] = step.message
            state["finishedAt"] = now
            state["retryCount"] = int(state.get("retryCount") or 0) + 1
        case Finish():
            state |= {"phase": step.phase, "message": step.message, "finishedAt": now}
            _end_hooks(state, step)
    return state


def _begun(step: Begin, now: str) -> Manifest:
    sync = step.operation.get("sync") or {}
    state: Manifest = {
        "phase": "Running",
        "message": step.message or "syncing",
        "operation": step.operation,
        "startedAt": step.started_at or now,
        "syncResult": {"revision": str(sync.get("revision") or ""), "resources": []},
    }
    if sync.get("source"):
        state["syncResult"]["source"] = sync["source"]
    if step.retry_count:
        state["retryCount"] = step.retry_count
    return state


def _end_hooks(state: Manifest, step: Finish) -> None:
    result = dict(state.get("syncResult") or {})
    phase = "Succeeded" if step.phase == "Succeeded" else "Failed"
    result["resources"] = [
        {**row, "hookPhase": phase} if row.get("hookType") and row.get("hookPhase") == "Running" else row
        for row in result.get("resources") or ()
    ]
    state["syncResult"] = result


def next_status(view: View, step: Step) -> Manifest:
    """Return the whole next status, except ``reconciledAt``. ``view`` is as after the step."""
    s = view.snapshot
    status = dict(s.status)
    if view.operation_state:
        status["operationState"] = dict(view.operation_state)
    if isinstance(step, Finish) and step.phase == "Succeeded":
        status["history"] = _history(view)
    compared = bool(view.obstacles) or s.source.targets is not None
    if not compared:
        return status
    if view.obstacles:
        status["sync"] = _unknown_sync(view)
        if not status.get("health"):
            status["health"] = _health(s, Health(Level.UNKNOWN))
    else:
        status["sync"] = _sync(view)
        status["health"] = _health(s, _application_health(view))
        status["resources"] = [_resource(one) for one in sorted(view.compared, key=_by_place)]
        status["sourceType"] = "Directory"
        _set(status, "summary", _summary(view))
    status["controllerNamespace"] = s.control_namespace
    _set(status, "conditions", _dated(s, _conditions(view)))
    return status


def _set(status: Manifest, field: str, value: Any) -> None:
    if value:
        status[field] = value
    else:
        status.pop(field, None)


def _compared_to(s: ApplicationSnapshot) -> Manifest:
    spec: Any = s.manifest.get("spec") or {}
    found: Manifest = {"destination": dict(spec.get("destination") or {}), "source": s.source_manifest}
    if spec.get("ignoreDifferences"):
        found["ignoreDifferences"] = list(spec["ignoreDifferences"])
    return found


def _sync(view: View) -> Manifest:
    return {
        "status": "Synced" if in_sync(view.compared) else "OutOfSync",
        "revision": view.snapshot.source.revision,
        "comparedTo": _compared_to(view.snapshot),
    }


def _unknown_sync(view: View) -> Manifest:
    if view.obstacles[0][0] == "InvalidSpecError":
        return {"status": "Unknown"}
    last = (view.snapshot.status.get("sync") or {}).get("revision") or ""
    known = view.snapshot.source.revision or last
    return {
        "status": "Unknown",
        "comparedTo": _compared_to(view.snapshot),
        **({"revision": known} if known else {}),
    }


def _application_health(view: View) -> Health:
    if view.holds.messages:
        return Health(Level.DEGRADED, next(iter(view.holds.messages.values())))
    return aggregate_health(view.compared)


def _health(s: ApplicationSnapshot, health: Health) -> Manifest:
    before = s.status.get("health") or {}
    found: Manifest = {"status": health.level.value}
    if health.message and health.level is not Level.HEALTHY:
        found["message"] = health.message
    same = before.get("status") == health.level.value
    found["lastTransitionTime"] = before.get("lastTransitionTime") if same else None
    if not found["lastTransitionTime"]:
        found["lastTransitionTime"] = format_time(s.now)
    return found


def _by_place(one: Compared) -> tuple[str, str, str, str]:
    return one.key.resource.group, one.key.resource.kind, one.key.namespace, one.key.name


def _resource(one: Compared) -> Manifest:
    resource = one.key.resource
    row: Manifest = {"version": resource.version, "kind": resource.kind, "name": one.key.name}
    if resource.group:
        row["group"] = resource.group
    if one.key.namespace:
        row["namespace"] = one.key.namespace
    if one.wave:
        row["syncWave"] = one.wave
    if one.is_hook:
        row["hook"] = True
        if one.target is None:
            row["requiresPruning"] = True
        return row
    row["status"] = "Synced" if one.in_step else "OutOfSync"
    if one.to_prune:
        row["requiresPruning"] = True
    health = Health(Level.MISSING) if one.missing else one.health
    if health is not None:
        row["health"] = {"status": health.level.value}
        if health.message and health.level is not Level.HEALTHY:
            row["health"]["message"] = health.message
    return row


def _summary(view: View) -> Manifest:
    images = {image for one in view.compared if one.live for image in images_of(one.live)}
    found: Manifest = {}
    if images:
        found["images"] = sorted(images)
    if any(one.key.resource.kind == "Application" for one in view.compared):
        found["isAppOfApps"] = True
    return found


def _history(view: View) -> list[Manifest]:
    """Return the history with this operation in it; a partial sync leaves no entry."""
    s, state = view.snapshot, view.operation_state
    before = list(s.status.get("history") or ())
    operation = state.get("operation") or {}
    sync = operation.get("sync") or {}
    if sync.get("resources"):
        return before
    entry = {
        "id": max((int(entry.get("id") or 0) for entry in before), default=-1) + 1,
        "revision": str(sync.get("revision") or s.source.revision),
        "source": sync.get("source") or s.source_manifest,
        "deployStartedAt": state.get("startedAt"),
        "deployedAt": state.get("finishedAt"),
        "initiatedBy": operation.get("initiatedBy") or {},
    }
    limit = s.spec.revision_history_limit
    keep = api.DEFAULT_HISTORY_LIMIT if limit is None else max(0, limit)
    return [*before, entry][-keep:] if keep else []


# --- conditions


def _conditions(view: View) -> Iterable[tuple[str, str]]:
    s = view.snapshot
    yield from view.obstacles
    yield from _inactive(view)
    if view.obstacles:
        return
    for warned in s.source.targets.warnings if s.source.targets else ():
        yield warned.type, warned.message
    for key, message in view.blocked.items():
        if key not in view.holds.blocked:
            yield ("SharedResourceWarning" if key in s.foreign else "SyncError"), message
    for message in view.holds.messages.values():
        yield HELD, message
    if s.automated is not None:
        yield from _automation(view, s.automated)


def _automation(view: View, automated: api.AutomatedSync) -> Iterable[tuple[str, str]]:
    s, state = view.snapshot, view.operation_state
    if automated.prune and (held := prune_refusal(view)):
        yield "SyncError", held
    revision = ((state.get("operation") or {}).get("sync") or {}).get("revision")
    if state.get("phase") in ("Failed", "Error") and revision == s.source.revision:
        yield "SyncError", f"Failed last sync attempt to [{revision}]: {state.get('message', '')}"
    recent = [moment for moment in s.heals if s.now - moment < HEAL_WINDOW]
    if len(recent) >= HEAL_LIMIT and not in_sync(view.compared):
        yield (
            "SyncError",
            f"Healed {len(recent)} times within {HEAL_WINDOW.seconds} s: somebody else writes the same "
            "fields. Healing is slowed down; find the other writer, or use "
            "spec.ignoreDifferences",
        )


def _inactive(view: View) -> Iterable[tuple[str, str]]:
    """Say which fields are set and not acted on, instead of being silent about them."""
    s = view.snapshot
    fields = list(unsupported_ignores(s.spec.ignore_differences))
    fields += [f"spec.syncPolicy.syncOptions: {name}" for name in unknown(s.options)]
    if s.project is not None and s.project.sync_windows:
        fields.append(f"spec.syncWindows of AppProject {s.project_name}")
    for name in fields:
        yield UNSUPPORTED, f"{name} is set, but this controller does not act on it yet"


def _dated(s: ApplicationSnapshot, found: Iterable[tuple[str, str]]) -> list[Manifest]:
    """Return the conditions with the time since when each has been there."""
    before = {(c.get("type"), c.get("message")): c for c in s.status.get("conditions") or ()}
    now = format_time(s.now)
    return [
        {
            "type": kind,
            "message": message,
            "lastTransitionTime": (before.get((kind, message)) or {}).get("lastTransitionTime") or now,
        }
        for kind, message in dict.fromkeys(found)
    ]


# --- the patch


def patch_body(view: View, step: Step, status: Mapping[str, Any]) -> Manifest:
    """Return the merge patch of the Application that a step asks for; {} when nothing has changed."""
    s = view.snapshot
    body: Manifest = {}
    changed = merge_patch(s.status, status)
    if changed:
        body["status"] = {**changed, "reconciledAt": format_time(s.now)}
    notes = {} if s.source.targets is None else dict(view.holds.annotations)
    if REFRESH in s.annotations and s.source.refreshed:
        notes[REFRESH] = None
    if isinstance(step, Begin) and s.operation is not None:
        body["operation"] = None
    if notes or body:
        body["metadata"] = {"resourceVersion": s.manifest["metadata"]["resourceVersion"]}
    if notes:
        body["metadata"]["annotations"] = notes
    return body


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Manifest:
    """Return the JSON merge patch (RFC 7386) from ``before`` to ``after``; {} when they are equal."""
    patch: Manifest = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            inner = merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


def events(before: ReadOnly, status: Mapping[str, Any], step: Step) -> Sequence[Event]:
    """Return what people are told of a change, in Argo CD's words."""
    found = []
    if isinstance(step, Begin) and is_automated(step.operation):
        revision = (step.operation.get("sync") or {}).get("revision")
        found.append(Event("OperationStarted", f"Initiated automated sync to '{revision}'"))
    for what, path in (("sync", "sync"), ("health", "health")):
        old = str((before.get(path) or {}).get("status") or "")
        new = str((status.get(path) or {}).get("status") or "")
        if new and new != old:
            found.append(Event("ResourceUpdated", f"Updated {what} status: {old} -> {new}"))
    if isinstance(step, Finish):
        found.append(_completed(step, status.get("operationState") or {}))
    return found


def _completed(step: Finish, state: ReadOnly) -> Event:
    sync = (state.get("operation") or {}).get("sync") or {}
    name = "Partial sync operation" if sync.get("resources") else "Sync operation"
    text = f"{name} to {sync.get('revision', '')}"
    if step.phase == "Succeeded":
        return Event("OperationCompleted", f"{text} succeeded")
    return Event("OperationCompleted", f"{text} failed: {step.message}", warning=True)
