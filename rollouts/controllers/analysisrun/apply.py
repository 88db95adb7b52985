"""Carries out a decision about one AnalysisRun, in order; the first failure ends it."""

from __future__ import annotations

from typing import assert_never

from analysis.runner import RunIdentity
from rollouts.controllers.analysisrun.actions import (
    Action,
    Cancel,
    Decision,
    DeleteRun,
    DropJob,
    Forget,
    Start,
    Tell,
    WriteStatus,
)
from rollouts.controllers.analysisrun.measuring import Measuring
from rollouts.controllers.analysisrun.snapshot import RunSnapshot
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.events import Recorder
from rollouts.kube.objects import ANALYSIS_RUNS, JOBS, Key, resource_version


class Apply:
    """Writes through an API that is scoped to the run's key."""

    def __init__(self, api: KubeApi, measuring: Measuring, recorder: Recorder, snapshot: RunSnapshot) -> None:
        self._api = api
        self._measuring = measuring
        self._recorder = recorder
        self._snapshot = snapshot

    async def run(self, decision: Decision) -> None:
        """Carry out the plan. Raises KubeError."""
        for action in decision.actions:
            await self._one(action)

    async def _one(self, action: Action) -> None:
        snapshot = self._snapshot
        match action:
            case WriteStatus():
                await self._write_status(action)
            case Forget():
                self._measuring.settle(snapshot.uid, action.finished)
            case Tell():
                self._recorder.event(snapshot.manifest, action.type, action.reason, action.message)
            case Cancel():
                self._measuring.cancel(snapshot.uid, action.metric)
            case Start():
                identity = RunIdentity(
                    snapshot.name, snapshot.namespace, snapshot.uid, snapshot.attempt, snapshot.analyses
                )
                key = Key(snapshot.namespace, snapshot.name)
                self._measuring.start(key, identity, snapshot.spec, action.due)
            case DropJob():
                await self._drop_job(action.name)
            case DeleteRun():
                await self._delete_run()
            case _:
                assert_never(action)

    async def _write_status(self, action: WriteStatus) -> None:
        """Patch the main resource: the kind has no status subresource, upstream's or ours."""
        snapshot = self._snapshot
        body = {**action.patch, "metadata": {"resourceVersion": resource_version(snapshot.manifest)}}
        await self._api.patch(ANALYSIS_RUNS, snapshot.namespace, snapshot.name, body)
        self._measuring.settle(snapshot.uid, action.counted)

    async def _drop_job(self, name: str) -> None:
        try:
            await self._api.delete(JOBS, self._snapshot.namespace, name, propagation="Foreground")
        except errors.NotFound:
            return

    async def _delete_run(self) -> None:
        snapshot = self._snapshot
        try:
            await self._api.delete(ANALYSIS_RUNS, snapshot.namespace, snapshot.name, uid=snapshot.uid)
        except errors.NotFound:
            return
