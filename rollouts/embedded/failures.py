"""Refusals as the API server words them: HTTP code, ``reason``, message and ``details.causes``.

Pure. ``ApiFailure`` is what every part of the embedded API server raises; over HTTP it becomes a ``Status``
body, in process one of ``rollouts.kube.errors``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.kube.objects import Manifest


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: ``reason`` is a ``metav1.CauseType`` such as FieldValueInvalid."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def as_dict(self) -> Manifest:
        """Return the JSON form."""
        return {"reason": self.reason, "message": self.message, "field": self.field}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class ApiFailure(Exception):
    """A request that the server refuses. ``details`` is the ``StatusDetails`` without causes."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        causes: Sequence[Cause] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self.causes = tuple(causes)

    def status(self) -> Manifest:
        """Return the ``Status`` object that goes over the wire."""
        body: Manifest = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        details = dict(self.details)
        if self.causes:
            details["causes"] = [cause.as_dict() for cause in self.causes]
        if details:
            body["details"] = details
        return body


def _qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str) -> Manifest:
    return {"name": name, **({"group": group} if group else {}), "kind": plural}


def not_found(plural: str, group: str, name: str) -> ApiFailure:
    """404: the object does not exist."""
    message = f'{_qualified(plural, group)} "{name}" not found'
    return ApiFailure(404, "NotFound", message, details=_details(plural, group, name))


def no_such_path() -> ApiFailure:
    """404: nothing is served there."""
    return ApiFailure(404, "NotFound", "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> ApiFailure:
    """409 on create."""
    message = f'{_qualified(plural, group)} "{name}" already exists'
    return ApiFailure(409, "AlreadyExists", message, details=_details(plural, group, name))


def conflict(plural: str, group: str, name: str, why: str) -> ApiFailure:
    """409: a precondition (resourceVersion, uid) does not hold."""
    message = f'Operation cannot be fulfilled on {_qualified(plural, group)} "{name}": {why}'
    return ApiFailure(409, "Conflict", message, details=_details(plural, group, name))


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiFailure:
    """422 naming every wrong field."""
    listed = "; ".join(map(str, causes))
    text = f"[{listed.replace('; ', ', ')}]" if len(causes) > 1 else listed
    return ApiFailure(
        422,
        "Invalid",
        f'{_qualified(kind, group)} "{name}" is invalid: {text}',
        details=_details(kind, group, name),
        causes=causes,
    )


def unprocessable(why: str) -> ApiFailure:
    """422 for a patch that does not fit the object."""
    return ApiFailure(
        422, "Invalid", f"the server rejected our request due to an error in our request: {why}"
    )


def internal(message: str) -> ApiFailure:
    """500 without a reason, as a real server answers what its storage refuses."""
    return ApiFailure(500, "", message)


def bad_request(message: str) -> ApiFailure:
    """400."""
    return ApiFailure(400, "BadRequest", message)


def forbidden(plural: str, group: str, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiFailure:
    """403."""
    message = f'{_qualified(plural, group)} "{name}" is forbidden: {why}'
    return ApiFailure(403, "Forbidden", message, details=_details(plural, group, name), causes=causes)


def expired(message: str) -> ApiFailure:
    """410: the version is older than the kept history."""
    return ApiFailure(410, "Expired", message)


def method_not_allowed(method: str) -> ApiFailure:
    """405."""
    return ApiFailure(
        405, "MethodNotAllowed", f"the server does not allow this method on the requested resource: {method}"
    )


def unsupported_media_type(got: str, accepted: Sequence[str]) -> ApiFailure:
    """415."""
    message = (
        f"the body of the request was in an unknown format ({got or 'no Content-Type'}) - "
        f"accepted media types include: {', '.join(accepted)}"
    )
    return ApiFailure(415, "UnsupportedMediaType", message)


def unauthorized() -> ApiFailure:
    """401."""
    return ApiFailure(401, "Unauthorized", "Unauthorized")


def too_many_requests(message: str, causes: Sequence[Cause] = ()) -> ApiFailure:
    """429."""
    return ApiFailure(429, "TooManyRequests", message, causes=causes)
