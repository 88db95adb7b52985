"""Controller processes that contend for one lease, each known by its own token in the audit log."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.workloads import WorkloadSimulator
from tests.cluster.background import Background
from tests.cluster.control_plane import RealCluster
from tests.cluster.harness import ControllerProcess
from tests.cluster.install import SYSTEM_NAMESPACE, account_kubeconfig
from tests.cluster.samples import Object, pod_template, rollout

LEASE_NAME = "argo-rollouts-controller-lock"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/{LEASE_NAME}"
SHORT = {"lease_duration": "3", "renew_deadline": "2", "retry_period": "0.5", "write_timeout": "1.5"}
_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_READS = frozenset(("get", "list", "watch"))


@dataclass(frozen=True, slots=True)
class Write:
    """One write in the audit log that the server accepted: when it came, and what it was."""

    at: datetime
    verb: str
    kind: str
    name: str


class Contender(ControllerProcess):
    """A process with a token of its own, that of the setting ``kubeconfig`` if there is one."""

    def __init__(self, cluster: RealCluster, folder: Path, name: str, **settings: str) -> None:
        own = Path(settings.pop("kubeconfig", "") or folder / f"{name}.kubeconfig")
        if not own.exists():
            shutil.copy(account_kubeconfig(cluster), own)
        super().__init__(cluster, folder, name, kubeconfig=str(own), **settings)
        token = json.loads(own.read_text())["users"][0]["user"]["token"]
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.credential = f"JTI={claims['jti']}"

    def writes(self) -> Iterator[Write]:
        """Yield what this process wrote, its lease apart, in the order of the audit log.

        A write that the server refused is none. A process may be stopped between its fence and its
        socket; the status it sends when it goes on names a resourceVersion that has since moved.
        """
        for line in (self.cluster.folder / "audit.log").read_bytes().splitlines():
            event = json.loads(line)
            mine = self.credential in (event.get("user", {}).get("extra") or {}).get(_CREDENTIAL, ())
            what = event.get("objectRef") or {}
            if not mine or event.get("stage") != "ResponseComplete" or event["verb"] in _READS:
                continue
            if (event.get("responseStatus") or {}).get("code", 0) >= 400:
                continue
            if what.get("resource") in ("leases", "selfsubjectaccessreviews"):
                continue
            kind = what.get("resource", "") + (f"/{what['subresource']}" if "subresource" in what else "")
            at = datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00"))
            yield Write(at, event["verb"], kind, what.get("name", ""))

    def refused_by_fence(self) -> int:
        """Return how often the fence held a write back, by the process's log."""
        return self.process.log.read_text(errors="replace").count("not sent: the leader lease")


def kubelet(cluster: RealCluster) -> Background:
    """Start the simulated kubelet of a cluster."""

    async def simulate(stop: asyncio.Event) -> None:
        api = await cluster.api("simulator")
        try:
            await WorkloadSimulator(api, SystemClock(), SystemRandomness(), control_loops=False).run(stop)
        finally:
            await api.close()

    background = Background()
    background.start(simulate)
    return background


def holder(cluster: RealCluster) -> str:
    """Return who holds the lease, "" when nobody does."""
    return str((lease(cluster).get("spec") or {}).get("holderIdentity") or "")


def lease(cluster: RealCluster) -> dict[str, Any]:
    """Return the Lease, {} before there is one."""
    return cluster.admin.get(LEASE) if cluster.admin.ready(LEASE) else {}


def lease_ended(before: dict[str, Any]) -> datetime:
    """Return the moment at which a lease ends that was last renewed as ``before`` says."""

    spec = before["spec"]
    renewed = datetime.fromisoformat(spec["renewTime"].replace("Z", "+00:00"))
    return renewed + timedelta(seconds=spec["leaseDurationSeconds"])


def busy_rollout(name: str, version: str, steps: int = 40) -> Object:
    """Return a Rollout that always has something to do: many steps with short pauses."""
    weights = [{"setWeight": 1 + 2 * i} for i in range(steps)]
    body = [part for weight in weights for part in (weight, {"pause": {"duration": "1s"}})]
    return rollout(name, {"canary": {"steps": body}}, pod_template(name, version), replicas=1)
