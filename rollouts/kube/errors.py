"""What can go wrong at the API server, as one tree that tells what to do next.

::

    KubeError
    ├── Transient                     try again later, with back-off
    │   ├── Unreachable               no connection; nothing was sent or a read got no answer
    │   ├── TooManyRequests           429; ``retry_after`` seconds when the server said so
    │   ├── ServerFailure             5xx
    │   └── Conflict                  409 on resourceVersion: observe again
    ├── OutcomeUnknown                a write was sent and its answer lost: it may have taken effect
    ├── Fenced                        the write was not sent: the lease does not cover it any more
    ├── Misconfigured                 no usable kubeconfig or service account: a person must act
    ├── Gone                          410: the watch's or the list's resourceVersion is too old
    └── Refused                       the request itself is wrong; a person or the code must change
        ├── NotFound                  404
        ├── AlreadyExists             409 AlreadyExists
        ├── Invalid                   422 or 400; ``causes`` names the fields
        ├── Forbidden                 403
        └── Unauthorized              401
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class KubeError(Exception):
    """Root of the tree. ``status`` is the HTTP code (0 when there was no answer)."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.body: Mapping[str, Any] = body or {}


class Transient(KubeError):
    """Try again later."""


class Unreachable(Transient):
    """The API server could not be reached, or a read got no answer."""


class TooManyRequests(Transient):
    """429; wait ``retry_after`` seconds."""

    retry_after: float = 1.0


class ServerFailure(Transient):
    """5xx."""


class Conflict(Transient):
    """The object changed since it was read."""


class OutcomeUnknown(KubeError):
    """A write was sent and its answer lost; read the object live before deciding again."""


class Fenced(KubeError):
    """The remaining lease is shorter than the request could take, so it was not sent."""


class Misconfigured(KubeError):
    """The kubeconfig or the service account cannot be used."""


class Gone(KubeError):
    """The resourceVersion is too old: list again."""


class Refused(KubeError):
    """The request is wrong as it stands."""


class NotFound(Refused):
    """404."""


class AlreadyExists(Refused):
    """409 with reason AlreadyExists."""


class Invalid(Refused):
    """422 or 400."""

    @property
    def causes(self) -> tuple[str, ...]:
        """Return "field: message" for each cause that the server named."""
        details = self.body.get("details") or {}
        return tuple(f"{c.get('field', '')}: {c.get('message', '')}" for c in details.get("causes") or ())


class Forbidden(Refused):
    """403."""


class Unauthorized(Refused):
    """401."""


_BY_STATUS: Mapping[int, type[KubeError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def from_status(status: int, body: Mapping[str, Any]) -> KubeError:
    """Return the error for an HTTP status and its ``Status`` body."""
    reason = str(body.get("reason", ""))
    message = str(body.get("message", "")) or f"HTTP {status}"
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExists(message, status=status, reason=reason, body=body)
    fallback = ServerFailure if status >= 500 else Refused
    return _BY_STATUS.get(status, fallback)(message, status=status, reason=reason, body=body)
