"""Everything that one decision about an Application may look at, frozen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from rollouts.api.argoproj import application as api
from rollouts.api.argoproj.appproject import AppProjectSpec
from rollouts.gitops.comparison import Settled
from rollouts.gitops.diff.tracking import instance_name
from rollouts.gitops.plan.options import Options, parse
from rollouts.gitops.policy.project import IN_CLUSTER_NAME, IN_CLUSTER_SERVER
from rollouts.gitops.targets import Targets
from rollouts.gitops.transplant import Owned
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ObjectKey, ReadOnly

REFRESH = "argocd.argoproj.io/refresh"
SKIP = "argocd.argoproj.io/skip-reconcile"
FINALIZER = "resources-finalizer.argocd.argoproj.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """What is known of Git: still nothing (pending), an error, or the objects of a commit."""

    revision: str = ""
    targets: Targets | None = None
    error: str = ""
    pending: bool = False
    refreshed: bool = False
    """Whether a poll has ended since a refresh was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """A Rollout among the objects. Templates are pod-template hashes, "" when there is none.

    ``aborted`` and ``promoted`` are about the live template, and False while its status is not up to date.
    """

    desired_template: str
    live_template: str = ""
    aborted: bool = False
    promoted: bool = False
    since: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ApplicationSnapshot:
    """One Application at ``now``.

    ``live`` holds the live objects that are wanted or tracked, ``tracked`` those that carry our mark,
    ``foreign`` the other Application of an object that carries its mark. ``unseen`` says of kinds that cannot
    be watched why. ``heals`` are the moments of the last automatic heals.
    """

    now: datetime
    manifest: Manifest
    spec: api.ApplicationSpec
    invalid: str = ""
    control_namespace: str = "argocd"
    project: AppProjectSpec | None = None
    source: SourceView = field(default_factory=SourceView)
    live: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    tracked: frozenset[ObjectKey] = frozenset()
    foreign: Mapping[ObjectKey, str] = field(default_factory=dict)
    owned: Mapping[ObjectKey, Owned] = field(default_factory=dict)
    settled: Mapping[ObjectKey, Settled] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    namespace_missing: bool = False
    heals: tuple[datetime, ...] = ()

    @cached_property
    def name(self) -> str:
        """Return the Application's name."""
        return objects.name_of(self.manifest)

    @cached_property
    def namespace(self) -> str:
        """Return the Application's namespace."""
        return objects.namespace_of(self.manifest)

    @cached_property
    def instance(self) -> str:
        """Return the name that its objects are marked with."""
        return instance_name(self.namespace, self.name, self.control_namespace)

    @cached_property
    def project_name(self) -> str:
        """Return the AppProject's name."""
        return self.spec.project or api.DEFAULT_PROJECT

    @cached_property
    def status(self) -> ReadOnly:
        """Return the status as it is stored."""
        return self.manifest.get("status") or {}

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        """Return the Application's annotations."""
        return objects.annotations_of(self.manifest)

    @cached_property
    def finalizers(self) -> tuple[str, ...]:
        """Return the Application's finalizers."""
        return tuple(objects.metadata(self.manifest).get("finalizers") or ())

    @cached_property
    def deleting(self) -> bool:
        """Tell whether the Application is being deleted."""
        return objects.is_deleting(self.manifest)

    @cached_property
    def automated(self) -> api.AutomatedSync | None:
        """Return the automated sync policy when it is on."""
        policy = self.spec.sync_policy
        automated = policy.automated if policy else None
        return None if automated is None or automated.enabled is False else automated

    @cached_property
    def sync_options(self) -> tuple[str, ...]:
        """Return the Application's sync options as texts."""
        return self.spec.sync_policy.sync_options if self.spec.sync_policy else ()

    @cached_property
    def options(self) -> Options:
        """Return the Application's sync options."""
        return parse(self.sync_options)

    @cached_property
    def in_cluster(self) -> bool:
        """Tell whether the destination is the cluster that we run in."""
        destination = self.spec.destination
        if destination.server and destination.name:
            return False
        return destination.server == IN_CLUSTER_SERVER or destination.name == IN_CLUSTER_NAME

    @cached_property
    def operation(self) -> ReadOnly | None:
        """Return the operation that somebody asks for."""
        asked = self.manifest.get("operation")
        return asked if isinstance(asked, Mapping) else None

    @cached_property
    def operation_state(self) -> ReadOnly:
        """Return the state of the last or running operation."""
        return self.status.get("operationState") or {}

    @cached_property
    def running(self) -> bool:
        """Tell whether an operation is under way."""
        return self.operation_state.get("phase") in ("Running", "Terminating")

    @cached_property
    def source_manifest(self) -> Manifest:
        """Return the source as the user wrote it."""
        spec: Any = self.manifest.get("spec") or {}
        return dict(spec.get("source") or {})
