"""A live Rollout as another controller leaves it: copied to a new namespace, with other hashes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.cluster.control_plane import RealCluster
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object

APPS, CORE = "apis/apps/v1", "api/v1"
ARGO, GATEWAY = "apis/argoproj.io/v1alpha1", "apis/gateway.networking.k8s.io/v1"
HASH = "rollouts-pod-template-hash"


@dataclass(frozen=True)
class Place:
    """One namespace with one Rollout ``shop`` and what belongs to it."""

    cluster: RealCluster
    name: str

    def path(self, group: str, plural: str, name: str = "") -> str:
        return f"/{group}/namespaces/{self.name}/{plural}{'/' if name else ''}{name}"

    def list(self, group: str, plural: str) -> list[Object]:
        found: list[Object] = self.cluster.admin.get(self.path(group, plural))["items"]
        return found

    @property
    def rollout(self) -> Object:
        return self.cluster.admin.get(self.path(ARGO, "rollouts", "shop"))

    @property
    def status(self) -> Object:
        found: Object = self.rollout.get("status") or {}
        return found

    def user(self, **status: Any) -> None:
        """Patch the status as ``kubectl argo rollouts`` does."""
        self.cluster.admin.merge(self.path(ARGO, "rollouts", "shop") + "/status", {"status": status})

    def spec(self, **spec: Any) -> None:
        """Patch the spec."""
        self.cluster.admin.merge(self.path(ARGO, "rollouts", "shop"), {"spec": spec})

    def deploy(self, version: str) -> None:
        """Change the image, as ``kubectl argo rollouts set image`` does."""
        container = self.rollout["spec"]["template"]["spec"]["containers"][0]
        containers = [{**container, "image": f"app:{version}"}]
        self.spec(template={"spec": {"containers": containers}})

    def wait(self, what: str, *, seconds: float = 30, **status: Any) -> Object:
        """Return the status once it has these fields at the present generation."""

        def reached() -> Object | None:
            live = self.rollout
            found = live.get("status") or {}
            current = found.get("observedGeneration") == str(live["metadata"]["generation"])
            same = all(found.get(name) == value for name, value in status.items())
            return found if current and same else None

        try:
            return wait_until(reached, seconds=seconds, what=what)
        except TimeoutError as late:
            raise AssertionError(f"{late}; status {json.dumps(self.status)[:1500]}") from None

    def versions(self) -> dict[str, tuple[str, int]]:
        """Return (hash, pods asked for) of each ReplicaSet by the tag of its image."""
        found = {}
        for rs in self.list(APPS, "replicasets"):
            tag = rs["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")[2]
            found[tag] = (rs["metadata"]["labels"].get(HASH, ""), rs["spec"]["replicas"])
        return found

    def sizes(self) -> dict[str, int]:
        return {tag: size for tag, (_, size) in self.versions().items()}

    def pods(self) -> set[str]:
        """Return the uids of the pods that stay."""
        metas = (pod["metadata"] for pod in self.list(CORE, "pods"))
        return {meta["uid"] for meta in metas if "deletionTimestamp" not in meta}

    def picture(self) -> Object:
        """Return all that a take-over must leave as it is."""
        routes = [route["spec"] for route in self.list(GATEWAY, "httproutes")]
        services = [service["spec"]["selector"] for service in self.list(CORE, "services")]
        kept = ("phase", "currentStepIndex", "abort", "pauseConditions", "currentPodHash", "stableRS")
        return {
            "pods": sorted(self.pods()),
            "versions": self.versions(),
            "routes": routes,
            "services": services,
            "status": {name: self.status.get(name) for name in kept},
        }


def move(place: Place, name: str) -> Place:
    """Write everything of ``place`` anew in namespace ``name``, as another controller would have."""
    target = Place(place.cluster, name)
    admin = place.cluster.admin
    sets = place.list(APPS, "replicasets")
    renamed = {rs["metadata"]["labels"][HASH]: f"foreign{number}" for number, rs in enumerate(sets)}
    for group, plural in ((CORE, "services"), (GATEWAY, "httproutes"), (ARGO, "rollouts")):
        for body in place.list(group, plural):
            admin.create(target.path(group, plural), _foreign(body, renamed))
    owner = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop",
        "uid": target.rollout["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    for rs in sets:
        body = _foreign(rs, renamed)
        body["metadata"]["ownerReferences"] = [owner]
        admin.create(target.path(APPS, "replicasets"), body)
    wait_until(lambda: _whole(target), seconds=30, what=f"pods in {name}")
    status = _foreign({"metadata": {}, "status": place.status}, renamed)["status"]
    status["currentStepHash"] = "otherwise"
    status["observedGeneration"] = str(target.rollout["metadata"]["generation"])
    status.pop("duration", None)
    target.user(**status)
    return target


def _whole(place: Place) -> bool:
    sets = place.list(APPS, "replicasets")
    return all((rs.get("status") or {}).get("availableReplicas", 0) == rs["spec"]["replicas"] for rs in sets)


def _foreign(body: Object, renamed: dict[str, str]) -> Object:
    """Return an object without what the server and our controller put there, with other hashes."""
    text = json.dumps(body)
    for ours, theirs in renamed.items():
        text = text.replace(ours, theirs)
    found: Object = json.loads(text)
    meta = found["metadata"]
    notes = {k: v for k, v in meta.get("annotations", {}).items() if not k.startswith("rollouts.dev/")}
    found["metadata"] = {"name": meta.get("name"), "labels": meta.get("labels", {}), "annotations": notes}
    spec = found.get("spec", {})
    for field in ("clusterIP", "clusterIPs"):
        spec.pop(field, None)
    return found
