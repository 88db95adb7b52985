"""The API server's audit log: the honest account of who asked for what, and what was answered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SILENT_USERS = ("system:kube-controller-manager", "system:apiserver", "system:anonymous")

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": list(SILENT_USERS)},
        {"level": "None", "nonResourceURLs": ["/healthz*", "/readyz*", "/livez*"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``kind`` is the plural with its subresource (``rollouts/status``), "" for other URLs."""

    user: str
    agent: str
    verb: str
    kind: str
    group: str
    namespace: str
    name: str
    url: str
    status: int
    stage: str
    refused: bool
    """By authentication or authorisation; admission answers 403 too, as for a namespace that is going."""

    def __str__(self) -> str:
        return f"{self.user} {self.verb} {self.url} -> {self.status}"


class AuditLog:
    """Reads the log that the API server writes before it answers, so that nothing seen is missing in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """Return the present end, to be handed to ``requests(since=…)``."""
        return self._path.stat().st_size if self._path.exists() else 0

    def requests(self, user: str = "", *, since: int = 0, namespace: str = "") -> Iterator[Request]:
        """Yield completed requests (and watches from their start) of ``user`` after ``since``."""
        if not self._path.exists():
            return
        with self._path.open("rb") as log:
            log.seek(since)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                request = _parse(json.loads(line))
                counted = request.stage == (
                    "ResponseStarted" if request.verb == "watch" else "ResponseComplete"
                )
                wanted = (not user or request.user == user) and (
                    not namespace or request.namespace == namespace
                )
                if counted and wanted:
                    yield request

    def count(self, user: str, *, since: int = 0, namespace: str = "") -> Counter[tuple[str, str, int]]:
        """Return how often ``user`` asked for (verb, kind) and got which status."""
        seen = self.requests(user, since=since, namespace=namespace)
        return Counter((r.verb, r.kind, r.status) for r in seen)

    def assert_nothing_forbidden(self, user: str, *, since: int = 0) -> None:
        """Fail when the server refused ``user`` anything, or when ``user`` never asked at all."""
        seen = list(self.requests(user, since=since))
        assert seen, f"{user} made no request: the check would prove nothing"
        refused = sorted({str(r) for r in seen if r.refused})
        assert not refused, "calls that the shipped roles do not allow:\n  " + "\n  ".join(refused)


def _parse(event: dict[str, Any]) -> Request:
    what = event.get("objectRef") or {}
    sub = what.get("subresource", "")
    status = event.get("responseStatus", {}).get("code", 0)
    decision = (event.get("annotations") or {}).get("authorization.k8s.io/decision", "")
    return Request(
        user=event.get("user", {}).get("username", ""),
        agent=event.get("userAgent", ""),
        verb=event.get("verb", ""),
        kind=what.get("resource", "") + (f"/{sub}" if sub else ""),
        group=what.get("apiGroup", ""),
        namespace=what.get("namespace", ""),
        name=what.get("name", ""),
        url=event.get("requestURI", ""),
        status=status,
        stage=event.get("stage", ""),
        refused=status == 401 or decision == "forbid",
    )
