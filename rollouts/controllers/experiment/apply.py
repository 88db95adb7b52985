"""Carrying out a decision: the plan in order, then one status write. The first failure ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from rollouts.controllers.experiment.actions import (
    Action,
    CreateAnalysisRun,
    CreateReplicaSet,
    CreateService,
    Decision,
    DeleteService,
    Event,
    PatchReplicaSet,
    TerminateAnalysisRun,
)
from rollouts.controllers.experiment.snapshot import ExperimentSnapshot
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.mergepatch import merge_patch
from rollouts.kube.objects import Manifest, Resource
from rollouts.workloads import labels

FIELD_MANAGER = "rollouts-controller"
IDENTITY = (labels.EXPERIMENT_TEMPLATE, labels.EXPERIMENT_ANALYSIS, labels.EXPERIMENT_AVAILABLE_AT)

Tell = Callable[[Event], None]


class ChildRefusedError(Exception):
    """The API server will not have a child object as it is: the Experiment ends with this, and says so."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class Apply:
    """Writes one decision about one Experiment through an API that is scoped to its key."""

    def __init__(self, api: KubeApi, snapshot: ExperimentSnapshot, tell: Tell) -> None:
        self._api = api
        self._s = snapshot
        self._tell = tell

    async def run(self, decision: Decision) -> None:
        """Carry out the plan, commit the status, then tell people. Raises KubeError, ChildRefusedError."""
        for action in decision.actions:
            await self._one(action)
            event = getattr(action, "event", None)
            if event is not None:
                self._tell(event)
        await self._commit(decision.status)
        for event in decision.events:
            self._tell(event)

    async def _commit(self, status: Mapping[str, Any]) -> None:
        """Write what changed on the main resource, only if the Experiment is still the one that was observed.

        The kind has no status subresource, and the lists in its status go whole: without the precondition a
        write from an older view would take entries back.
        """
        patch = merge_patch(self._s.manifest.get("status") or {}, status)
        if not patch:
            return
        version = objects.resource_version(self._s.manifest)
        await self._patch(
            objects.EXPERIMENTS, self._s.name, {"metadata": {"resourceVersion": version}, "status": patch}
        )

    async def _one(self, action: Action) -> None:
        match action:
            case CreateReplicaSet():
                await self._create(objects.REPLICASETS, action.body)
            case CreateService():
                await self._create(objects.SERVICES, action.body)
            case CreateAnalysisRun():
                await self._create(objects.ANALYSIS_RUNS, action.body)
            case PatchReplicaSet():
                await self._patch_replica_set(action)
            case DeleteService():
                await self._delete_service(action)
            case TerminateAnalysisRun():
                body = {"metadata": {"uid": action.uid}, "spec": {"terminate": True}}
                await self._patch(objects.ANALYSIS_RUNS, action.name, body)
            case _:
                assert_never(action)

    async def _create(self, resource: Resource, body: Manifest) -> None:
        """Create an object; one that is there already counts when it is ours, and of the same attempt."""
        name = objects.name_of(body)
        try:
            await self._api.create(resource, self._s.namespace, body, field_manager=FIELD_MANAGER)
        except errors.AlreadyExists:
            there = await self._api.get(resource, self._s.namespace, name)
            if not self._is_ours(there, body):
                text = f"a {resource.kind} of this name exists and belongs to something else; remove it"
                raise ChildRefusedError(name, text) from None
        except (errors.Invalid, errors.Forbidden) as error:
            raise ChildRefusedError(name, error.message) from error

    def _is_ours(self, there: Manifest, body: Manifest) -> bool:
        owner = objects.controller_owner(there) or {}
        have, want = objects.annotations_of(there), objects.annotations_of(body)
        same = all(have.get(mark) == want.get(mark) for mark in IDENTITY)
        return owner.get("uid") == objects.uid_of(self._s.manifest) and same

    async def _patch(self, resource: Resource, name: str, body: Manifest) -> Manifest:
        return await self._api.patch(resource, self._s.namespace, name, body, field_manager=FIELD_MANAGER)

    async def _patch_replica_set(self, action: PatchReplicaSet) -> None:
        metadata: Manifest = {"uid": action.uid}
        if action.annotations:
            metadata["annotations"] = dict(action.annotations)
        body: Manifest = {"metadata": metadata}
        if action.replicas is not None:
            body["spec"] = {"replicas": action.replicas}
        await self._patch(objects.REPLICASETS, action.name, body)

    async def _delete_service(self, action: DeleteService) -> None:
        try:
            await self._api.delete(objects.SERVICES, self._s.namespace, action.name, uid=action.uid)
        except errors.NotFound:
            return
