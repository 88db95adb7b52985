"""What the Application controller can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from rollouts.gitops.diff.tracking import Method
from rollouts.gitops.source.address import PROTOCOLS
from rollouts.settings import Settings

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSettings:
    """Times are in seconds. ``namespace`` "" watches all. ``control_namespace`` has AppProjects and Secrets.

    ``protocols`` are those a repository's address may have; ``file`` reads the disk of this machine.
    """

    cache: Path
    poll_seconds: float = 180.0
    protocols: tuple[str, ...] = PROTOCOLS
    control_namespace: str = "argocd"
    any_namespace: bool = False
    """Whether Applications outside of the control namespace are handled, if their project lets them."""
    take_over: bool = False
    """Whether to work although Argo CD's own controller runs."""
    namespace: str = ""
    tracking: Method = "annotation"
    workers: int = 10

    @classmethod
    def of(cls, settings: Settings) -> ApplicationSettings:
        """Return what a process's settings say; without a cache folder a new temporary one is made."""
        return cls(
            cache=Path(settings.git_cache or mkdtemp(prefix="rollouts-git-")),
            poll_seconds=settings.git_poll_seconds,
            protocols=tuple(sorted(settings.git_protocols)),
            control_namespace=settings.control_namespace or _own_namespace(),
            any_namespace=settings.application_namespaces == "all",
            take_over=settings.git_take_over,
            namespace=settings.namespace,
            tracking=settings.tracking_method,
            workers=settings.workers,
        )


def _own_namespace() -> str:
    """Return the pod's namespace; outside of a cluster the peer's usual one."""
    return _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.is_file() else "argocd"
