from __future__ import annotations

import pytest

from rollouts.api.argoproj.kinds import API_VERSION, GROUP, KINDS, VERSION, Kind, kind_of
from rollouts.kube import objects

RESOURCES = {
    resource.kind: resource
    for resource in vars(objects).values()
    if isinstance(resource, objects.Resource) and resource.group == GROUP
}


def test_there_are_eight_kinds() -> None:
    assert len(KINDS) == 8
    assert set(KINDS) == set(RESOURCES)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)
def test_a_kind_and_its_resource_agree(kind: Kind) -> None:
    assert RESOURCES[kind.kind] == objects.Resource(GROUP, VERSION, kind.plural, kind.kind, kind.namespaced)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)
def test_a_model_says_its_own_kind(kind: Kind) -> None:
    fields = kind.model.model_fields
    assert (fields["api_version"].default, fields["kind"].default) == (API_VERSION, kind.kind)


def test_a_kind_is_found_by_what_an_object_says() -> None:
    assert kind_of("argoproj.io/v1alpha1", "Rollout") is KINDS["Rollout"]
    assert kind_of("argoproj.io/v1alpha1", "Workflow") is None
    assert kind_of("apps/v1", "Rollout") is None
