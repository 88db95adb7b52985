"""The pods of a version in the cluster: the port of the metric plugin ``rollouts.dev/pods``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.providers.errors import BackendError
from analysis.providers.pods import SeenPod
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import PODS, ReadOnly, is_deleting, name_of, parse_time
from rollouts.workloads.labels import POD_TEMPLATE_HASH


def seen(pod: ReadOnly) -> SeenPod:
    """Return what a pod shows. Pure."""
    status = pod.get("status") or {}
    containers = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    waiting = [
        str(((container.get("state") or {}).get("waiting") or {}).get("reason") or "")
        for container in containers
    ]
    ready: ReadOnly = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), {})
    is_ready = ready.get("status") == "True"
    return SeenPod(
        name=name_of(pod),
        ready=is_ready,
        restarts=sum(int(container.get("restartCount") or 0) for container in containers),
        unready_since=None if is_ready else parse_time(ready.get("lastTransitionTime")),
        waiting=next(filter(None, waiting), ""),
        node=str((pod.get("spec") or {}).get("nodeName") or ""),
    )


class ClusterPods:
    """Lists pods live: they are not watched, since few analyses look at them."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    async def pods(self, namespace: str, pod_hash: str) -> Sequence[SeenPod]:
        """Return the pods of a version that stay. Raises BackendError."""
        selector = f"{POD_TEMPLATE_HASH}={pod_hash}"
        try:
            found = await self._api.list(PODS, namespace, label_selector=selector)
        except errors.KubeError as error:
            raise BackendError(f"the pods of {pod_hash} cannot be listed: {error.message}") from error
        return [seen(pod) for pod in found.items if not is_deleting(pod)]
