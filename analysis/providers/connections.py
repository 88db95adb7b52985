"""What the operator says about single backends: whom to trust, with which certificate and token to come.

A template cannot say it: the files are the controller's own, and must go to no address that a tenant chose.
So each entry is bound to one origin (scheme, host and port)::

    connections:
    - address: https://prometheus.monitoring:9091
      caFile: /etc/rollouts/prometheus/ca.crt
      certFile: /etc/rollouts/prometheus/tls.crt
      keyFile: /etc/rollouts/prometheus/tls.key
      bearerTokenFile: /var/run/secrets/prometheus/token
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from analysis.providers.errors import ConfigurationError
from analysis.providers.hidden import Hidden
from analysis.providers.http import HttpRequest, origin

CONNECTIONS_VARIABLE = "ROLLOUTS_ANALYSIS_CONNECTIONS"
"""Environment variable with the path of the operator's file."""
_Stamp = tuple[int, ...]


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, frozen=True, extra="forbid", hide_input_in_errors=True
    )


class Connection(_Model):
    """How one backend is reached. Files are read anew when they change, so that they can be rotated."""

    address: Annotated[str, Field(pattern=r"^https?://[^/?#@]+/?$")]
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    bearer_token_file: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Connection:
        if self.key_file and not self.cert_file:
            raise ValueError("keyFile needs a certFile")
        if (self.ca_file or self.cert_file) and not self.address.startswith("https://"):
            raise ValueError("caFile and certFile need an https:// address")
        origin(self.address)
        return self


class _File(_Model):
    connections: tuple[Connection, ...] = ()


class Connections:
    """The operator's entries by origin. ``applied`` puts one into a request."""

    def __init__(self, entries: Iterable[Connection] = (), hidden: Hidden | None = None) -> None:
        self._by_origin = {origin(entry.address): entry for entry in entries}
        self._hidden = hidden or Hidden()
        self._contexts: dict[str, tuple[_Stamp, ssl.SSLContext]] = {}

    @classmethod
    def read(cls, path: str, hidden: Hidden) -> Connections:
        """Read the operator's file; "" gives no entries. Raises ConfigurationError."""
        if not path:
            return cls((), hidden)
        try:
            read = _File.model_validate(yaml.safe_load(Path(path).read_text()) or {})
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigurationError(f"{CONNECTIONS_VARIABLE}: {path}: {_words(error)}") from None
        return cls(read.connections, hidden)

    def applied(self, request: HttpRequest) -> HttpRequest:
        """Return the request with what its origin's entry says. A header Authorization of its own stays.

        Raises ConfigurationError for a file that cannot be used, and when the request wants no verification.
        """
        try:
            entry = self._by_origin.get(origin(request.url))
        except ValueError:
            entry = None
        if entry is None:
            return request
        if request.insecure:
            raise ConfigurationError(
                f"insecure: true is refused for {entry.address}: the operator has set how it is verified"
            )
        headers = dict(request.headers)
        if entry.bearer_token_file and not any(key.lower() == "authorization" for key in headers):
            headers["Authorization"] = f"Bearer {self._token(entry)}"
        return replace(request, headers=headers, tls=self._context(entry) or request.tls)

    def _token(self, entry: Connection) -> str:
        try:
            token = Path(entry.bearer_token_file).read_text().strip()
        except (OSError, ValueError) as error:
            raise _unusable(entry, "bearerTokenFile", error) from None
        self._hidden.add_passing(token)
        return token

    def _context(self, entry: Connection) -> ssl.SSLContext | None:
        files = tuple(filter(None, (entry.ca_file, entry.cert_file, entry.key_file)))
        if not files:
            return None
        try:
            stamp = tuple(Path(file).stat().st_mtime_ns for file in files)
            known = self._contexts.get(entry.address)
            if known is not None and known[0] == stamp:
                return known[1]
            context = ssl.create_default_context(cafile=entry.ca_file or None)
            if entry.cert_file:
                context.load_cert_chain(entry.cert_file, entry.key_file or None, password="")
        except (OSError, ValueError) as error:
            raise _unusable(entry, "caFile, certFile or keyFile", error) from None
        self._contexts[entry.address] = (stamp, context)
        return context


def _unusable(entry: Connection, field: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"connection {entry.address}: {field} cannot be used: {_words(error)}")


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}{f' ({error.filename})' if error.filename else ''}"
    return "it is not YAML of the documented form"
