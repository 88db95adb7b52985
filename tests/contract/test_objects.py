"""Creating and reading."""

from __future__ import annotations

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import CONFIGMAPS
from tests.contract.definitions import WIDGETS, configmap, widget
from tests.contract.implementations import Subject


async def test_create_sets_identity_version_and_generation(cluster: Subject) -> None:
    meta = (await cluster.create(WIDGETS, widget("a", labels={"app": "x"})))["metadata"]
    assert meta["namespace"] == cluster.namespace
    assert len(meta["uid"]) == 36
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 1
    assert meta["generation"] == 1
    assert meta["labels"] == {"app": "x"}


async def test_a_created_object_is_read_back_equal(cluster: Subject) -> None:
    created = await cluster.create(WIDGETS, widget("a"))
    assert await cluster.get(WIDGETS, "a") == created


async def test_an_answer_is_the_callers_own_copy(cluster: Subject) -> None:
    created = await cluster.create(WIDGETS, widget("a"))
    created["spec"]["size"] = 77
    assert (await cluster.get(WIDGETS, "a"))["spec"]["size"] == 1


async def test_the_callers_body_is_neither_changed_nor_kept(cluster: Subject) -> None:
    body = widget("a")
    await cluster.create(WIDGETS, body)
    assert body == widget("a")
    body["spec"]["size"] = 9
    assert (await cluster.get(WIDGETS, "a"))["spec"]["size"] == 1


async def test_a_second_create_is_already_exists(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.AlreadyExists) as refused:
        await cluster.create(WIDGETS, widget("a"))
    assert refused.value.body["details"]["name"] == "a"
    assert refused.value.body["details"]["kind"] == "widgets"


async def test_reading_what_is_not_there_is_not_found(cluster: Subject) -> None:
    with pytest.raises(errors.NotFound) as refused:
        await cluster.get(WIDGETS, "none")
    assert refused.value.message == 'widgets.contract.example.com "none" not found'
    assert refused.value.reason == "NotFound"


async def test_generate_name_appends_five_characters(cluster: Subject) -> None:
    names = set()
    for _ in range(3):
        body = widget("")
        body["metadata"] = {"generateName": "gen-"}
        names.add((await cluster.create(WIDGETS, body))["metadata"]["name"])
    assert len(names) == 3
    assert all(name.startswith("gen-") and len(name) == 9 for name in names)


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot..dot"])
async def test_a_name_that_is_no_subdomain_is_invalid(cluster: Subject, name: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(WIDGETS, widget(name))
    assert refused.value.status == 422
    assert refused.value.body["details"]["causes"][0]["field"] == "metadata.name"


async def test_a_missing_name_is_invalid(cluster: Subject) -> None:
    body = widget("")
    del body["metadata"]["name"]
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(WIDGETS, body)
    assert "name or generateName is required" in refused.value.message


async def test_a_label_value_with_a_space_is_invalid(cluster: Subject) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(WIDGETS, widget("a", labels={"app": "not ok"}))
    assert refused.value.body["details"]["causes"][0]["field"] == "metadata.labels"


async def test_a_dry_run_create_answers_and_stores_nothing(cluster: Subject) -> None:
    answer = await cluster.create(WIDGETS, widget("a", {"size": 2}), dry_run=True)
    assert answer["spec"]["mode"] == "auto"
    assert answer["metadata"]["uid"]
    with pytest.raises(errors.NotFound):
        await cluster.get(WIDGETS, "a")


async def test_creating_in_a_namespace_that_does_not_exist_is_not_found(cluster: Subject) -> None:
    with pytest.raises(errors.NotFound) as refused:
        await cluster.api.create(CONFIGMAPS, "no-such-namespace", configmap("a"))
    assert refused.value.message == 'namespaces "no-such-namespace" not found'


async def test_a_body_of_another_namespace_is_a_bad_request(cluster: Subject) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(WIDGETS, widget("a", namespace="default"))
    assert refused.value.status == 400


async def test_a_resource_version_on_create_is_refused(cluster: Subject) -> None:
    with pytest.raises(errors.ServerFailure) as refused:
        await cluster.create(CONFIGMAPS, configmap("a", resourceVersion="5"))
    assert "resourceVersion should not be set on objects to be created" in refused.value.message


async def test_a_body_of_another_kind_is_a_bad_request(cluster: Subject) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(CONFIGMAPS, widget("a"))
    assert refused.value.status == 400


async def test_identity_in_a_create_is_the_servers_choice(cluster: Subject) -> None:
    body = configmap("a", uid="mine", creationTimestamp="2001-01-01T00:00:00Z", generation=9)
    meta = (await cluster.create(CONFIGMAPS, body))["metadata"]
    assert meta["uid"] != "mine"
    assert not meta["creationTimestamp"].startswith("2001")


async def test_unknown_metadata_fields_are_dropped(cluster: Subject) -> None:
    answer = await cluster.create(WIDGETS, widget("a", nonsense="x"))
    assert "nonsense" not in answer["metadata"]
