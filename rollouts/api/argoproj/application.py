"""Application: manifests from a repository, kept in step with a cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollouts.api.argoproj.rollout import ObjectMetadata
from rollouts.api.argoproj.source import ApplicationSource, NameValue, SourceHydrator
from rollouts.api.base import ApiModel, FreeForm, NoneAsEmpty, Strings

DEFAULT_PROJECT = "default"
DEFAULT_HISTORY_LIMIT = 10
DEFAULT_RETRY_LIMIT = 5
DEFAULT_RETRY_DURATION = "5s"
DEFAULT_RETRY_FACTOR = 2
DEFAULT_RETRY_MAX_DURATION = "3m"
DEFAULT_TARGET_REVISION = "HEAD"


class Destination(ApiModel):
    """The cluster, by ``server`` or by ``name``, and the namespace for objects that name none."""

    server: str = ""
    name: str = ""
    namespace: str = ""


class IgnoreDifference(ApiModel):
    """Fields whose drift does not count. ``group`` and ``kind`` are globs, names are exact."""

    group: str = ""
    kind: str
    name: str = ""
    namespace: str = ""
    json_pointers: Strings = ()
    jq_path_expressions: Strings = ()
    managed_fields_managers: Strings = ()


class AutomatedSync(ApiModel):
    """Sync without being asked. ``enabled`` is true when it is absent."""

    enabled: bool | None = None
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False


class RetryBackoff(ApiModel):
    """Growing waits between attempts: seconds or Go durations."""

    duration: str = ""
    factor: int | None = None
    max_duration: str = ""


class RetryStrategy(ApiModel):
    """How often a failed sync is tried again: 0 never, below 0 without end."""

    limit: int = 0
    backoff: RetryBackoff | None = None
    refresh: bool = False
    """Take the newest revision for the next attempt instead of the one that failed."""


class SyncPolicy(ApiModel):
    """When and how to sync."""

    automated: AutomatedSync | None = None
    sync_options: Strings = ()
    retry: RetryStrategy | None = None
    managed_namespace_metadata: ObjectMetadata | None = None


class ApplicationSpec(ApiModel):
    """Desired state. ``sources`` wins over ``source``, ``sourceHydrator`` over both."""

    project: str = ""
    source: ApplicationSource | None = None
    sources: Annotated[tuple[ApplicationSource, ...], NoneAsEmpty] = ()
    source_hydrator: SourceHydrator | None = None
    destination: Destination = Field(default_factory=Destination)
    sync_policy: SyncPolicy | None = None
    ignore_differences: Annotated[tuple[IgnoreDifference, ...], NoneAsEmpty] = ()
    revision_history_limit: int | None = None
    info: Annotated[tuple[NameValue, ...], NoneAsEmpty] = ()


class OperationInitiator(ApiModel):
    """Who asked for an operation."""

    username: str = ""
    automated: bool = False


class SyncStrategyApply(ApiModel):
    """Apply without hooks."""

    force: bool = False


class SyncStrategy(ApiModel):
    """Apply alone, or with hooks (the default)."""

    apply: SyncStrategyApply | None = None
    hook: SyncStrategyApply | None = None


class SyncOperationResource(ApiModel):
    """One object to sync; none given means all."""

    group: str = ""
    kind: str
    name: str
    namespace: str = ""


class SyncOperation(ApiModel):
    """A request to sync once."""

    revision: str = ""
    revisions: Strings = ()
    prune: bool = False
    dry_run: bool = False
    sync_strategy: SyncStrategy | None = None
    resources: Annotated[tuple[SyncOperationResource, ...], NoneAsEmpty] = ()
    source: ApplicationSource | None = None
    sources: Annotated[tuple[ApplicationSource, ...], NoneAsEmpty] = ()
    manifests: Strings = ()
    sync_options: Strings = ()
    auto_heal_attempts_count: int = 0


class Operation(ApiModel):
    """A request that the controller moves to ``status.operationState``."""

    sync: SyncOperation | None = None
    initiated_by: OperationInitiator | None = None
    info: Annotated[tuple[NameValue, ...], NoneAsEmpty] = ()
    retry: RetryStrategy | None = None


class HealthStatus(ApiModel):
    """Healthy, Progressing, Degraded, Suspended, Missing or Unknown."""

    status: str = ""
    message: str = ""
    last_transition_time: str | None = None


class ResourceStatus(ApiModel):
    """Sync state and health of one object."""

    group: str = ""
    version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    status: str = ""
    """Synced, OutOfSync or Unknown."""
    health: HealthStatus | None = None
    hook: bool = False
    requires_pruning: bool = False
    requires_deletion_confirmation: bool = False
    sync_wave: int = 0


class ComparedTo(ApiModel):
    """What the live state was compared with."""

    source: ApplicationSource | None = None
    sources: Annotated[tuple[ApplicationSource, ...], NoneAsEmpty] = ()
    destination: Destination = Field(default_factory=Destination)
    ignore_differences: Annotated[tuple[IgnoreDifference, ...], NoneAsEmpty] = ()


class SyncStatus(ApiModel):
    """Synced, OutOfSync or Unknown, and against which revision."""

    status: str = ""
    revision: str = ""
    revisions: Strings = ()
    compared_to: ComparedTo | None = None


class RevisionHistory(ApiModel):
    """One finished deployment."""

    id: int = 0
    revision: str = ""
    revisions: Strings = ()
    source: ApplicationSource | None = None
    sources: Annotated[tuple[ApplicationSource, ...], NoneAsEmpty] = ()
    deploy_started_at: str | None = None
    deployed_at: str = ""
    initiated_by: OperationInitiator | None = None


class ResourceResult(ApiModel):
    """What an operation did to one object."""

    group: str = ""
    version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    status: str = ""
    """Synced, SyncFailed, Pruned or PruneSkipped."""
    message: str = ""
    hook_type: str = ""
    hook_phase: str = ""
    sync_phase: str = ""
    images: Strings = ()


class SyncResult(ApiModel):
    """What an operation applied."""

    revision: str = ""
    revisions: Strings = ()
    source: ApplicationSource | None = None
    sources: Annotated[tuple[ApplicationSource, ...], NoneAsEmpty] = ()
    resources: Annotated[tuple[ResourceResult, ...], NoneAsEmpty] = ()
    managed_namespace_metadata: ObjectMetadata | None = None


class OperationState(ApiModel):
    """Running, Terminating, Failed, Error or Succeeded."""

    operation: Operation = Field(default_factory=Operation)
    phase: str = ""
    message: str = ""
    started_at: str = ""
    finished_at: str | None = None
    retry_count: int = 0
    sync_result: SyncResult | None = None


class ApplicationCondition(ApiModel):
    """An error or a warning about the Application."""

    type: str
    message: str = ""
    last_transition_time: str | None = None


class ApplicationSummary(ApiModel):
    """Addresses and images of the live objects."""

    external_urls: Strings = Field(default=(), alias="externalURLs")
    images: Strings = ()
    is_app_of_apps: bool = False


class HydrateOperation(ApiModel):
    """A rendering that runs or has ended."""

    started_at: str | None = None
    finished_at: str | None = None
    phase: str = ""
    message: str = ""
    dry_sha: str = Field(default="", alias="drySHA")
    hydrated_sha: str = Field(default="", alias="hydratedSHA")
    source_hydrator: SourceHydrator | None = None


class HydratorStatus(ApiModel):
    """State of the hydrator."""

    current_operation: HydrateOperation | None = None
    last_successful_operation: HydrateOperation | None = None
    last_compared_dry_revision: str = ""


class ApplicationStatus(ApiModel):
    """Observed state, on the upstream paths."""

    sync: SyncStatus | None = None
    health: HealthStatus | None = None
    resources: Annotated[tuple[ResourceStatus, ...], NoneAsEmpty] = ()
    history: Annotated[tuple[RevisionHistory, ...], NoneAsEmpty] = ()
    operation_state: OperationState | None = None
    conditions: Annotated[tuple[ApplicationCondition, ...], NoneAsEmpty] = ()
    reconciled_at: str | None = None
    observed_at: str | None = None
    source_type: str = ""
    source_types: Strings = ()
    summary: ApplicationSummary | None = None
    controller_namespace: str = ""
    resource_health_source: str = ""
    source_hydrator: HydratorStatus | None = None


class Application(ApiModel):
    """Manifests of a repository that are kept in step with a cluster."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "Application"
    metadata: FreeForm = {}
    spec: ApplicationSpec = Field(default_factory=ApplicationSpec)
    operation: Operation | None = None
    status: ApplicationStatus = Field(default_factory=ApplicationStatus)
