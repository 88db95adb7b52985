"""Secrets of the cluster, read when a measurement needs them: arguments, and accounts of metric vendors."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from analysis.providers.errors import BackendError, ConfigurationError
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import SECRETS


class ClusterSecrets:
    """Reads live; nothing is kept."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    async def read(self, namespace: str, name: str) -> Mapping[str, str]:
        """Return a Secret's decoded values. Raises KubeError."""
        secret = await self._api.get(SECRETS, namespace, name)
        return {
            key: base64.b64decode(value).decode(errors="replace")
            for key, value in (secret.get("data") or {}).items()
        }

    async def account(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return a vendor account's values, None when there is no such Secret. Raises ProviderError."""
        try:
            return await self.read(namespace, name)
        except errors.NotFound:
            return None
        except errors.Refused as error:
            raise ConfigurationError(f"Secret '{namespace}/{name}' cannot be read: {error.message}") from None
        except errors.KubeError as error:
            raise BackendError(f"Secret '{namespace}/{name}' cannot be read: {error.message}") from None
