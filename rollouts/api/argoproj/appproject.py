"""AppProject: what the Applications of a team may read from and write to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollouts.api.argoproj.application import Destination
from rollouts.api.base import ApiModel, FreeForm, NoneAsEmpty, Strings


class GroupKind(ApiModel):
    """A group and a kind; both may be globs."""

    group: str
    kind: str


class NamedGroupKind(GroupKind):
    """A group, a kind and, when set, a name."""

    name: str = ""


class OrphanedResourceKey(ApiModel):
    """Objects that do not count as orphans."""

    group: str = ""
    kind: str = ""
    name: str = ""


class OrphanedResources(ApiModel):
    """Whether to warn about objects that belong to no Application."""

    warn: bool | None = None
    ignore: Annotated[tuple[OrphanedResourceKey, ...], NoneAsEmpty] = ()


class JwtToken(ApiModel):
    """A token that was issued for a role; times in seconds since 1970."""

    iat: int
    exp: int | None = None
    id: str = ""


class ProjectRole(ApiModel):
    """A role and its policies."""

    name: str
    description: str = ""
    policies: Strings = ()
    groups: Strings = ()
    jwt_tokens: Annotated[tuple[JwtToken, ...], NoneAsEmpty] = ()


class SyncWindow(ApiModel):
    """A time in which sync is allowed or denied. No selector that matches means: not concerned."""

    kind: str = ""
    """``allow`` or ``deny``."""
    schedule: str = ""
    duration: str = ""
    time_zone: str = ""
    applications: Strings = ()
    namespaces: Strings = ()
    clusters: Strings = ()
    and_operator: bool = False
    manual_sync: bool = False
    sync_overrun: bool = False
    description: str = ""


class SignatureKey(ApiModel):
    """A key that must have signed the commits."""

    key_id: str = Field(alias="keyID")


class DestinationServiceAccount(ApiModel):
    """The ServiceAccount to act as in a destination."""

    server: str
    namespace: str = ""
    default_service_account: str


class IntegrityRepository(ApiModel):
    """A repository, by glob; ``!`` denies."""

    url: str


class GpgPolicy(ApiModel):
    """Which commits must be signed, and by whom."""

    mode: str = ""
    keys: Strings = ()


class GitIntegrityPolicy(ApiModel):
    """Signatures that a set of repositories must have."""

    repos: Annotated[tuple[IntegrityRepository, ...], NoneAsEmpty] = ()
    gpg: GpgPolicy | None = None


class GitIntegrity(ApiModel):
    """Rules for Git."""

    policies: Annotated[tuple[GitIntegrityPolicy, ...], NoneAsEmpty] = ()


class SourceIntegrity(ApiModel):
    """Rules on the origin of sources."""

    git: GitIntegrity | None = None


class AppProjectSpec(ApiModel):
    """Rules: globs, and a leading ``!`` denies. An empty list of sources or destinations denies all."""

    description: str = ""
    source_repos: Strings = ()
    source_namespaces: Strings = ()
    destinations: Annotated[tuple[Destination, ...], NoneAsEmpty] = ()
    cluster_resource_whitelist: Annotated[tuple[NamedGroupKind, ...], NoneAsEmpty] = ()
    """Empty means that nothing cluster-scoped is allowed."""
    cluster_resource_blacklist: Annotated[tuple[NamedGroupKind, ...], NoneAsEmpty] = ()
    namespace_resource_whitelist: tuple[GroupKind, ...] | None = None
    """Absent means all kinds."""
    namespace_resource_blacklist: Annotated[tuple[GroupKind, ...], NoneAsEmpty] = ()
    orphaned_resources: OrphanedResources | None = None
    roles: Annotated[tuple[ProjectRole, ...], NoneAsEmpty] = ()
    sync_windows: Annotated[tuple[SyncWindow, ...], NoneAsEmpty] = ()
    signature_keys: Annotated[tuple[SignatureKey, ...], NoneAsEmpty] = ()
    source_integrity: SourceIntegrity | None = None
    permit_only_project_scoped_clusters: bool = False
    destination_service_accounts: Annotated[tuple[DestinationServiceAccount, ...], NoneAsEmpty] = ()


class JwtTokens(ApiModel):
    """The tokens of one role."""

    items: Annotated[tuple[JwtToken, ...], NoneAsEmpty] = ()


class AppProjectStatus(ApiModel):
    """Observed state."""

    jwt_tokens_by_role: dict[str, JwtTokens] = {}


class AppProject(ApiModel):
    """What the Applications of a team may read from and write to."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "AppProject"
    metadata: FreeForm = {}
    spec: AppProjectSpec = Field(default_factory=AppProjectSpec)
    status: AppProjectStatus = Field(default_factory=AppProjectStatus)
