"""The Application reconciler: observe, decide, apply, one status patch; and what wakes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rollouts import logs
from rollouts.api.argoproj.application import DEFAULT_PROJECT
from rollouts.controllers.application.actions import Begin, Idle, Release, Remove, Retry, Row, Run, Step, Wait
from rollouts.controllers.application.apply import confirm, run_actions
from rollouts.controllers.application.decide import decide, is_automated
from rollouts.controllers.application.decide.operation import proceed
from rollouts.controllers.application.decide.tasks import rows_of
from rollouts.controllers.application.decide.view import View, with_settled
from rollouts.controllers.application.live import Live
from rollouts.controllers.application.observe import Memory, Observer, app_key
from rollouts.controllers.application.rival import Rival
from rollouts.controllers.application.settings import ApplicationSettings
from rollouts.controllers.application.snapshot import ApplicationSnapshot
from rollouts.controllers.application.status import events, next_status, operation_state, patch_body
from rollouts.gitops.apply import FIELD_MANAGER, ApplyObject, DeleteObject, Outcome
from rollouts.gitops.comparison import settle
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.source.credentials import SECRET_TYPE, Credentials, credentials_for
from rollouts.gitops.source.repositories import Repositories
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache
from rollouts.kube.events import Recorder
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import Key, Manifest, ObjectKey
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result
from rollouts.runtime.worker import Controller, Watch
from rollouts.settings import Settings

_log = logging.getLogger(__name__)

NAME = "application"
UNSERVED_SECONDS = 5.0
"""How often discovery is looked at for a kind that is not served (yet)."""


class ApplicationReconciler:
    """Brings the cluster closer to one Application's commit per call."""

    def __init__(self, observer: Observer, recorder: Recorder, rival: Rival) -> None:
        self._observer = observer
        self._recorder = recorder
        self._rival = rival

    async def reconcile(self, request: Request) -> Result:
        """Decide once from the present state, do it, and write the status when it has changed."""
        waits = await self._rival.waits(request.api, request.now)
        if waits is not None:
            return Result(waits)
        snapshot = await self._observer.snapshot(request)
        if snapshot is None:
            return Result()
        memory = self._observer.memory(request.key)
        view = await self._confirmed(request.api, View.of(snapshot), memory)
        step = decide(view)
        match step:
            case Release():
                await _release(request.api, snapshot, step)
                return Result()
            case Remove():
                await _remove(request.api, step)
                return Result(request.now + timedelta(seconds=30))
            case _:
                view, step = await self._carry(request.api, view, step, memory)
        await self._write(request.api, view, step)
        return Result(_again(view, step))

    async def _carry(self, api: KubeApi, view: View, step: Step, memory: Memory) -> tuple[View, Step]:
        """Carry out a step of the operation; return the view after it, and the step that stands now."""
        if isinstance(step, Begin):
            sync = step.operation.get("sync") or {}
            if is_automated(step.operation) and sync.get("autoHealAttemptsCount"):
                memory.heals.append(view.snapshot.now)
            return View(view.snapshot, view.live, operation_state(view, step)), step
        if isinstance(step, Idle):
            return view, step
        if isinstance(step, Run):
            view = await self._run(api, view, step, memory)
            step = proceed(view)
        return View(view.snapshot, view.live, operation_state(view, step)), step

    async def _run(self, api: KubeApi, view: View, step: Run, memory: Memory) -> View:
        outcomes = await run_actions(api, step.actions)
        rows = [*rows_of(view), *step.settled]
        rows += [
            _row(step.rows[key], outcome) for key, outcome in outcomes.items() if _is_result(step, outcome)
        ]
        written = {key: outcome.live for key, outcome in outcomes.items() if outcome.live is not None}
        for action in step.actions:
            answer = written.get(action.key)
            if isinstance(action, ApplyObject) and answer is not None:
                memory.settled.pop(action.key, None)
                kept = settle(action.manifest, answer)
                if kept is not None:
                    memory.settled[action.key] = kept
        view = with_settled(view, memory.settled)
        deleted = frozenset(
            action.key
            for action in step.actions
            if isinstance(action, DeleteObject) and outcomes[action.key].ok
        )
        created = any(action.key.resource == objects.NAMESPACES for action in step.actions)
        if created:
            view = View(replace(view.snapshot, namespace_missing=False), view.live, view.operation_state)
        state = operation_state(view, step, rows)
        return view.after({k: v for k, v in written.items() if k in _known(view)}, deleted, state)

    async def _confirmed(self, api: KubeApi, view: View, memory: Memory) -> View:
        """Ask the server about suspect differences: Git is the same, and the two never agreed here."""
        if view.obstacles or view.snapshot.source.targets is None:
            return view
        status = view.snapshot.status
        same = (status.get("sync") or {}).get("revision") == view.snapshot.source.revision
        synced = {_place(row) for row in status.get("resources") or () if row.get("status") == "Synced"}
        suspects = []
        for one in view.compared:
            if one.target is None or one.live is None or one.blocked or one.is_hook:
                continue
            if not one.pending:
                memory.agreed[one.key] = one.target.manifest
            elif same and _key_place(one.key) in synced and one.key not in memory.agreed:
                suspects.append(one)
        if not suspects:
            return view
        memory.settled.update(await confirm(api, suspects))
        memory.agreed.update({one.key: one.target.manifest for one in suspects if one.target})
        return with_settled(view, memory.settled)

    async def _write(self, api: KubeApi, view: View, step: Step) -> None:
        snapshot = view.snapshot
        status = next_status(view, step)
        body = _scrubbed(patch_body(view, step, status))
        if not body:
            return
        try:
            await api.patch(
                objects.APPLICATIONS, snapshot.namespace, snapshot.name, body, field_manager=FIELD_MANAGER
            )
        except errors.NotFound:
            return
        for event in events(snapshot.status, status, step):
            self._recorder.event(
                snapshot.manifest, "Warning" if event.warning else "Normal", event.reason, event.message
            )


