"""Defaults and rules of the built-in kinds that a controller relies on."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import (
    CONFIGMAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    JOBS,
    LEASES,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SECRETS,
    SERVICES,
    Resource,
)
from tests.contract.definitions import configmap, deployment, pod
from tests.contract.implementations import Subject


def _template(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "registry.example.com/app:1"}]
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers, **spec}}


def _replica_set(name: str = "rs", **spec: Any) -> dict[str, Any]:
    rest = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": _template(), **spec}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": rest}


def _job(**spec: Any) -> dict[str, Any]:
    rest = {"suspend": True, "template": _template(restartPolicy="Never"), **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": rest}


def _service(**spec: Any) -> dict[str, Any]:
    rest = {"selector": {"app": "x"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": rest}


TEMPLATE_DEFAULTS = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "containers": [
        {
            "name": "main",
            "image": "registry.example.com/app:1",
            "imagePullPolicy": "IfNotPresent",
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
    ],
}


async def test_a_replica_sets_template_gets_its_defaults(cluster: Subject) -> None:
    answer = await cluster.create(REPLICASETS, _replica_set())
    assert answer["spec"]["template"]["spec"] == TEMPLATE_DEFAULTS
    assert answer["spec"]["template"]["metadata"] == {"labels": {"app": "x"}}
    assert answer["status"] == {"replicas": 0}


async def test_replicas_default_to_one(cluster: Subject) -> None:
    body = _replica_set()
    del body["spec"]["replicas"]
    answer = await cluster.create(REPLICASETS, body, dry_run=True)
    assert answer["spec"]["replicas"] == 1


async def test_probes_ports_env_and_volumes_get_their_defaults(cluster: Subject) -> None:
    container = {
        "name": "main",
        "image": "registry.example.com/app",
        "ports": [{"containerPort": 80}],
        "readinessProbe": {"httpGet": {"port": 80}},
        "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "resources": {"limits": {"cpu": "1"}},
    }
    volumes = [
        {"name": "c", "configMap": {"name": "x"}},
        {"name": "e"},
        {"name": "s", "secret": {"secretName": "y"}},
    ]
    body = _replica_set(template=_template(containers=[container], volumes=volumes))
    spec = (await cluster.create(REPLICASETS, body))["spec"]["template"]["spec"]
    found = spec["containers"][0]
    assert found["imagePullPolicy"] == "Always"
    assert found["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert found["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert found["env"][0]["valueFrom"]["fieldRef"] == {"apiVersion": "v1", "fieldPath": "status.podIP"}
    assert found["resources"] == {"limits": {"cpu": "1"}}
    assert spec["volumes"] == [
        {"name": "c", "configMap": {"name": "x", "defaultMode": 420}},
        {"name": "e", "emptyDir": {}},
        {"name": "s", "secret": {"secretName": "y", "defaultMode": 420}},
    ]


async def test_a_deployment_gets_its_defaults(cluster: Subject) -> None:
    spec = (await cluster.create(DEPLOYMENTS, deployment("d")))["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600


async def test_a_pod_starts_pending(cluster: Subject) -> None:
    answer = await cluster.create(PODS, pod("p"))
    assert answer["status"]["phase"] == "Pending"
    assert answer["status"]["qosClass"] == "BestEffort"
    assert answer["spec"]["enableServiceLinks"] is True
    assert answer["metadata"]["generation"] == 1


async def test_a_pods_requests_default_to_its_limits(cluster: Subject) -> None:
    container = {"name": "main", "image": "x:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
    answer = await cluster.create(PODS, pod("p", containers=[container]))
    assert answer["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
    assert answer["status"]["qosClass"] == "Guaranteed"


async def test_a_job_gets_its_selector_and_labels(cluster: Subject) -> None:
    answer = await cluster.create(JOBS, _job())
    uid = answer["metadata"]["uid"]
    assert answer["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels = answer["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == "j"
    assert labels["controller-uid"] == uid
    assert labels["app"] == "x"
    assert answer["spec"]["backoffLimit"] == 6
    assert (answer["spec"]["parallelism"], answer["spec"]["completions"]) == (1, 1)
    assert answer["spec"]["completionMode"] == "NonIndexed"


async def test_a_service_gets_an_address_and_keeps_it(cluster: Subject) -> None:
    created = await cluster.create(SERVICES, _service())
    spec = created["spec"]
    assert spec["clusterIP"].startswith("10.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["type"] == "ClusterIP"
    assert spec["sessionAffinity"] == "None"
    assert spec["internalTrafficPolicy"] == "Cluster"
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    replaced = await cluster.api.replace(SERVICES, cluster.namespace, "s", _service(selector={"app": "y"}))
    assert replaced["spec"]["clusterIP"] == spec["clusterIP"]
    assert replaced["spec"]["selector"] == {"app": "y"}


async def test_a_headless_service_has_no_address(cluster: Subject) -> None:
    answer = await cluster.create(SERVICES, _service(clusterIP="None"))
    assert answer["spec"]["clusterIP"] == "None"


async def test_a_secrets_plain_strings_become_data(cluster: Subject) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    answer = await cluster.create(SECRETS, body)
    assert answer["type"] == "Opaque"
    assert answer["data"] == {"a": "Yg=="}
    assert "stringData" not in answer


async def test_a_namespace_is_active_and_labelled(cluster: Subject) -> None:
    answer = await cluster.api.get(NAMESPACES, None, cluster.namespace)
    assert answer["status"]["phase"] == "Active"
    assert answer["metadata"]["labels"]["kubernetes.io/metadata.name"] == cluster.namespace
    assert answer["spec"]["finalizers"] == ["kubernetes"]


async def test_an_endpoint_slices_ports_get_their_defaults(cluster: Subject) -> None:
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "e"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [{"port": 80}],
    }
    answer = await cluster.create(ENDPOINT_SLICES, body)
    assert answer["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]


async def test_a_lease_keeps_its_microseconds(cluster: Subject) -> None:
    moment = "2026-01-02T03:04:05.123456Z"
    spec = {"holderIdentity": "x", "leaseDurationSeconds": 15, "renewTime": moment}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": spec}
    assert (await cluster.create(LEASES, body))["spec"]["renewTime"] == moment


async def test_a_lease_held_by_another_version_is_a_conflict(cluster: Subject) -> None:
    spec = {"holderIdentity": "x", "leaseDurationSeconds": 15}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": spec}
    first = await cluster.create(LEASES, body)
    first["spec"]["holderIdentity"] = "y"
    await cluster.api.replace(LEASES, cluster.namespace, "l", first)
    first["spec"]["holderIdentity"] = "z"
    with pytest.raises(errors.Conflict):
        await cluster.api.replace(LEASES, cluster.namespace, "l", first)


@pytest.mark.parametrize(
    ("resource", "body", "field"),
    [
        pytest.param(
            REPLICASETS,
            _replica_set(selector={"matchLabels": {"app": "other"}}),
            "spec.template.metadata.labels",
            id="selector does not match the template",
        ),
        pytest.param(REPLICASETS, _replica_set(replicas=-1), "spec.replicas", id="negative replicas"),
        pytest.param(
            REPLICASETS,
            _replica_set(template=_template(containers=[])),
            "spec.template.spec.containers",
            id="no containers",
        ),
        pytest.param(
            JOBS,
            _job(template=_template()),
            "spec.template.spec.restartPolicy",
            id="a Job that always restarts",
        ),
        pytest.param(SERVICES, _service(ports=[]), "spec.ports", id="no ports"),
        pytest.param(SERVICES, _service(ports=[{"port": 0}]), "spec.ports[0].port", id="port 0"),
        pytest.param(PODS, pod("p", containers=[{"name": "x"}]), "spec.containers[0].image", id="no image"),
    ],
)
async def test_an_invalid_object_names_its_field(
    cluster: Subject, resource: Resource, body: dict[str, Any], field: str
) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(resource, body)
    assert field in {cause["field"] for cause in refused.value.body["details"]["causes"]}


async def test_a_selector_is_immutable(cluster: Subject) -> None:
    await cluster.create(REPLICASETS, _replica_set())
    patch = {
        "spec": {
            "selector": {"matchLabels": {"more": "y"}},
            "template": {"metadata": {"labels": {"more": "y"}}},
        }
    }
    with pytest.raises(errors.Invalid) as refused:
        await cluster.merge(REPLICASETS, "rs", patch)
    assert "field is immutable" in refused.value.message


async def test_a_pods_spec_is_immutable_but_for_images(cluster: Subject) -> None:
    await cluster.create(PODS, pod("p"))
    with pytest.raises(errors.Invalid) as refused:
        await cluster.merge(PODS, "p", {"spec": {"hostname": "other"}})
    assert "pod updates may not change fields other than" in refused.value.message


async def test_a_config_map_has_no_generation(cluster: Subject) -> None:
    assert "generation" not in (await cluster.create(CONFIGMAPS, configmap("a")))["metadata"]


async def test_a_status_write_of_a_replica_set_keeps_its_generation(cluster: Subject) -> None:
    await cluster.create(REPLICASETS, _replica_set())
    patch = {"status": {"replicas": 0, "observedGeneration": 1}}
    answer = await cluster.merge(REPLICASETS, "rs", patch, subresource="status")
    assert answer["metadata"]["generation"] == 1
    assert answer["status"]["observedGeneration"] == 1
