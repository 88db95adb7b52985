"""Credentials of a vendor's account, in a Secret of the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from analysis.providers.errors import ConfigurationError
from analysis.providers.hidden import Hidden

ReadSecret = Callable[[str, str], Awaitable[Mapping[str, str] | None]]
"""``read(namespace, name)`` returns a Secret's decoded values, None when there is no such Secret.

Raises ProviderError."""


class Profiles:
    """Reads Secrets, and remembers which of their values must never be shown.

    ``namespace`` is the controller's own: there the operator keeps accounts that every tenant may use.
    """

    def __init__(self, read: ReadSecret | None, namespace: str, hidden: Hidden) -> None:
        self._read = read
        self.namespace = namespace
        self._hidden = hidden

    async def find(self, name: str, secret_keys: tuple[str, ...], namespace: str = "") -> Mapping[str, str]:
        """Return a Secret's values, {} when there is no such Secret or no cluster.

        Values of ``secret_keys`` are hidden from now on. Raises ProviderError.
        """
        if self._read is None:
            return {}
        found = await self._read(namespace or self.namespace, name)
        values = {key: value.strip() for key, value in (found or {}).items()}
        self._hidden.add(*(values[key] for key in secret_keys if key in values))
        return values

    async def need(
        self, name: str, keys: tuple[str, ...], secret_keys: tuple[str, ...], field: str
    ) -> Mapping[str, str]:
        """Return a Secret of the controller's namespace that must hold ``keys``. Raises ProviderError."""
        if self._read is None:
            raise ConfigurationError(
                f"{field} needs the Secret '{name}', and there is no cluster here to read it from"
            )
        values = await self.find(name, secret_keys)
        missing = [key for key in keys if not values.get(key)]
        if missing:
            raise ConfigurationError(
                f"{field}: Secret '{self.namespace}/{name}' must hold {', '.join(keys)};"
                f" it is not there or has no {', '.join(missing)}"
            )
        return values

    def hide(self, *values: str) -> None:
        """Hide secrets that came another way."""
        self._hidden.add(*values)
