"""The wire: Status bodies, discovery, health, tables, OpenAPI."""

from __future__ import annotations

import pytest

from rollouts.kube.objects import CONFIGMAPS, CRDS, DEPLOYMENTS, PODS
from tests.contract.definitions import GROUP, WIDGETS, configmap, deployment, pod, widget
from tests.contract.implementations import Subject, Wire

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_a_refusal_is_a_status_object(wire: Wire) -> None:
    answer = await wire.raw("GET", CONFIGMAPS.path(wire.namespace, "none"))
    assert answer.status == 404
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "none" not found',
        "reason": "NotFound",
        "details": {"name": "none", "kind": "configmaps"},
        "code": 404,
    }


async def test_a_grouped_refusal_names_its_group(wire: Wire) -> None:
    answer = await wire.raw("GET", WIDGETS.path(wire.namespace, "none"))
    assert answer.body["details"] == {"name": "none", "group": GROUP, "kind": "widgets"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
async def test_health_is_ok_in_plain_text(wire: Wire, path: str) -> None:
    answer = await wire.raw("GET", path)
    assert (answer.status, answer.body) == (200, "ok")


async def test_version_names_major_and_minor(wire: Wire) -> None:
    body = (await wire.raw("GET", "/version")).body
    assert body["major"] == "1"
    assert body["gitVersion"].startswith(f"v1.{body['minor']}.")


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_without_a_good_token_nothing_is_served(wire: Wire, token: str) -> None:
    answer = await wire.raw("GET", "/api/v1/namespaces", token=token)
    assert answer.status in (401, 403)
    assert answer.body["kind"] == "Status"


async def test_a_resource_that_is_not_served_is_not_found(wire: Wire) -> None:
    answer = await wire.raw("GET", f"/apis/{GROUP}/v1/namespaces/{wire.namespace}/unknowns")
    assert answer.status == 404


async def test_a_method_that_makes_no_sense_is_not_allowed(wire: Wire) -> None:
    answer = await wire.raw("PUT", CONFIGMAPS.path(wire.namespace), configmap("a"))
    assert answer.status == 405
    assert answer.body["reason"] == "MethodNotAllowed"


async def test_a_body_of_an_unknown_type_is_refused_by_its_type(wire: Wire) -> None:
    answer = await wire.raw("POST", CONFIGMAPS.path(wire.namespace), b"x", content_type="text/plain")
    assert answer.status == 415
    assert answer.body["reason"] == "UnsupportedMediaType"
    assert "application/json" in answer.body["message"]


async def test_a_body_that_is_not_json_is_a_bad_request(wire: Wire) -> None:
    answer = await wire.raw("POST", CONFIGMAPS.path(wire.namespace), b"{nonsense")
    assert answer.status == 400
    assert answer.body["reason"] == "BadRequest"


async def test_an_object_may_be_yaml(wire: Wire) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n"
    answer = await wire.raw("POST", CONFIGMAPS.path(wire.namespace), body, content_type="application/yaml")
    assert answer.status == 201
    assert answer.body["data"] == {"a": "b"}


async def test_an_apply_may_be_yaml_and_creates_with_201(wire: Wire) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n"
    path = f"{CONFIGMAPS.path(wire.namespace, 'plain')}?fieldManager=one"
    kind = "application/apply-patch+yaml"
    assert (await wire.raw("PATCH", path, body, content_type=kind)).status == 201
    assert (await wire.raw("PATCH", path, body, content_type=kind)).status == 200


async def test_without_a_field_manager_the_user_agent_manages(wire: Wire) -> None:
    answer = await wire.raw("POST", CONFIGMAPS.path(wire.namespace), configmap("a"))
    assert answer.body["metadata"]["managedFields"][0]["manager"] == "contract"


async def test_discovery_lists_groups_versions_and_resources(wire: Wire) -> None:
    groups = (await wire.raw("GET", "/apis")).body["groups"]
    ours = next(group for group in groups if group["name"] == GROUP)
    assert ours["preferredVersion"]["version"] == "v1"
    listed = (await wire.raw("GET", f"/apis/{GROUP}/v1")).body
    rows = {row["name"]: row for row in listed["resources"]}
    assert {"widgets", "widgets/status", "widgets/scale", "gadgets"} <= set(rows)
    assert rows["widgets"]["shortNames"] == ["wg"]
    assert rows["widgets"]["kind"] == "Widget"
    assert rows["widgets"]["namespaced"] is True
    assert rows["widgets/scale"]["kind"] == "Scale"
    assert "widgets/status" in rows
    assert "gadgets/status" not in rows


async def test_core_discovery_lists_pods_with_their_subresources(wire: Wire) -> None:
    rows = {row["name"] for row in (await wire.raw("GET", "/api/v1")).body["resources"]}
    assert {"pods", "pods/status", "pods/eviction", "pods/binding", "namespaces", "secrets"} <= rows


async def test_aggregated_discovery_is_one_document(wire: Wire) -> None:
    answer = await wire.raw("GET", "/apis", accept=AGGREGATED)
    assert answer.body["kind"] == "APIGroupDiscoveryList"
    assert "APIGroupDiscoveryList" in answer.headers["Content-Type"]
    apps = next(item for item in answer.body["items"] if item["metadata"]["name"] == "apps")
    rows = {row["resource"]: row for row in apps["versions"][0]["resources"]}
    subresources = {sub["subresource"] for sub in rows["deployments"]["subresources"]}
    assert {"scale", "status"} <= subresources


async def test_served_lists_resources_through_the_port(cluster: Subject) -> None:
    rows = {row.resource: row for row in await cluster.api.served()}
    assert rows[WIDGETS].subresources == {"status", "scale"}
    assert "watch" in rows[WIDGETS].verbs
    assert "wg" in rows[WIDGETS].short_names
    assert rows[PODS].subresources >= {"status", "eviction", "binding"}


async def test_version_through_the_port(cluster: Subject) -> None:
    assert (await cluster.api.version())["major"] == "1"


async def test_a_definition_becomes_established(cluster: Subject) -> None:
    crd = await cluster.api.get(CRDS, None, f"widgets.{GROUP}")
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["spec"]["names"]["listKind"] == "WidgetList"


async def test_a_table_has_the_definitions_columns(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a", {"size": 7}))
    conditions = [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]
    await wire.merge(WIDGETS, "a", {"status": {"conditions": conditions}}, subresource="status")
    table = (await wire.raw("GET", WIDGETS.path(wire.namespace), accept=TABLE)).body
    assert table["kind"] == "Table"
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Size", "Ready", "Mode"]
    assert [c["priority"] for c in table["columnDefinitions"]] == [0, 0, 0, 1]
    assert table["rows"][0]["cells"] == ["a", 7, "True", "auto"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert table["rows"][0]["object"]["metadata"]["name"] == "a"


async def test_tables_of_pods_and_deployments_have_the_usual_columns(wire: Wire) -> None:
    await wire.create(PODS, pod("p"))
    await wire.create(DEPLOYMENTS, deployment("d"))
    pods = (await wire.raw("GET", PODS.path(wire.namespace), accept=TABLE)).body
    shown = [c["name"] for c in pods["columnDefinitions"] if c["priority"] == 0]
    assert shown == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert pods["rows"][0]["cells"][:3] == ["p", "0/1", "Pending"]
    deployments = (await wire.raw("GET", DEPLOYMENTS.path(wire.namespace), accept=TABLE)).body
    shown = [c["name"] for c in deployments["columnDefinitions"] if c["priority"] == 0]
    assert shown == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert deployments["rows"][0]["cells"][:4] == ["d", "0/0", 0, 0]


async def test_openapi_describes_custom_resources(wire: Wire) -> None:
    paths = (await wire.raw("GET", "/openapi/v3")).body["paths"]
    assert f"apis/{GROUP}/v1" in paths
    document = (await wire.raw("GET", f"/openapi/v3/apis/{GROUP}/v1")).body
    schemas = document["components"]["schemas"].values()
    gvk = {"group": GROUP, "version": "v1", "kind": "Widget"}
    found = next(s for s in schemas if gvk in s.get("x-kubernetes-group-version-kind", []))
    assert found["properties"]["spec"]["properties"]["size"]["description"] == "Edge length."


async def test_an_access_review_is_answered(wire: Wire) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}},
    }
    answer = await wire.raw("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert answer.status == 201
    assert answer.body["status"]["allowed"] is True
