"""The real control plane keeps the promises that every other test of this lane rests on."""

import ssl

import pytest

from tests.cluster.binaries import kubernetes_version
from tests.cluster.control_plane import RealCluster
from tests.cluster.processes import wait_until
from tests.cluster.rest import Rest, RestError

DEPLOYMENT = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
    },
}


def test_kubectl_gets_the_pinned_version_over_verified_tls(bare_cluster: RealCluster) -> None:
    assert f"Server Version: {kubernetes_version()}" in bare_cluster.kubectl("version")


def test_a_client_without_the_ca_refuses_the_server(bare_cluster: RealCluster) -> None:
    stranger = Rest(bare_cluster.url, None, bare_cluster.token("admin"))
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        stranger.get("/version")
    assert isinstance(caught.value.reason, ssl.SSLCertVerificationError)


def test_an_unknown_token_is_turned_away(bare_cluster: RealCluster) -> None:
    with pytest.raises(RestError) as caught:
        Rest(bare_cluster.url, bare_cluster.ca, "not-a-token").get("/api/v1/namespaces")
    assert caught.value.status == 401


def test_the_audit_log_names_a_forbidden_call(bare_cluster: RealCluster) -> None:
    start = bare_cluster.audit.mark()
    with pytest.raises(RestError) as caught:
        bare_cluster.rest("nobody").get("/api/v1/namespaces/default/pods")
    assert caught.value.status == 403
    with pytest.raises(AssertionError, match=r"nobody list /api/v1/namespaces/default/pods -> 403"):
        bare_cluster.audit.assert_nothing_forbidden("nobody", since=start)
    assert bare_cluster.audit.count("nobody", since=start) == {("list", "pods", 403): 1}


def test_the_audit_check_refuses_to_pass_on_silence(bare_cluster: RealCluster) -> None:
    with pytest.raises(AssertionError, match="made no request"):
        bare_cluster.audit.assert_nothing_forbidden("system:serviceaccount:default:absent")


def test_the_real_controllers_make_pods_of_a_deployment_and_collect_them(bare_cluster: RealCluster) -> None:
    namespace = bare_cluster.new_namespace()
    apps, pods = f"/apis/apps/v1/namespaces/{namespace}/deployments", f"/api/v1/namespaces/{namespace}/pods"
    bare_cluster.admin.create(apps, DEPLOYMENT)

    def count() -> int:
        return len(bare_cluster.admin.get(pods)["items"])

    wait_until(lambda: count() == 2, seconds=60, what="two pods")
    bare_cluster.admin.request("DELETE", f"{apps}/web")
    wait_until(lambda: count() == 0, seconds=60, what="collection of the pods")


def test_a_service_account_gets_a_real_token(bare_cluster: RealCluster) -> None:
    namespace = bare_cluster.new_namespace()
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    wait_until(lambda: bare_cluster.admin.ready(path), seconds=60, what="service account")
    config = bare_cluster.service_account_kubeconfig(namespace, "default")
    answer = bare_cluster.kubectl("auth", "whoami", "-o", "json", "--kubeconfig", str(config))
    assert f"system:serviceaccount:{namespace}:default" in answer
