"""A running sync operation: which stage is next, whether to wait or to try again, or its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rollouts.api.argoproj import application as api
from rollouts.api.scalars import ScalarError, parse_duration
from rollouts.controllers.application.actions import Begin, Finish, Retry, Row, Run, Step, Wait
from rollouts.controllers.application.decide.tasks import (
    deletion,
    is_automated,
    is_of_this,
    rows_of,
    run_tasks,
    sync_of,
)
from rollouts.controllers.application.decide.view import View
from rollouts.gitops.apply import ApplyObject
from rollouts.gitops.comparison import going
from rollouts.gitops.health.model import Level
from rollouts.gitops.plan.order import delete_policies
from rollouts.gitops.plan.stages import Stage, stages
from rollouts.kube.objects import (
    NAMESPACES,
    Manifest,
    ObjectKey,
    ReadOnly,
    format_time,
    parse_time,
)


def proceed(view: View) -> Step:
    """Return the next step of the operation that runs."""
    state, now = view.operation_state, view.snapshot.now
    if state.get("phase") == "Terminating":
        return Finish("Failed", "Operation terminated")
    failed_at = parse_time(state.get("finishedAt"))
    if failed_at is not None:
        due = failed_at + backoff(state.get("operation") or {}, int(state.get("retryCount") or 0))
        return _again(view) if now >= due else Wait(str(state.get("message", "")), due)
    if view.obstacles:
        return fail(view, "; ".join(text for _, text in view.obstacles))
    if view.snapshot.source.targets is None:
        return Wait("waiting for the repository")
    if _superseded(view):
        return _again(view)
    unsupported = _unsupported(sync_of(view))
    if unsupported:
        return Finish("Error", unsupported)
    return _stage(view)


def _superseded(view: View) -> bool:
    """An automated operation always goes for the newest revision."""
    operation = view.operation_state.get("operation") or {}
    revision = view.snapshot.source.revision
    return is_automated(operation) and bool(revision) and sync_of(view).get("revision") != revision


def _again(view: View) -> Begin:
    state = view.operation_state
    operation = dict(state.get("operation") or {})
    sync = dict(operation.get("sync") or {})
    if is_automated(operation) and view.snapshot.source.revision != sync.get("revision"):
        sync["revision"] = view.snapshot.source.revision
        sync["source"] = view.snapshot.source_manifest
        sync.pop("resources", None)
        sync.pop("autoHealAttemptsCount", None)
        return Begin({**operation, "sync": sync})
    count = int(state.get("retryCount") or 0)
    return Begin(operation, count, str(state.get("startedAt") or ""), f"Retrying operation. Attempt #{count}")


def _unsupported(sync: ReadOnly) -> str:
    for field in ("manifests", "sources", "dryRun"):
        if sync.get(field):
            return f"operation.sync.{field} is not supported yet; remove it and sync again"
    return ""


def backoff(operation: ReadOnly, count: int) -> timedelta:
    """Return the wait before retry ``count`` (from 1): duration × factorⁿ, at most maxDuration."""
    raw: Any = (operation.get("retry") or {}).get("backoff") or {}
    first = _duration(raw.get("duration"), api.DEFAULT_RETRY_DURATION)
    longest = _duration(raw.get("maxDuration"), api.DEFAULT_RETRY_MAX_DURATION)
    factor = int(raw.get("factor") or api.DEFAULT_RETRY_FACTOR)
    return min(longest, first * float(factor ** min(count, 20)))


def _duration(text: Any, default: str) -> timedelta:
    try:
        return parse_duration(text or default)
    except ScalarError:
        return parse_duration(default)


def fail(view: View, message: str) -> Retry | Finish:
    """Return the end of this attempt: another one later, or the end of the operation."""
    operation = view.operation_state.get("operation") or {}
    limit = int((operation.get("retry") or {}).get("limit") or 0)
    count = int(view.operation_state.get("retryCount") or 0)
    if limit < 0 or count < limit:
        until: datetime = view.snapshot.now + backoff(operation, count + 1)
        return Retry(f"{message}. Retrying attempt #{count + 1} at {format_time(until)}", until)
    return Finish("Failed", f"{message} (retried {count} times)." if count else message)


# --- stages


def _stage(view: View) -> Step:
    if view.snapshot.namespace_missing and view.options.yes("CreateNamespace"):
        action = ApplyObject(key=_namespace_key(view), manifest=_namespace(view))
        return Run((action,), message=f"creating namespace {action.key.name}")
    rows = {_identity(row): row for row in rows_of(view)}
    listed = sync_of(view).get("resources")
    only = frozenset(_place(entry) for entry in listed) if listed else None
    ordered = stages(view.compared, only=only)
    for index, stage in enumerate(ordered):
        todo = [task for task in stage.tasks if task.identity not in rows]
        failed = [row for row in rows.values() if row.get("status") == "SyncFailed"]
        if not todo:
            waiting = _hooks_running(view, stage)
            if waiting is not None:
                return waiting
            continue
        if failed:
            break
        unready = _unready(view, ordered[:index]) if any(t.kind != "prune" for t in todo) else None
        return unready or run_tasks(view, todo)
    return _concluded(view, list(rows.values()), len(ordered))


def _concluded(view: View, rows: Sequence[Row], count: int) -> Step:
    failed = [row for row in rows if row.get("status") == "SyncFailed"]
    if failed:
        reason = "; ".join(f"{row.get('kind')} {row.get('name')}: {row.get('message')}" for row in failed[:5])
        return fail(view, f"one or more objects failed to apply, reason: {reason}")
    done = "all tasks run" if count <= 1 else "no more tasks"
    return Finish("Succeeded", f"successfully synced ({done})")


def _unready(view: View, earlier: Sequence[Stage]) -> Step | None:
    """Return the wait for the objects of earlier stages; a degraded one fails the operation."""
    waiting = []
    for task in (task for stage in earlier for task in stage.tasks if task.kind == "apply"):
        level = task.one.health.level if task.one.health else Level.HEALTHY
        if task.one.live is None:
            level = Level.MISSING
        name = f"{task.key.resource.group}/{task.key.resource.kind}/{task.key.name}"
        if level is Level.DEGRADED:
            return fail(
                view,
                "one or more synchronization tasks completed unsuccessfully, reason: "
                f"{name} is degraded: {task.one.health.message if task.one.health else ''}",
            )
        if level in (Level.PROGRESSING, Level.MISSING):
            waiting.append(name)
    if not waiting:
        return None
    more = f" and {len(waiting) - 1} more resources" if len(waiting) > 1 else ""
    return Wait(f"waiting for healthy state of {waiting[0]}{more}")


def _hooks_running(view: View, stage: Stage) -> Step | None:
    for task in (task for task in stage.tasks if task.kind == "hook"):
        if not is_of_this(view, task.one):
            continue
        level = task.one.health.level if task.one.health else Level.HEALTHY
        name = f"{task.phase.wire} hook {task.key}"
        if level is Level.DEGRADED:
            message = task.one.health.message if task.one.health else ""
            return fail(
                view,
                "one or more synchronization tasks completed unsuccessfully, reason: "
                f"{name} failed: {message}",
            )
        if level is Level.PROGRESSING and not going(task.one):
            return Wait(f"waiting for completion of {name}")
        if "HookSucceeded" in delete_policies(task.one.live or {}) and not going(task.one):
            return Run((deletion(task.one),), message=f"{name} is done")
    return None


def _identity(row: ReadOnly) -> tuple[str, str, str, str, str]:
    return (
        str(row.get("group") or ""),
        str(row.get("kind") or ""),
        str(row.get("namespace") or ""),
        str(row.get("name") or ""),
        str(row.get("syncPhase") or "Sync"),
    )


def _place(entry: ReadOnly) -> tuple[str, str, str, str]:
    return (
        str(entry.get("group") or ""),
        str(entry.get("kind") or ""),
        str(entry.get("namespace") or ""),
        str(entry.get("name") or ""),
    )


def _namespace_key(view: View) -> ObjectKey:
    return ObjectKey(NAMESPACES, "", view.snapshot.spec.destination.namespace)


def _namespace(view: View) -> Manifest:
    policy = view.snapshot.spec.sync_policy
    wanted = (
        policy.managed_namespace_metadata.manifest() if policy and policy.managed_namespace_metadata else {}
    )
    kept = {field: wanted[field] for field in ("labels", "annotations") if wanted.get(field)}
    name = view.snapshot.spec.destination.namespace
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **kept}}
