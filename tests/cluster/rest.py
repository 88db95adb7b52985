"""A small blocking client for setting up a test cluster: urllib, a bearer token and a verified certificate.

The product's own client is under test here, so set-up and assertions do not go through it.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class RestError(Exception):
    """The server's answer was an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


class Rest:
    """One user's access to the API server at ``url``."""

    def __init__(self, url: str, ca: Path | None, token: str) -> None:
        self._url = url
        self._context = ssl.create_default_context(cafile=str(ca)) if ca else None
        self._token = token

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | list[Any] | None = None,
        *,
        content_type: str = "application/json",
        seconds: float = 30.0,
    ) -> dict[str, Any]:
        """Return the decoded answer. Raises RestError for a refusal, OSError without an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", content_type)
        request.add_header("User-Agent", "test-setup")
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=seconds) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as error:
            raise RestError(error.code, _message(error.read())) from None
        return json.loads(raw) if raw[:1] in (b"{", b"[") else {"text": raw.decode(errors="replace")}

    def get(self, path: str) -> dict[str, Any]:
        """GET ``path``."""
        return self.request("GET", path)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST to the collection at ``path``."""
        return self.request("POST", path, body)

    def merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Merge-patch the object at ``path``."""
        return self.request("PATCH", path, body, content_type="application/merge-patch+json")

    def apply(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply the object at ``path``, taking over every field."""
        query = "?fieldManager=test-setup&force=true"
        return self.request("PATCH", path + query, body, content_type="application/apply-patch+yaml")

    def ready(self, path: str = "/readyz") -> bool:
        """Return whether ``path`` answers with success now."""
        try:
            self.request("GET", path, seconds=2.0)
        except (OSError, RestError):
            return False
        return True


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw).get("message", raw.decode(errors="replace")))
    except ValueError:
        return raw.decode(errors="replace")
