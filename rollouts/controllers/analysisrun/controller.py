"""The AnalysisRun reconciler, and what wakes it."""

from __future__ import annotations

import os

from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ConfigurationError
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from analysis.providers.job import UID_LABEL
from analysis.providers.registry import ProviderEnvironment, ProviderRegistry, default_registry
from analysis.runner import Runner
from rollouts import logs
from rollouts.controllers.analysisrun.apply import Apply
from rollouts.controllers.analysisrun.decide import decide
from rollouts.controllers.analysisrun.jobs import ClusterJobs
from rollouts.controllers.analysisrun.measuring import Measuring
from rollouts.controllers.analysisrun.metrics import register_metrics
from rollouts.controllers.analysisrun.observe import Observer
from rollouts.controllers.analysisrun.pods import ClusterPods
from rollouts.controllers.analysisrun.secrets import ClusterSecrets
from rollouts.kube.events import Recorder
from rollouts.kube.objects import ANALYSIS_RUNS, JOBS, uid_of
from rollouts.runtime.identity import own_namespace
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result
from rollouts.runtime.scoped import NoLedger, ScopedApi
from rollouts.runtime.worker import Controller, Watch, owned_by
from rollouts.settings import Settings, SettingsError

NAME = "analysisrun"


class AnalysisRunReconciler:
    """Brings one AnalysisRun forward by one step per call."""

    def __init__(self, observer: Observer, measuring: Measuring, recorder: Recorder) -> None:
        self._observer = observer
        self._measuring = measuring
        self._recorder = recorder

    async def reconcile(self, request: Request) -> Result:
        """Decide once from the present state and carry it out."""
        snapshot = self._observer.snapshot(request.key, request.now)
        if snapshot is None:
            return Result()
        decision = decide(snapshot)
        await Apply(request.api, self._measuring, self._recorder, snapshot).run(decision)
        return Result(decision.requeue_at)


def register(manager: Manager, settings: Settings) -> None:
    """Add the AnalysisRun controller with the built-in providers and the installed plugins.

    Raises SettingsError when the egress allowlist or the file of connections cannot be read.
    """
    manager.cache.start(ANALYSIS_RUNS)
    manager.cache.start(JOBS, label_selector=UID_LABEL)
    try:
        policy = EgressPolicy.allowing(settings.egress_allow.split(","))
    except ValueError as error:
        raise SettingsError(f"egress_allow: {error}") from None
    http = GuardedHttp(policy)
    fenced = ScopedApi(manager.api, manager.leadership, settings.write_timeout, NoLedger())
    environment = ProviderEnvironment(
        http=http,
        now=manager.clock.now,
        variables=os.environ,
        jobs=ClusterJobs(fenced, manager.cache),
        pods=ClusterPods(manager.api),
        secrets=ClusterSecrets(manager.api).account,
        namespace=own_namespace(settings),
        hidden=Hidden(logs.redact),
    )
    try:
        providers = default_registry(environment)
    except ConfigurationError as error:
        raise SettingsError(str(error)) from None
    add(manager, settings, providers, http)


def add(
    manager: Manager, settings: Settings, providers: ProviderRegistry, http: GuardedHttp | None = None
) -> None:
    """Add the controller with these providers; ``http`` is closed when leading ends."""
    register_metrics(manager, settings.instance_id)
    runner = Runner(providers, manager.clock.now)
    measuring = Measuring(runner, ClusterSecrets(manager.api).read, lambda key: manager.enqueue(NAME, key))

    async def measure() -> None:
        try:
            await measuring.run()
        finally:
            if http is not None:
                await http.close()

    manager.cache.on_change(
        ANALYSIS_RUNS,
        lambda change, old, new: measuring.forget(uid_of(old)) if change == "deleted" and old else None,
    )
    reconciler = AnalysisRunReconciler(
        Observer(manager.cache, measuring, settings.instance_id), measuring, manager.recorder
    )
    manager.add(
        Controller(
            NAME,
            ANALYSIS_RUNS,
            reconciler,
            (Watch(JOBS, owned_by(ANALYSIS_RUNS)),),
            workers=settings.workers,
            metric="analysis_run",
            background=measure,
        )
    )
