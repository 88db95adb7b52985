"""Never two masters: Argo CD's own controller in the same namespace keeps ours from touching anything."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import DEPLOYMENTS, Resource

_log = logging.getLogger(__name__)

STATEFULSETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
PEER = "argocd-application-controller"
AGAIN = timedelta(minutes=1)


class Rival:
    """Knows whether the peer's controller runs. Asked once, and again every minute while it does."""

    def __init__(self, namespace: str, *, take_over: bool) -> None:
        self._namespace = namespace
        self._take_over = take_over
        self._until: datetime | None = None
        self._clear = False

    async def waits(self, api: KubeApi, now: datetime) -> datetime | None:
        """Return when to look again because the peer runs; None when there is nothing to wait for.

        Raises KubeError.Transient when it cannot be found out.
        """
        if self._take_over or self._clear:
            return None
        if self._until is not None and now < self._until:
            return self._until
        found = [kind for kind in (STATEFULSETS, DEPLOYMENTS) if await self._runs(api, kind)]
        if not found:
            self._clear = True
            return None
        if self._until is None:
            _log.warning(
                "%s %s/%s runs: no Application is touched, so that there are not two masters; scale it "
                "down, or set git_take_over",
                *(found[0].kind, self._namespace, PEER),
            )
        self._until = now + AGAIN
        return self._until

    async def _runs(self, api: KubeApi, kind: Resource) -> bool:
        try:
            found = await api.get(kind, self._namespace, PEER)
        except errors.Refused as error:
            if not isinstance(error, errors.NotFound):
                _log.warning("cannot see whether %s runs: %s", PEER, error.message)
            return False
        replicas = (found.get("spec") or {}).get("replicas")
        return replicas is None or replicas > 0
