"""Carrying out a decision: the plan in order, then one status write. The first failure ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, assert_never

from rollouts.controllers.rollout.actions import (
    Action,
    AdoptReplicaSet,
    CopyConfig,
    CreateAnalysisRun,
    CreateExperiment,
    CreateReplicaSet,
    Decision,
    DecoratePods,
    DeleteAnalysisRun,
    DeleteExperiment,
    DeleteReplicaSet,
    EditRoute,
    Event,
    EvictPod,
    OwnConfigCopy,
    PatchReplicaSet,
    PatchRollout,
    ScaleWorkload,
    SwitchService,
    TerminateAnalysisRun,
    TerminateExperiment,
)
from rollouts.controllers.rollout.decide.refusal import after_refusal
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.mergepatch import merge_patch
from rollouts.kube.objects import Manifest, Resource
from rollouts.traffic.router import Edit
from rollouts.workloads import configcopies, labels

FIELD_MANAGER = "rollouts-controller"

Tell = Callable[[Event], None]
ResourceOf = Callable[[str, str, str], Resource]
"""``resource_of(group, version, kind)`` from discovery; raises KubeError.NotFound when it is not served."""
Reached = Callable[[str, str], str]
"""``reached(namespace, pod_hash)`` says what still sends traffic to a version, "" when nothing does."""


MayWait = Callable[[Manifest], bool]
"""``may_wait(patch)`` tells whether the write of a status patch can wait for the next one."""


def at_once(patch: Manifest) -> bool:
    """Let no status wait."""
    return False


class ShrinkRefusedError(Exception):
    """The plan would take the last pods of a version that live traffic still reaches: a bug, stopped here."""


class Apply:
    """Writes one decision about one Rollout through an API that is scoped to its key."""

    def __init__(
        self, api: KubeApi, snapshot: RolloutSnapshot, tell: Tell, resource_of: ResourceOf, reached: Reached
    ) -> None:
        self._api = api
        self._s = snapshot
        self._tell = tell
        self._resource_of = resource_of
        self._reached = reached
        self._version = objects.resource_version(snapshot.manifest)

    async def run(self, decision: Decision, may_wait: MayWait = at_once) -> None:
        """Carry out the plan, then commit the status, then tell people. Raises KubeError.

        A status that ``may_wait`` is left to a later decision, unless there is something to tell. A write
        that the API server refuses ends the plan; people are told before the error is raised.
        """
        for action in decision.actions:
            try:
                await self._one(action)
            except (errors.Invalid, errors.Forbidden) as refused:
                invalid = isinstance(refused, errors.Invalid)
                await self._finish(after_refusal(self._s, action, refused.message, invalid=invalid))
                raise
            event = getattr(action, "event", None)
            if event is not None:
                self._tell(event)
        await self._finish(decision, may_wait)

    async def _finish(self, decision: Decision, may_wait: MayWait = at_once) -> None:
        patch = merge_patch(self._s.manifest.get("status") or {}, decision.status)
        if decision.events or not may_wait(patch):
            await self._commit(patch)
        for event in decision.events:
            self._tell(event)

    async def _commit(self, patch: Manifest) -> None:
        """Write what changed, only if the Rollout is still the one that was observed."""
        if not patch:
            return
        body = {"metadata": {"resourceVersion": self._version}, "status": patch}
        await self._api.patch(
            objects.ROLLOUTS, self._s.namespace, self._s.name, body, subresource="status",
            field_manager=FIELD_MANAGER,
        )  # fmt: skip

    async def _one(self, action: Action) -> None:  # noqa: C901 - one line per action
        match action:
            case CreateReplicaSet():
                await self._create(objects.REPLICASETS, action.body)
            case CreateAnalysisRun():
                await self._create(objects.ANALYSIS_RUNS, action.body)
            case CreateExperiment():
                await self._create(objects.EXPERIMENTS, action.body)
            case PatchReplicaSet():
                await self._patch_replica_set(action)
            case DecoratePods():
                await self._decorate(action)
            case AdoptReplicaSet():
                # The list is replaced as a whole: an owner that came meanwhile must not be lost.
                meta = {"uid": action.uid, "resourceVersion": action.version}
                owners = {"metadata": {**meta, "ownerReferences": list(action.owners)}}
                await self._patch(objects.REPLICASETS, action.name, owners)
            case CopyConfig():
                await self._copy_config(action)
            case OwnConfigCopy():
                meta = {"uid": action.uid, "resourceVersion": action.version}
                owners = {"metadata": {**meta, "ownerReferences": list(action.owners)}}
                await self._patch(objects.CONFIGMAPS, action.name, owners)
            case DeleteReplicaSet():
                await self._delete(objects.REPLICASETS, action.name, action.uid)
            case DeleteAnalysisRun():
                await self._delete(objects.ANALYSIS_RUNS, action.name, action.uid)
            case DeleteExperiment():
                await self._delete(objects.EXPERIMENTS, action.name, action.uid)
            case TerminateAnalysisRun():
                body = {"metadata": {"uid": action.uid}, "spec": {"terminate": True}}
                await self._patch(objects.ANALYSIS_RUNS, action.name, body)
            case TerminateExperiment():
                body = {"metadata": {"uid": action.uid}, "spec": {"terminate": True}}
                await self._patch(objects.EXPERIMENTS, action.name, body)
            case SwitchService():
                await self._switch(action)
            case EditRoute():
                await self._edit(action.edit)
            case PatchRollout():
                await self._patch_rollout(action)
            case EvictPod():
                await self._evict(action)
            case ScaleWorkload():
                body = {"metadata": {"uid": action.uid}, "spec": {"replicas": action.replicas}}
                await self._patch(objects.DEPLOYMENTS, action.name, body)
            case _:
                assert_never(action)

    async def _create(self, resource: Resource, body: Manifest) -> None:
        """Create an object; one that is there already counts when it is ours and of the same attempt."""
        try:
            await self._api.create(resource, self._s.namespace, body, field_manager=FIELD_MANAGER)
        except errors.AlreadyExists:
            there = await self._api.get(resource, self._s.namespace, objects.name_of(body))
            if not self._is_ours(there, body):
                raise

    def _is_ours(self, there: Manifest, body: Manifest) -> bool:
        owner = objects.controller_owner(there)
        same_try = objects.annotations_of(there).get(labels.ATTEMPT) == objects.annotations_of(body).get(
            labels.ATTEMPT
        )
        return owner is not None and owner.get("uid") == objects.uid_of(self._s.manifest) and same_try

    async def _copy_config(self, action: CopyConfig) -> None:
        """Copy what is live now: the cache keeps digests alone. Raises Conflict when it has changed."""
        source = await self._api.get(objects.CONFIGMAPS, self._s.namespace, action.source)
        if configcopies.digest_of(source) != action.digest:
            raise errors.Conflict(f"ConfigMap {action.source} has changed meanwhile", status=409)
        body = configcopies.build_copy(source, action.name, action.owner)
        try:
            await self._api.create(objects.CONFIGMAPS, self._s.namespace, body, field_manager=FIELD_MANAGER)
        except errors.AlreadyExists:
            there = await self._api.get(objects.CONFIGMAPS, self._s.namespace, action.name)
            if not configcopies.is_copy(there, action.source, action.digest):
                raise

    async def _delete(self, resource: Resource, name: str, uid: str) -> None:
        try:
            await self._api.delete(resource, self._s.namespace, name, uid=uid)
        except errors.NotFound:
            return

    async def _patch(self, resource: Resource, name: str, body: Manifest) -> Manifest:
        return await self._api.patch(resource, self._s.namespace, name, body, field_manager=FIELD_MANAGER)

    async def _patch_replica_set(self, action: PatchReplicaSet) -> None:
        if action.replicas == 0 and action.shrinks and self._s.replicas > 0:
            by = self._reached(self._s.namespace, action.hash)
            if by:
                raise ShrinkRefusedError(
                    f"ReplicaSet {action.name} keeps its {action.before} pods: {by} still reaches them"
                )
        metadata: Manifest = {"uid": action.uid}
        if action.annotations:
            metadata["annotations"] = dict(action.annotations)
        body: Manifest = {"metadata": metadata}
        scale = {} if action.replicas is None else {"replicas": action.replicas}
        if scale or action.spec:
            body["spec"] = {**action.spec, **scale}
        await self._patch(objects.REPLICASETS, action.name, body)

    async def _decorate(self, action: DecoratePods) -> None:
        """Template first, so that pods born meanwhile have it; the mark that it is done comes last."""
        uid = {"uid": action.uid}
        template = {"metadata": uid, "spec": {"template": {"metadata": dict(action.metadata)}}}
        await self._patch(objects.REPLICASETS, action.name, template)
        selector = f"{labels.POD_TEMPLATE_HASH}={action.hash}"
        pods = await self._api.list(objects.PODS, self._s.namespace, label_selector=selector)
        for pod in pods.items:
            owner = objects.controller_owner(pod)
            if owner is not None and owner.get("uid") == action.uid and not objects.is_deleting(pod):
                await self._decorate_pod(pod, action.metadata)
        mark = {"annotations": {labels.EPHEMERAL_METADATA: action.annotation}}
        await self._patch(objects.REPLICASETS, action.name, {"metadata": {**uid, **mark}})

    async def _decorate_pod(self, pod: Manifest, metadata: Mapping[str, Any]) -> None:
        body = {"metadata": {"uid": objects.uid_of(pod), **metadata}}
        try:
            await self._patch(objects.PODS, objects.name_of(pod), body)
        except (errors.NotFound, errors.Conflict):
            return  # gone meanwhile, or another pod of the same name

    async def _evict(self, action: EvictPod) -> None:
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": action.name, "namespace": self._s.namespace},
            "deleteOptions": {"preconditions": {"uid": action.uid}},
        }
        try:
            await self._api.create(
                objects.PODS, self._s.namespace, body, name=action.name, subresource="eviction"
            )
        except (errors.NotFound, errors.Conflict, errors.TooManyRequests):
            return  # gone already, replaced meanwhile, or a disruption budget says: later

    async def _switch(self, action: SwitchService) -> None:
        metadata: Manifest = {"uid": action.uid, "resourceVersion": action.resource_version}
        if action.managed_by is not None:
            metadata["annotations"] = {labels.MANAGED_BY: action.managed_by}
        selector = {labels.POD_TEMPLATE_HASH: action.hash}
        await self._patch(
            objects.SERVICES, action.name, {"metadata": metadata, "spec": {"selector": selector}}
        )

    async def _edit(self, edit: Edit) -> None:
        resource = self._resource_of(edit.group, edit.version, edit.kind)
        match edit.verb:
            case "create":
                body = edit.body if edit.version else {**edit.body, "apiVersion": resource.api_version}
                await self._api.create(resource, edit.namespace, body, field_manager=FIELD_MANAGER)
            case "replace":
                await self._api.replace(
                    resource, edit.namespace, edit.name, edit.body, field_manager=FIELD_MANAGER
                )
            case "delete":
                uid = objects.uid_of(edit.body)
                try:
                    await self._api.delete(resource, edit.namespace, edit.name, uid=uid)
                except errors.NotFound:
                    return
            case _:
                assert_never(edit.verb)

    async def _patch_rollout(self, action: PatchRollout) -> None:
        metadata: Manifest = {"resourceVersion": self._version}
        if action.annotations:
            metadata["annotations"] = dict(action.annotations)
        body: Manifest = {"metadata": metadata}
        if action.replicas is not None:
            body["spec"] = {"replicas": action.replicas}
        written = await self._patch(objects.ROLLOUTS, self._s.name, body)
        # The status that follows in this plan rests on our own write, not on somebody else's.
        self._version = objects.resource_version(written)


def reached_by(services: Iterable[Manifest], routed: Mapping[str, int], pod_hash: str) -> str:
    """Say which Service selects the hash and takes traffic: unrouted Services always do.

    ``routed`` maps the Services that a router weighs to their live weight.
    """
    for service in services:
        selector = (service.get("spec") or {}).get("selector") or {}
        name = objects.name_of(service)
        if selector.get(labels.POD_TEMPLATE_HASH) == pod_hash and routed.get(name, 1) > 0:
            return f"Service {name}"
    return ""
