"""Installs the shipped manifests on a real cluster; hands out kubeconfigs of their service accounts."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import yaml

from tests.cluster.control_plane import RealCluster
from tests.cluster.processes import wait_until
from tests.lanes.registry import REPOSITORY

SYSTEM_NAMESPACE = "argo-rollouts"
DELIVERY = "rollouts-delivery"
GIT_SYNC = "rollouts-git-sync"
ACCOUNTS = (DELIVERY, GIT_SYNC)
MANIFESTS = REPOSITORY / "manifests"


@cache
def install(cluster: RealCluster) -> None:
    """Apply an overlay as the README shows it, with Git sync, without pods: tests run the controller."""
    body = {"metadata": {"name": SYSTEM_NAMESPACE}}
    if not cluster.admin.ready(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}"):
        cluster.admin.create("/api/v1/namespaces", body)
    cluster.kubectl("apply", "--server-side", "-k", str(_overlay(cluster.folder / "overlay")))
    for name in ACCOUNTS:
        scale = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments/{name}"
        cluster.admin.merge(scale, {"spec": {"replicas": 0}})


def _overlay(folder: Path) -> Path:
    """Write an overlay of all namespaces with Git sync; kustomize takes relative paths alone."""
    folder.mkdir()
    shipped = os.path.relpath(MANIFESTS.resolve(), folder.resolve())
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": SYSTEM_NAMESPACE,
        "resources": [f"{shipped}/cluster"],
        "components": [f"{shipped}/components/{name}" for name in ("git-sync", "track-config")],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def account_kubeconfig(cluster: RealCluster, account: str = DELIVERY) -> Path:
    """Return a kubeconfig with a real token of a shipped service account: its rights are the shipped ones."""
    install(cluster)
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{account}"
    wait_until(lambda: cluster.admin.ready(path), seconds=60, what=f"service account {account}")
    return cluster.service_account_kubeconfig(SYSTEM_NAMESPACE, account)


def account_name(account: str = DELIVERY) -> str:
    """Return the user under which RBAC and the audit log know the account."""
    return f"system:serviceaccount:{SYSTEM_NAMESPACE}:{account}"
