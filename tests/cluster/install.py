"""Installs the shipped manifests on a real cluster; hands out kubeconfigs of their service accounts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.cluster.control_plane import RealCluster
from tests.cluster.processes import wait_until
from tests.lanes.registry import REPOSITORY

SYSTEM_NAMESPACE = "argo-rollouts"
DELIVERY = "rollouts-delivery"
ACCOUNTS = (DELIVERY,)
MANIFESTS = REPOSITORY / "manifests" / "cluster"


@cache
def install(cluster: RealCluster) -> None:
    """Apply ``manifests/cluster`` as the README says, without pods: tests run the controller."""
    body = {"metadata": {"name": SYSTEM_NAMESPACE}}
    if not cluster.admin.ready(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}"):
        cluster.admin.create("/api/v1/namespaces", body)
    cluster.kubectl("apply", "--server-side", "-k", str(MANIFESTS))
    scale = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments/{DELIVERY}"
    cluster.admin.merge(scale, {"spec": {"replicas": 0}})


def account_kubeconfig(cluster: RealCluster, account: str = DELIVERY) -> Path:
    """Return a kubeconfig with a real token of a shipped service account: its rights are the shipped ones."""
    install(cluster)
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{account}"
    wait_until(lambda: cluster.admin.ready(path), seconds=10, what=f"service account {account}")
    return cluster.service_account_kubeconfig(SYSTEM_NAMESPACE, account)


def account_name(account: str = DELIVERY) -> str:
    """Return the user under which RBAC and the audit log know the account."""
    return f"system:serviceaccount:{SYSTEM_NAMESPACE}:{account}"
