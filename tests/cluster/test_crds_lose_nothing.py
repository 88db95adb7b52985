"""Our CRDs on a real API server: no example of the upstream projects loses a field or is refused."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from rollouts.api.argoproj.kinds import GROUP, KINDS, VERSION
from rollouts.api.fields import without_nulls
from tests.cluster.control_plane import RealCluster
from tests.cluster.rest import RestError
from tests.compat.test_examples import EXAMPLES
from tests.compat.upstream import needs_upstream_data

pytestmark = needs_upstream_data


def _dry_run(cluster: RealCluster, manifest: dict[str, Any]) -> dict[str, Any]:
    kind = KINDS[manifest["kind"]]
    scope = f"/namespaces/{manifest['metadata']['namespace']}" if kind.namespaced else ""
    path = f"/apis/{GROUP}/{VERSION}{scope}/{kind.plural}?dryRun=All&fieldValidation=Strict"
    return cluster.admin.create(path, manifest)


def _in_namespace(manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
    placed = deepcopy(without_nulls(manifest))
    if KINDS[manifest["kind"]].namespaced:
        placed["metadata"]["namespace"] = namespace
    placed["metadata"].pop("finalizers", None)
    return placed


def _without_default_protocol(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: _without_default_protocol(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if (k, v) != ("protocol", "TCP")}
    if isinstance(value, list):
        return [_without_default_protocol(item) for item in value]
    return value


@pytest.mark.parametrize("manifest", [m for _, m in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_an_example_is_taken_whole(cluster: RealCluster, manifest: dict[str, Any]) -> None:
    sent = _in_namespace(manifest, "default")
    stored = _dry_run(cluster, sent)
    for field in sent.keys() - {"metadata"}:
        assert _without_default_protocol(stored[field]) == _without_default_protocol(sent[field])


def _rollout(name: str, namespace: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "future": {"a": 1}},
            },
            "strategy": {"canary": {"steps": [{"setWeight": 5, "future": [{"deep": 1}]}], "future": "kept"}},
            "future": {"of": {"upstream": True}},
        },
    }


def test_fields_of_a_later_upstream_version_are_kept_at_any_depth(
    cluster: RealCluster, namespace: str
) -> None:
    spec = _dry_run(cluster, _rollout("later", namespace))["spec"]
    assert spec["future"] == {"of": {"upstream": True}}
    assert spec["strategy"]["canary"]["future"] == "kept"
    assert spec["strategy"]["canary"]["steps"][0]["future"] == [{"deep": 1}]
    assert spec["template"]["spec"]["future"] == {"a": 1}


def test_a_port_without_protocol_is_stored_as_tcp_as_with_the_upstream_crd(
    cluster: RealCluster, namespace: str
) -> None:
    (container,) = _dry_run(cluster, _rollout("port", namespace))["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_the_selector_cannot_be_changed(cluster: RealCluster, namespace: str) -> None:
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/rollouts"
    cluster.admin.create(path, _rollout("fixed", namespace))
    with pytest.raises(RestError, match="selector is immutable"):
        cluster.admin.merge(f"{path}/fixed", {"spec": {"selector": {"matchLabels": {"app": "other"}}}})


def test_a_status_write_leaves_the_generation_of_a_rollout_alone(
    cluster: RealCluster, namespace: str
) -> None:
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/rollouts"
    cluster.admin.create(path, _rollout("status", namespace))
    status = {"HPAReplicas": 3, "selector": "app=status", "pauseConditions": [], "phase": "Healthy"}
    written = cluster.admin.merge(f"{path}/status/status", {"status": status})
    assert written["metadata"]["generation"] == 1
    assert written["status"] == status
    scale = cluster.admin.get(f"{path}/status/scale")
    assert (scale["status"]["replicas"], scale["status"]["selector"]) == (3, "app=status")
