"""What to tell when the API server refuses a write of the plan. Pure.

The server is the judge of a pod template: what it finds invalid in a ReplicaSet is invalid in the Rollout.
"""

from __future__ import annotations

from rollouts.api import conditions as c
from rollouts.controllers.rollout.actions import Action, CreateReplicaSet, Decision, EditRoute
from rollouts.controllers.rollout.decide.conclude import conclude
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.progress import set_progressing
from rollouts.controllers.rollout.decide.validity import report_invalid_spec
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube import objects

CREATE_FAILED = "ReplicaSetCreateError"


def after_refusal(snapshot: RolloutSnapshot, action: Action, message: str, *, invalid: bool) -> Decision:
    """Return the status and the events that follow from a refused action; the same again changes nothing.

    ``invalid`` tells that the object itself was found wrong, not the right to write it.
    """
    d = Draft(snapshot)
    if isinstance(action, CreateReplicaSet):
        if invalid:
            d.invalid = f'The Rollout "{snapshot.name}" is invalid: spec.template: {message}'
            report_invalid_spec(d)
            return conclude(d)
        _tell_not_created(d, objects.name_of(action.body), message)
    else:
        reason = "TrafficRoutingError" if isinstance(action, EditRoute) else "ReconciliationError"
        d.tell(reason, f"{type(action).__name__} was refused: {message}", "Warning")
    return Decision(status=d.status, events=tuple(d.events))


def _tell_not_created(d: Draft, name: str, message: str) -> None:
    text = f'Failed to create new replica set "{name}": {message}'
    before = c.get_condition(d.status.get("conditions"), c.PROGRESSING) or {}
    if before.get("reason") != CREATE_FAILED or before.get("message") != text:
        set_progressing(d, "False", CREATE_FAILED, text, refresh=True)
        d.tell(CREATE_FAILED, text, "Warning")
