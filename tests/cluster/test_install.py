"""What is shipped for installation is accepted by a real API server, and grants what it says."""

import pytest

from tests.cluster.control_plane import RealCluster
from tests.cluster.install import ACCOUNTS, DELIVERY, GIT_SYNC, SYSTEM_NAMESPACE, install

SERVED = {"Established": "True", "NamesAccepted": "True", "NonStructuralSchema": "absent"}


@pytest.fixture(scope="module")
def installed(cluster: RealCluster) -> RealCluster:
    install(cluster)
    return cluster


def test_our_crds_are_structural_and_served(cluster: RealCluster) -> None:
    found = cluster.admin.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    ours = [crd for crd in found if crd["spec"]["group"] == "argoproj.io"]
    assert len(ours) >= 8
    for crd in ours:
        conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
        assert {kind: conditions.get(kind, "absent") for kind in SERVED} == SERVED, crd["metadata"]["name"]


def test_kubectl_explains_a_field_deep_in_a_rollout(cluster: RealCluster) -> None:
    answer = cluster.kubectl("explain", "rollout.spec.strategy.canary.steps.setWeight")
    assert "setWeight" in answer
    assert "DESCRIPTION" in answer


def allowed(cluster: RealCluster, account: str, verb: str, resource: str, *where: str) -> bool:
    who = f"--as=system:serviceaccount:{SYSTEM_NAMESPACE}:{account}"
    answer = cluster.kubectl("auth", "can-i", verb, resource, who, *(where or ("-A",)), check=False)
    return answer.strip() == "yes"


@pytest.mark.parametrize(
    ("account", "verb", "resource"),
    [
        (DELIVERY, "patch", "rollouts.argoproj.io/status"),
        (DELIVERY, "create", "replicasets.apps"),
        (GIT_SYNC, "patch", "rollouts.argoproj.io"),
        (GIT_SYNC, "patch", "httproutes.gateway.networking.k8s.io"),
    ],
)
def test_an_account_may_do_its_work(installed: RealCluster, account: str, verb: str, resource: str) -> None:
    assert allowed(installed, account, verb, resource)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_no_account_may_take_more_rights_or_bypass_a_controller(installed: RealCluster, account: str) -> None:
    for verb, resource in (
        ("create", "pods"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
    ):
        assert not allowed(installed, account, verb, resource), f"{account} may {verb} {resource}"


def test_git_sync_reads_secrets_of_its_own_namespace_alone(installed: RealCluster) -> None:
    assert allowed(installed, GIT_SYNC, "list", "secrets", "-n", SYSTEM_NAMESPACE)
    assert not allowed(installed, GIT_SYNC, "list", "secrets")


def test_the_deployments_of_the_controllers_are_accepted(installed: RealCluster) -> None:
    deployments = installed.admin.get(f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments")["items"]
    assert sorted(d["metadata"]["name"] for d in deployments) == sorted(ACCOUNTS)
