"""Decisions about an Application, with plain values."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollouts.api.argoproj.application import ApplicationSpec
from rollouts.api.argoproj.appproject import AppProjectSpec
from rollouts.controllers.application.actions import (
    Begin,
    Finish,
    Idle,
    Release,
    Remove,
    Retry,
    Run,
    Step,
    Wait,
)
from rollouts.controllers.application.decide import HEAL_LIMIT, SLOW_RETRY, decide
from rollouts.controllers.application.decide.operation import backoff
from rollouts.controllers.application.decide.view import View
from rollouts.controllers.application.snapshot import FINALIZER, ApplicationSnapshot, SourceView
from rollouts.controllers.application.status import merge_patch, next_status, operation_state, patch_body
from rollouts.gitops.apply import ApplyObject, DeleteObject
from rollouts.gitops.render.directory import Origin, Rendered
from rollouts.gitops.targets import Served, Targets, build
from rollouts.kube.api import ServedResource
from rollouts.kube.objects import CONFIGMAPS, Manifest, ObjectKey, format_time

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REVISION, OLDER = "a" * 40, "b" * 40
SOURCE = {"repoURL": "https://h/x", "path": "app"}
SERVED = Served([ServedResource(CONFIGMAPS, frozenset({"list"}))])
AUTOMATED = {"automated": {"prune": True, "selfHeal": True}}


def configmap(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def targets(*manifests: Manifest) -> Targets:
    rendered = [Rendered(one, Origin("x.yaml", index)) for index, one in enumerate(manifests)]
    return build(rendered, SERVED, instance="shop", namespace="ns")


WANTED = targets(configmap("a", x="1"), configmap("b", x="1"))
IN_STEP = {target.key: target.manifest for target in WANTED.objects}
DRIFTED = {key: {**obj, "data": {"x": "2"}} if key.name == "a" else obj for key, obj in IN_STEP.items()}
OPERATION = {
    "initiatedBy": {"automated": True},
    "retry": {"limit": 2},
    "sync": {"revision": REVISION, "source": SOURCE, "prune": True},
}


def view(
    live: dict[ObjectKey, Manifest] | None = None,
    state: dict[str, Any] | None = None,
    policy: dict[str, Any] | None = AUTOMATED,
    wanted: Targets | None = WANTED,
    **rest: Any,
) -> View:
    live = IN_STEP if live is None else live
    spec = {
        "source": SOURCE,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "ns"},
        **({"syncPolicy": policy} if policy else {}),
    }
    metadata = {"name": "shop", "namespace": "argocd", "resourceVersion": "7", **rest.pop("metadata", {})}
    manifest: Manifest = {"metadata": metadata, "spec": spec, "status": {"operationState": state or {}}}
    operation = rest.pop("operation", None)
    if operation:
        manifest["operation"] = operation
    allowed = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}
    values: dict[str, Any] = {
        "now": NOW,
        "manifest": manifest,
        "spec": ApplicationSpec.model_validate(spec),
        "project": AppProjectSpec.model_validate(allowed),
        "source": SourceView(revision=REVISION, targets=wanted),
        "live": live,
        "tracked": frozenset(live),
    }
    return View.of(ApplicationSnapshot(**{**values, **rest}))


def running(*rows: dict[str, Any], **rest: Any) -> dict[str, Any]:
    result = {"revision": REVISION, "resources": list(rows)}
    state = {"phase": "Running", "operation": OPERATION, "startedAt": "t", "syncResult": result}
    return {**state, **rest}


def ended(phase: str, revision: str = REVISION, ago: float = 0) -> dict[str, Any]:
    sync = {**OPERATION["sync"], "revision": revision}
    finished = format_time(NOW - timedelta(seconds=ago))
    return {"phase": phase, "operation": {**OPERATION, "sync": sync}, "finishedAt": finished}


def row(name: str, status: str = "Synced") -> dict[str, Any]:
    place = {"group": "", "kind": "ConfigMap", "namespace": "ns", "name": name, "syncPhase": "Sync"}
    return {**place, "status": status, "message": "refused by a webhook"}


def begun(step: Step) -> dict[str, Any]:
    assert isinstance(step, Begin)
    return dict(step.operation["sync"])


def test_nothing_is_done_when_git_and_cluster_agree() -> None:
    assert decide(view()) == Idle()


def test_a_new_revision_is_synced_whole() -> None:
    sync = begun(decide(view({}, ended("Succeeded", OLDER))))
    assert sync == {"revision": REVISION, "source": SOURCE, "prune": True}


def test_drift_is_healed_by_a_sync_of_what_drifted() -> None:
    sync = begun(decide(view(DRIFTED, ended("Succeeded"))))
    assert sync["resources"] == [{"kind": "ConfigMap", "name": "a", "namespace": "ns"}]
    assert sync["autoHealAttemptsCount"] == 1


@pytest.mark.parametrize(
    "policy", [None, {"automated": {"enabled": False, "selfHeal": True}}, {"automated": {}}]
)
def test_drift_is_left_alone_without_self_heal(policy: dict[str, Any] | None) -> None:
    assert decide(view(DRIFTED, ended("Succeeded"), policy)) == Idle()


def test_healing_slows_down_when_somebody_fights_it() -> None:
    heals = tuple(NOW - timedelta(seconds=HEAL_LIMIT - n) for n in range(HEAL_LIMIT))
    step = decide(view(DRIFTED, ended("Succeeded"), heals=heals))
    assert step == Idle(heals[0] + timedelta(minutes=1))


def test_a_failed_revision_is_tried_again_later_and_a_new_one_at_once() -> None:
    assert decide(view({}, ended("Failed"))) == Idle(NOW + SLOW_RETRY)
    assert isinstance(decide(view({}, ended("Failed", ago=SLOW_RETRY.total_seconds()))), Begin)
    assert isinstance(decide(view({}, ended("Failed", OLDER))), Begin)


def test_an_operation_that_somebody_asks_for_is_taken_over_with_the_revision_of_the_moment() -> None:
    step = decide(view({}, policy=None, operation={"sync": {"prune": True}}))
    assert begun(step) == {"prune": True, "revision": REVISION}


def test_a_stage_applies_only_what_differs() -> None:
    step = decide(view(DRIFTED, running()))
    assert isinstance(step, Run)
    assert [(type(action), action.key.name) for action in step.actions] == [(ApplyObject, "a")]
    assert [settled["message"] for settled in step.settled] == ["configmap/b unchanged"]


def test_an_operation_with_all_results_has_succeeded() -> None:
    assert decide(view(state=running(row("a"), row("b")))) == Finish(
        "Succeeded", "successfully synced (all tasks run)"
    )


def test_a_failed_object_is_tried_again_after_a_growing_wait() -> None:
    step = decide(view(state=running(row("a", "SyncFailed"), row("b"))))
    assert isinstance(step, Retry)
    assert step.until == NOW + timedelta(seconds=10)
    assert "ConfigMap a: refused by a webhook" in step.message
    waiting = running(finishedAt=format_time(NOW - timedelta(seconds=9)), retryCount=1, message="m")
    assert decide(view(state=waiting)) == Wait("m", NOW + timedelta(seconds=1))
    due = running(finishedAt=format_time(NOW - timedelta(seconds=10)), retryCount=1)
    again = decide(view(state=due))
    assert isinstance(again, Begin)
    assert again.retry_count == 1


def test_after_the_last_retry_the_operation_has_failed() -> None:
    step = decide(view(state=running(row("a", "SyncFailed"), row("b"), retryCount=2)))
    assert isinstance(step, Finish)
    assert step.phase == "Failed"
    assert step.message.endswith("(retried 2 times).")


def test_an_automated_operation_goes_for_the_newest_revision_even_between_retries() -> None:
    old = {**OPERATION, "sync": {**OPERATION["sync"], "revision": OLDER}}
    assert begun(decide(view({}, running(operation=old))))["revision"] == REVISION


def test_a_terminated_operation_ends() -> None:
    assert decide(view({}, running(phase="Terminating"))) == Finish("Failed", "Operation terminated")


@pytest.mark.parametrize(("count", "seconds"), [(1, 10), (2, 20), (5, 160), (9, 180)])
def test_waits_between_retries(count: int, seconds: int) -> None:
    assert backoff({}, count) == timedelta(seconds=seconds)


def test_waits_between_retries_as_set() -> None:
    retry = {"backoff": {"duration": "1s", "factor": 3, "maxDuration": "10s"}}
    assert [backoff({"retry": retry}, n).total_seconds() for n in (1, 2, 3)] == [3, 9, 10]


def test_with_the_finalizer_all_objects_go_before_the_application() -> None:
    metadata = {"deletionTimestamp": "t", "finalizers": ["other", FINALIZER]}
    step = decide(view(metadata=metadata, wanted=None))
    assert isinstance(step, Remove)
    assert [(type(action), action.key.name) for action in step.actions] == [
        (DeleteObject, "a"),
        (DeleteObject, "b"),
    ]
    assert decide(view({}, metadata=metadata)) == Release(("other",))


def test_without_the_finalizer_objects_stay() -> None:
    assert decide(view(metadata={"deletionTimestamp": "t"})) == Idle()


def test_a_transition_is_committed_with_the_version_that_was_seen() -> None:
    before = view({}, ended("Succeeded", OLDER), operation={"sync": {}})
    step = decide(before)
    after = View(before.snapshot, before.live, operation_state(before, step))
    body = patch_body(after, step, next_status(after, step))
    assert body["metadata"]["resourceVersion"] == "7"
    assert body["operation"] is None
    assert body["status"]["operationState"]["phase"] == "Running"
    assert body["status"]["operationState"]["finishedAt"] is None


def test_a_status_that_has_not_changed_is_not_written() -> None:
    first = view()
    status = next_status(first, Idle())
    manifest = {**first.snapshot.manifest, "status": {**status, "reconciledAt": "earlier"}}
    again = view()
    snapshot = ApplicationSnapshot(
        now=NOW + timedelta(hours=1),
        manifest=manifest,
        spec=again.snapshot.spec,
        project=again.snapshot.project,
        source=again.snapshot.source,
        live=again.snapshot.live,
        tracked=again.snapshot.tracked,
    )
    same = View.of(snapshot)
    assert patch_body(same, Idle(), next_status(same, Idle())) == {}


def test_a_merge_patch_removes_what_is_gone() -> None:
    before = {"a": 1, "b": {"c": 1, "d": 2}, "l": [1]}
    after = {"b": {"c": 1}, "l": [2], "n": {}}
    assert merge_patch(before, after) == {"a": None, "b": {"d": None}, "l": [2], "n": {}}
    assert merge_patch(after, after) == {}
