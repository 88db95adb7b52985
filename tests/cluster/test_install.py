"""What is shipped for installation is accepted by a real API server, and grants what it says."""

import pytest

from tests.cluster.control_plane import RealCluster
from tests.cluster.install import ACCOUNTS, SYSTEM_NAMESPACE, install

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


@pytest.mark.parametrize("account", ACCOUNTS)
def test_the_controllers_account_may_do_its_work_and_no_more(installed: RealCluster, account: str) -> None:
    who = f"--as=system:serviceaccount:{SYSTEM_NAMESPACE}:{account}"

    def may(verb: str, resource: str) -> bool:
        return installed.kubectl("auth", "can-i", verb, resource, who, "-A", check=False).strip() == "yes"

    assert may("patch", "rollouts.argoproj.io/status") or may("patch", "rollouts.argoproj.io")
    assert may("create", "replicasets.apps")
    assert not may("create", "pods")
    assert not may("create", "clusterrolebindings.rbac.authorization.k8s.io")
    assert not may("escalate", "clusterroles.rbac.authorization.k8s.io")


def test_the_deployment_of_the_controller_is_accepted(installed: RealCluster) -> None:
    deployments = installed.admin.get(f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments")["items"]
    assert [d["metadata"]["name"] for d in deployments] == ["rollouts-delivery"]