def _is_result(step: Run, outcome: Outcome) -> bool:
    return outcome.key in step.rows and not outcome.again


def _row(row: Row, outcome: Outcome) -> Row:
    message = outcome.message if row.get("status") != "Pruned" or not outcome.ok else "pruned"
    return {**row, "status": row["status"] if outcome.ok else "SyncFailed", "message": message}


def _known(view: View) -> set[ObjectKey]:
    targets = view.snapshot.source.targets
    return set(targets.by_key) if targets else set()


def _place(row: Manifest) -> tuple[str, str, str, str]:
    fields = (row.get(field) for field in ("group", "kind", "namespace", "name"))
    group, kind, namespace, name = (str(value or "") for value in fields)
    return group, kind, namespace, name


def _key_place(key: ObjectKey) -> tuple[str, str, str, str]:
    return key.resource.group, key.resource.kind, key.namespace, key.name


def _scrubbed(value: Any) -> Any:
    """Take known secrets out of everything that is written for people."""
    if isinstance(value, dict):
        return {key: _scrubbed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    return logs.scrub(value) if isinstance(value, str) else value


def _again(view: View, step: Step) -> datetime | None:
    now, moments = view.snapshot.now, []
    if isinstance(step, Run | Begin):
        moments.append(now)
    if isinstance(step, Idle | Wait | Retry) and step.until is not None:
        moments.append(step.until)
    targets = view.snapshot.source.targets
    if view.snapshot.unseen or (targets and any(not target.served for target in targets.objects)):
        moments.append(now + timedelta(seconds=UNSERVED_SECONDS if not isinstance(step, Wait) else 1.0))
    return min(moments, default=None)


async def _release(api: KubeApi, snapshot: ApplicationSnapshot, step: Release) -> None:
    metadata = {
        "resourceVersion": objects.resource_version(snapshot.manifest),
        "finalizers": list(step.finalizers),
    }
    body = {"metadata": metadata}
    try:
        await api.patch(
            objects.APPLICATIONS, snapshot.namespace, snapshot.name, body, field_manager=FIELD_MANAGER
        )
    except errors.NotFound:
        return


async def _remove(api: KubeApi, step: Remove) -> None:
    outcomes = await run_actions(api, step.actions)
    for key, outcome in outcomes.items():
        if not outcome.ok:
            _log.warning("%s could not be deleted: %s", key, outcome.message)


# --- what wakes it


def register(manager: Manager, settings: Settings) -> None:
    """Add the Application controller with what the process's settings say about it."""
    add(manager, ApplicationSettings.of(settings))


def add(manager: Manager, settings: ApplicationSettings) -> Repositories:
    """Add the Application controller. Return its repositories; the manager runs their polling."""
    cache, control = manager.cache, settings.control_namespace
    elsewhere = None if settings.any_namespace else control
    cache.start(objects.APPLICATIONS, namespace=elsewhere)
    cache.start(objects.APP_PROJECTS, namespace=control)
    cache.start(objects.ROLLOUTS)
    if not settings.namespace:
        cache.start(objects.NAMESPACES)
    secrets = _secrets(manager, settings)
    repositories = _repositories(manager, settings, secrets)
    live = Live(
        cache,
        manager.clock,
        settings.tracking,
        lambda instance: manager.enqueue(NAME, app_key(instance, control)),
    )
    observer = Observer(cache, live, repositories, Renderer(), settings)
    manager.add(
        Controller(
            NAME,
            objects.APPLICATIONS,
            ApplicationReconciler(observer, manager.recorder, Rival(control, take_over=settings.take_over)),
            (Watch(objects.APP_PROJECTS, lambda project: _of_project(cache, project)),),
            workers=settings.workers,
            metric="argocd_app",
        )
    )
    manager.alongside("git repositories", lambda: _keep(repositories, secrets))
    return repositories


def _secrets(manager: Manager, settings: ApplicationSettings) -> InformerCache | None:
    """Return a cache of the repository Secrets alone; None when no protocol needs any."""
    if not set(settings.protocols) - {"file", "git"}:
        return None
    namespace = settings.control_namespace
    found = InformerCache(manager.api, manager.clock, manager.randomness, namespace=namespace)
    found.start(objects.SECRETS, label_selector=SECRET_TYPE)
    return found


async def _keep(repositories: Repositories, secrets: InformerCache | None) -> None:
    """Keep Secrets and repositories up to date until cancelled; Secrets are known before the first poll."""
    if secrets is None:
        await repositories.run()
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(secrets.run(), name="repository secrets")
        await secrets.wait_synced()
        await repositories.run()


def _repositories(
    manager: Manager, settings: ApplicationSettings, secrets: InformerCache | None
) -> Repositories:
    def credentials(url: str) -> Credentials:
        found = credentials_for(url, secrets.list(objects.SECRETS) if secrets else ())
        for secret in found.secrets():
            logs.redact(secret)
        return found

    def changed(keys: Iterable[Hashable]) -> None:
        for key in keys:
            if isinstance(key, Key):
                manager.enqueue(NAME, key)

    repositories = Repositories(
        settings.cache,
        manager.clock,
        manager.randomness,
        poll_seconds=settings.poll_seconds,
        protocols=settings.protocols,
        credentials=credentials,
    )
    repositories.changed = changed
    if secrets is not None:
        secrets.on_change(objects.SECRETS, lambda change, old, new: repositories.poll_all())
    return repositories


def _of_project(cache: Cache, project: Manifest) -> Iterable[Key]:
    name = objects.name_of(project)
    return [
        objects.key_of(app)
        for app in cache.list(objects.APPLICATIONS)
        if ((app.get("spec") or {}).get("project") or DEFAULT_PROJECT) == name
    ]
