"""From a snapshot to the next step: a list of checks in order, which reads as the specification. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from rollouts.api.argoproj import application as api
from rollouts.controllers.application.actions import Begin, Finish, Idle, Release, Remove, Step
from rollouts.controllers.application.decide.operation import proceed
from rollouts.controllers.application.decide.tasks import is_automated, prune_refusal
from rollouts.controllers.application.decide.view import View
from rollouts.controllers.application.snapshot import FINALIZER
from rollouts.gitops.apply import DeleteObject
from rollouts.gitops.comparison import Compared, going
from rollouts.gitops.plan.options import of_object
from rollouts.gitops.plan.order import wave_of
from rollouts.kube.api import Propagation
from rollouts.kube.objects import Manifest, is_deleting, parse_time, uid_of

SLOW_RETRY = timedelta(minutes=3)
"""After all retries of an automated sync failed, the same revision is tried again this much later."""
HEAL_LIMIT = 30
HEAL_WINDOW = timedelta(minutes=1)
"""More heals than this within the window mean that somebody else writes the same fields: slow down."""

Check = Callable[[View], Step | None]


def decide(view: View) -> Step:
    """Return the next step."""
    for check in _CHECKS:
        step = check(view)
        if step is not None:
            return step
    return Idle()


def _deletion(view: View) -> Step | None:
    """Being deleted: with our finalizer all objects go first, the highest wave before the others."""
    s = view.snapshot
    if not s.deleting:
        return None
    mine = [name for name in s.finalizers if name == FINALIZER or name.startswith(f"{FINALIZER}/")]
    if not mine:
        return Idle()
    left = {
        key: obj
        for key, obj in view.live.items()
        if key in s.tracked and not of_object(obj, s.options).no("Delete")
    }
    if not left:
        return Release(tuple(name for name in s.finalizers if name not in mine))
    top = max(wave_of(obj) for obj in left.values())
    background: Propagation = "Background" if f"{FINALIZER}/background" in mine else "Foreground"
    return Remove(
        tuple(
            DeleteObject(key=key, uid=uid_of(obj), propagation=background)
            for key, obj in sorted(left.items())
            if wave_of(obj) == top and not is_deleting(obj)
        )
    )


def _running(view: View) -> Step | None:
    return proceed(view) if view.operation_state.get("phase") in ("Running", "Terminating") else None


def _asked(view: View) -> Step | None:
    """Somebody asks for an operation: take it over as it is."""
    operation = view.snapshot.operation
    if operation is None:
        return None
    sync = operation.get("sync")
    if not isinstance(sync, dict):
        return Begin(dict(operation), message="operation.sync is missing")
    revision = sync.get("revision") or view.snapshot.source.revision
    taken: Manifest = {**operation, "sync": {**sync, **({"revision": revision} if revision else {})}}
    return Begin({**taken, "retry": operation.get("retry") or {}})


def _not_comparable(view: View) -> Step | None:
    return Idle() if view.obstacles or view.snapshot.source.targets is None else None


def _automatic(view: View) -> Step | None:
    """Out of sync, and nobody has to be asked."""
    s, automated = view.snapshot, view.snapshot.automated
    if automated is None:
        return None
    pending = _actionable(view, automated)
    if not pending:
        return None
    state = view.operation_state
    last = (state.get("operation") or {}).get("sync") or {}
    attempted = last.get("revision") == s.source.revision and last.get("source") == s.source_manifest
    if not attempted:
        return Begin(_operation(view, automated))
    if state.get("phase") in ("Failed", "Error"):
        finished = parse_time(state.get("finishedAt")) or s.now
        due = finished + SLOW_RETRY
        return Begin(_operation(view, automated)) if s.now >= due else Idle(due)
    if not automated.self_heal:
        return None
    recent = [moment for moment in s.heals if s.now - moment < HEAL_WINDOW]
    if len(recent) >= HEAL_LIMIT:
        return Idle(recent[-HEAL_LIMIT] + HEAL_WINDOW)
    return Begin(_heal(view, automated, pending))


def _actionable(view: View, automated: api.AutomatedSync) -> list[Compared]:
    found = [one for one in view.compared if one.needs_apply]
    if automated.prune and not prune_refusal(view):
        found += [one for one in view.compared if one.may_prune and not going(one)]
    return found


def _operation(view: View, automated: api.AutomatedSync) -> Manifest:
    s = view.snapshot
    sync: Manifest = {"revision": s.source.revision, "source": s.source_manifest}
    if automated.prune:
        sync["prune"] = True
    if s.sync_options:
        sync["syncOptions"] = list(s.sync_options)
    retry = s.spec.sync_policy.retry if s.spec.sync_policy else None
    return {
        "initiatedBy": {"automated": True},
        "retry": retry.manifest() if retry else {"limit": api.DEFAULT_RETRY_LIMIT},
        "sync": sync,
    }


def _heal(view: View, automated: api.AutomatedSync, pending: list[Compared]) -> Manifest:
    """A partial sync of what drifted: no hooks, no history."""
    operation = _operation(view, automated)
    last = (view.operation_state.get("operation") or {}).get("sync") or {}
    operation["sync"]["resources"] = [_entry(one) for one in pending]
    operation["sync"]["autoHealAttemptsCount"] = int(last.get("autoHealAttemptsCount") or 0) + 1
    return operation


def _entry(one: Compared) -> Manifest:
    resource = one.key.resource
    entry = {"kind": resource.kind, "name": one.key.name}
    if resource.group:
        entry["group"] = resource.group
    if one.key.namespace:
        entry["namespace"] = one.key.namespace
    return entry


_CHECKS: tuple[Check, ...] = (_deletion, _running, _asked, _not_comparable, _automatic)

__all__ = ["Finish", "decide", "is_automated"]
