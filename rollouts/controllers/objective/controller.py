"""The ServiceLevelObjective reconciler, and what wakes it: a change, and the passing of a minute."""

from __future__ import annotations

import asyncio
import os

from analysis.providers.authentication import Credentials
from analysis.providers.connections import CONNECTIONS_VARIABLE, Connections
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ConfigurationError
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from analysis.providers.prometheus import ADDRESS_VARIABLE, PrometheusProvider
from analysis.providers.slo.budget import BudgetReader
from rollouts import logs
from rollouts.controllers.objective.decide import decide
from rollouts.controllers.objective.observe import Observer
from rollouts.kube import objects
from rollouts.kube.events import Recorder
from rollouts.kube.objects import SERVICE_LEVEL_OBJECTIVES
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result
from rollouts.runtime.worker import Controller
from rollouts.settings import Settings, SettingsError

NAME = "objective"
FIELD_MANAGER = "rollouts-controller"
WORKERS = 4
"""Each waits for a Prometheus; there are few objectives."""


class ObjectiveReconciler:
    """Keeps the status of one objective."""

    def __init__(self, observer: Observer, recorder: Recorder) -> None:
        self._observer = observer
        self._recorder = recorder

    async def reconcile(self, request: Request) -> Result:
        """Read the budget and write what it says, if that is news."""
        snapshot = await self._observer.snapshot(request.key, request.now)
        if snapshot is None:
            return Result()
        decision = decide(snapshot)
        if decision.status is not None:
            dropped = {name: None for name in snapshot.status if name not in decision.status}
            body = {
                "metadata": {"uid": objects.uid_of(snapshot.manifest)},
                "status": {**dropped, **decision.status},
            }
            await request.api.patch(
                SERVICE_LEVEL_OBJECTIVES,
                request.key.namespace,
                request.key.name,
                body,
                subresource="status",
                field_manager=FIELD_MANAGER,
            )
        for event in decision.events:
            self._recorder.event(snapshot.manifest, event.type, event.reason, event.message)
        return Result(decision.requeue_at)


def register(manager: Manager, settings: Settings) -> None:
    """Add the controller. Where the kind is not served it has nothing to do.

    Raises SettingsError when the egress allowlist or the file of connections cannot be read.
    """
    try:
        http = GuardedHttp(EgressPolicy.allowing(settings.egress_allow.split(",")))
    except ValueError as error:
        raise SettingsError(f"egress_allow: {error}") from None
    hidden = Hidden(logs.redact)
    try:
        connections = Connections.read(os.environ.get(CONNECTIONS_VARIABLE, ""), hidden)
    except ConfigurationError as error:
        raise SettingsError(str(error)) from None
    credentials = Credentials(http, manager.clock.now, connections=connections, hidden=hidden)
    prometheus = PrometheusProvider(http, credentials, os.environ.get(ADDRESS_VARIABLE, ""))
    add(manager, settings, BudgetReader(prometheus), http)


def add(manager: Manager, settings: Settings, budgets: BudgetReader, http: GuardedHttp | None = None) -> None:
    """Add the controller with this source of numbers; ``http`` is closed when leading ends."""
    cache = manager.cache
    cache.start(SERVICE_LEVEL_OBJECTIVES)
    cache.on_change(
        SERVICE_LEVEL_OBJECTIVES,
        lambda change, old, new: budgets.forget(objects.uid_of(old)) if change == "deleted" and old else None,
    )

    async def closing() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if http is not None:
                await http.close()

    reconciler = ObjectiveReconciler(Observer(cache, budgets, settings.instance_id), manager.recorder)
    manager.add(Controller(NAME, SERVICE_LEVEL_OBJECTIVES, reconciler, workers=WORKERS, background=closing))
