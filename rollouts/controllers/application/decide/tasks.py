"""What the open tasks of a stage ask for: an apply, a deletion, or a result without either. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rollouts.controllers.application.actions import Row, Run, Step, Wait
from rollouts.controllers.application.decide.view import View
from rollouts.gitops.apply import Action, ApplyObject, DeleteObject
from rollouts.gitops.comparison import Compared, going
from rollouts.gitops.plan.prune import PRUNE_LIMIT, refusal
from rollouts.gitops.plan.stages import Task
from rollouts.kube.objects import ObjectKey, ReadOnly, annotations_of, resource_version, uid_of

HOOK_OPERATION = "rollouts.dev/sync-operation"
"""On a hook's object: the start of the operation that it ran for."""


def sync_of(view: View) -> ReadOnly:
    """Return ``operation.sync`` of the running operation."""
    return (view.operation_state.get("operation") or {}).get("sync") or {}


def is_automated(operation: ReadOnly) -> bool:
    """Tell whether nobody asked for the operation."""
    return bool((operation.get("initiatedBy") or {}).get("automated"))


def rows_of(view: View) -> Sequence[Row]:
    """Return the results that the operation has so far."""
    return (view.operation_state.get("syncResult") or {}).get("resources") or ()


def run_tasks(view: View, todo: Sequence[Task]) -> Step:
    actions: list[Action] = []
    rows: dict[ObjectKey, Row] = {}
    settled: list[Row] = []
    for task in todo:
        action, row = _task(view, task)
        if action is not None:
            actions.append(action)
        if row is not None and action is not None:
            rows[task.key] = row
        elif row is not None:
            settled.append(row)
    if not actions and not settled:
        return Wait("waiting for the hooks of the last sync to be deleted")
    return Run(tuple(actions), rows, settled, "")


def _task(view: View, task: Task) -> tuple[Action | None, Row | None]:
    match task.kind:
        case "prune":
            return _prune(view, task)
        case "hook":
            return _hook(view, task)
        case "apply":
            return _apply(view, task)


def _apply(view: View, task: Task) -> tuple[Action | None, Row | None]:
    one = task.one
    if not one.needs_apply:
        resource = task.key.resource
        return None, row_of(task, "Synced", f"{resource.kind.lower()}/{task.key.name} unchanged")
    version = resource_version(one.live or {})
    action = ApplyObject(
        key=one.key,
        manifest=one.effective or {},
        resource_version=version if one.guarded else "",
        before=version,
        replace=one.options.yes("Replace"),
    )
    return action, row_of(task, "Synced", "")


def _prune(view: View, task: Task) -> tuple[Action | None, Row | None]:
    if going(task.one):
        return None, row_of(task, "Pruned", "pruned")
    if not sync_of(view).get("prune"):
        return None, row_of(task, "PruneSkipped", "ignored (requires pruning)")
    if not task.one.may_prune:
        return None, row_of(task, "PruneSkipped", "ignored (no prune: its sync options forbid it)")
    held = prune_refusal(view) if is_automated(view.operation_state.get("operation") or {}) else ""
    if held:
        return None, row_of(task, "PruneSkipped", held)
    return deletion(task.one), row_of(task, "Pruned", "pruned")


def prune_refusal(view: View) -> str:
    """Return why an automated sync does not prune now; "" when it may."""
    to_prune = [one for one in view.compared if one.may_prune and not going(one)]
    automated = view.snapshot.automated
    return refusal(
        wanted=sum(1 for one in view.compared if one.target is not None and not one.is_hook),
        tracked=len(view.snapshot.tracked),
        to_prune=len(to_prune),
        limit=view.snapshot.annotations.get(PRUNE_LIMIT, ""),
        allow_empty=bool(automated and automated.allow_empty),
        revision=view.snapshot.source.revision,
    )


def _hook(view: View, task: Task) -> tuple[Action | None, Row | None]:
    """Create the hook's object anew; one of an earlier operation is deleted before, and waited for."""
    one = task.one
    if one.live is not None and not is_of_this(view, one):
        return (None, None) if going(one) else (deletion(one), None)
    if one.live is not None:
        return None, row_of(task, "Synced", f"{task.key.name} created")
    manifest = dict(one.target.manifest if one.target else {})
    notes = {**annotations_of(manifest), HOOK_OPERATION: _operation_id(view)}
    manifest["metadata"] = {**manifest["metadata"], "annotations": notes}
    return ApplyObject(key=one.key, manifest=manifest), row_of(task, "Synced", "")


def _operation_id(view: View) -> str:
    state = view.operation_state
    return f"{state.get('startedAt', '')}/{state.get('retryCount') or 0}"


def is_of_this(view: View, one: Compared) -> bool:
    return annotations_of(one.live or {}).get(HOOK_OPERATION) == _operation_id(view)


def deletion(one: Compared) -> DeleteObject:
    return DeleteObject(key=one.key, uid=uid_of(one.live or {}), propagation=one.options.propagation)


def row_of(task: Task, status: str, message: str) -> Row:
    """Return one entry of ``syncResult.resources``."""
    resource = task.key.resource
    row: Row = {
        "group": resource.group,
        "version": resource.version,
        "kind": resource.kind,
        "namespace": task.key.namespace,
        "name": task.key.name,
        "status": status,
        "message": message,
        "hookPhase": "Running" if task.kind != "prune" else "Succeeded",
        "syncPhase": task.phase.wire,
    }
    if task.kind == "hook":
        row["hookType"] = task.phase.wire
    return row
