"""What a person can set about the controller process: by flag, or by environment variable.

The variable of a field is ``ROLLOUTS_SETTING_`` and its name in capitals. (A bare ``ROLLOUTS_`` would collide
with what Kubernetes puts into a pod for a Service named ``rollouts-metrics``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

PREFIX = "ROLLOUTS_SETTING_"

Role = Literal["delivery", "git", "receiver", "dashboard"]
ALL_ROLES: frozenset[Role] = frozenset({"delivery", "git", "receiver", "dashboard"})
DEFAULT_ROLES: frozenset[Role] = ALL_ROLES - {"git"}


_PEERS_LEASE = "argo-rollouts-controller-lock"
_GIT_LEASE = "rollouts-git-controller-lock"


class SettingsError(ValueError):
    """A setting is unknown or out of range; the message names it."""


class Settings(BaseModel):
    """The settings of one process. Times are in seconds; port 0 means any free one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    """The only namespace to watch; "" for all."""
    instance_id: str = ""
    """Handle only objects with this controller-instance-id label; "" for those without the label."""
    roles: frozenset[Role] = DEFAULT_ROLES
    """What this process does. Git sync runs only where it is named: it writes whatever Git says."""
    workers: int = Field(default=10, ge=1, le=1000)
    write_timeout: float = Field(default=10.0, gt=0)
    leader_elect: bool = True
    lease_name: str = ""
    """Name of the Lease, without the instance id; "" for the role's own (see ``lease``)."""
    lease_namespace: str = ""
    """Where the Lease lives; "" for the pod's own namespace, else ``namespace``, else ``argo-rollouts``."""
    lease_duration: float = Field(default=15.0, gt=0)
    renew_deadline: float = Field(default=10.0, gt=0)
    retry_period: float = Field(default=2.0, gt=0)
    listen: str = ""
    """Address of the servers; "" for every interface."""
    metrics_port: int = Field(default=8090, ge=0, le=65535)
    healthz_port: int = Field(default=8080, ge=0, le=65535)
    egress_allow: str = ""
    """Hosts (also ``*.example.com``) and CIDRs, comma-separated, that metric providers may reach; "" for all
    but link-local and metadata addresses."""
    verify_traefik: str = ""
    """Addresses of Traefik's API (``http://traefik-api.traefik:8080``), comma-separated, asked for the
    weights in force. A name stands for every replica behind it; ``egress_allow`` holds for them too."""
    verify_envoy: str = ""
    """Addresses of Envoys' admin endpoints, likewise."""
    verify_alb: bool = False
    """Ask AWS, with the credentials of this process, for rules and target health of the load balancers of
    Ingresses."""
    verify_seconds: float = Field(default=30.0, gt=0)
    """How long a data plane that cannot be asked is waited for; then what its objects say must do."""
    control_namespace: str = ""
    """Where Applications, AppProjects and repository Secrets live; "" for the pod's own, else ``argocd``."""
    application_namespaces: Literal["control", "all"] = "control"
    """Whether Applications of other namespaces are handled too; each needs its project's leave."""
    git_take_over: bool = False
    """Sync although Argo CD's own application controller runs in the control namespace."""
    git_poll_seconds: float = Field(default=180.0, gt=0)
    git_protocols: frozenset[str] = frozenset({"https", "http", "ssh", "git"})
    """Protocols that a repository's address may have; ``file`` reads the disk of this machine."""
    git_cache: str = ""
    """Folder for copies of repositories; "" for a new temporary one."""
    tracking_method: Literal["annotation", "label", "annotation+label"] = "annotation"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"

    @field_validator("roles", "git_protocols", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if not self.roles:
            raise ValueError(f"roles is empty, must name at least one of {', '.join(sorted(ALL_ROLES))}")
        if not self.lease_duration > self.renew_deadline > self.retry_period:
            raise ValueError(
                "lease_duration > renew_deadline > retry_period must hold, got "
                f"{self.lease_duration:g}, {self.renew_deadline:g}, {self.retry_period:g}"
            )
        if self.leader_elect and self.write_timeout >= self.lease_duration - self.retry_period:
            raise ValueError(
                f"write_timeout is {self.write_timeout:g}, must be below lease_duration - retry_period "
                f"({self.lease_duration - self.retry_period:g}): no write would ever fit into the lease"
            )
        return self

    @property
    def instance_selector(self) -> str:
        """Return the label selector of the objects that this instance handles."""
        key = "argo-rollouts.argoproj.io/controller-instance-id"
        return f"{key}={self.instance_id}" if self.instance_id else f"!{key}"

    @property
    def lease(self) -> str:
        """Return the Lease's name, "" when the roles need none.

        Whoever delivers takes the peer's own Lease, so that the two exclude each other on one cluster; Git
        sync alone has its own. The instance id stands at the end.
        """
        if not self.leader_elect or not self.roles & {"delivery", "git"}:
            return ""
        name = self.lease_name or (_PEERS_LEASE if "delivery" in self.roles else _GIT_LEASE)
        return f"{name}-{self.instance_id}" if self.instance_id else name

    @classmethod
    def build(cls, environ: Mapping[str, str], **given: Any) -> Settings:
        """Return settings from flags (those that are not None), else environment, else defaults.

        Raises SettingsError, naming every setting that is wrong.
        """
        named = {
            key[len(PREFIX) :].lower(): value for key, value in environ.items() if key.startswith(PREFIX)
        }
        flags = {key: value for key, value in given.items() if value is not None}
        try:
            return cls.model_validate({**named, **flags})
        except ValidationError as error:
            raise SettingsError("; ".join(_words(item) for item in error.errors())) from None


def _words(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    seen = "" if item["type"] in ("value_error", "extra_forbidden") else f" (got {item['input']!r})"
    text = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        text = f"there is no such setting (variable {PREFIX}{where.upper()})"
    return f"{where}: {text}{seen}" if where else text
