"""Server-side apply: the request, owners and conflicts."""

import pytest

from rollouts.kube import errors, ssa
from rollouts.kube.api import PatchKind
from rollouts.kube.objects import DEPLOYMENTS
from tests.unit.kube.world import manifest

LIVE = {
    "metadata": {
        "managedFields": [
            {
                "manager": "us",
                "operation": "Apply",
                "fieldsV1": {
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": {
                            'k:{"name":"web","port":80}': {".": {}, "f:image": {}},
                            'v:"finalizer"': {},
                            "i:0": {},
                        },
                    }
                },
            },
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        ]
    }
}


def test_owned_fields_are_read_from_managed_fields():
    assert ssa.owned_paths(LIVE, "us") == {
        ("spec", "replicas"),
        ("spec", "template", "[name=web,port=80]", "image"),
        ("spec", "template", "[finalizer]"),
        ("spec", "template", "[0]"),
    }
    assert ssa.owned_paths(LIVE, "nobody") == frozenset()


@pytest.mark.parametrize(
    ("path", "managers"),
    [
        (("spec", "replicas"), ("us", "kubectl")),
        (("spec", "template"), ("us",)),
        (("spec",), ("us", "kubectl")),
        (("status",), ()),
    ],
    ids=["shared field", "subtree", "root", "nobody's"],
)
def test_the_managers_of_a_field_are_named(path: ssa.Path, managers: tuple[str, ...]):
    assert ssa.managers_of(LIVE, path) == managers


def test_an_applys_conflict_names_the_fields_and_a_version_conflict_none():
    cause = {"reason": "FieldManagerConflict", "field": ".spec.replicas", "message": 'conflict with "hpa"'}
    error = errors.Conflict("conflict", status=409, body={"details": {"causes": [cause]}})
    assert ssa.conflicts(error) == (ssa.FieldConflict(".spec.replicas", 'conflict with "hpa"'),)
    assert ssa.conflicts(errors.Conflict("the object has been modified", status=409)) == ()


async def test_an_apply_leaves_out_what_only_the_server_sets():
    sent: list[tuple[object, ...]] = []

    class Api:
        async def patch(self, *args: object, **options: object) -> dict[str, object]:
            sent.append((*args, options))
            return {}

    obj = manifest(
        "d", metadata={"uid": "u", "resourceVersion": "3", "managedFields": [], "labels": {"a": "b"}}
    )
    await ssa.apply(Api(), DEPLOYMENTS, obj, field_manager="us", resource_version="9")  # type: ignore[arg-type]
    resource, namespace, name, body, options = sent[0]
    assert (resource, namespace, name) == (DEPLOYMENTS, "ns", "d")
    assert body == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "ns", "labels": {"a": "b"}, "resourceVersion": "9"},
    }
    assert options == {"kind": PatchKind.APPLY, "field_manager": "us", "force": False, "dry_run": False}
