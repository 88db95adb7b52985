"""Identity of ReplicaSets: by hash, by content, whatever was injected."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rollouts.workloads import antiaffinity, labels, replicaset
from rollouts.workloads.template_hash import go_json, pod_template_hash, safe_encode

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:v1", "ports": [{"containerPort": 80}]}]},
}
ROLLOUT = {"metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": {"selector": {}}}


def built(**spec: Any) -> replicaset.ReplicaSet:
    template = copy.deepcopy(TEMPLATE)
    template["spec"].update(spec)
    body = replicaset.build(ROLLOUT, template, "foreign", 1, selector={}, min_ready_seconds=0, desired=1)
    return replicaset.read(body)


def test_found_by_content_when_the_hash_was_made_by_somebody_else() -> None:
    assert replicaset.find_by_template([built()], TEMPLATE, None) is not None


def test_defaults_of_the_api_server_do_not_make_another_version() -> None:
    written = built(
        restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30, securityContext={},
    )  # fmt: skip
    assert replicaset.find_by_template([written], TEMPLATE, None) is not None


def test_another_image_is_another_version() -> None:
    other = copy.deepcopy(TEMPLATE)
    other["spec"]["containers"][0]["image"] = "web:v2"
    assert replicaset.find_by_template([built()], other, None) is None


@pytest.mark.parametrize("weight", [None, 50], ids=["required", "preferred"])
def test_injected_anti_affinity_does_not_make_another_version(weight: int | None) -> None:
    body = replicaset.build(ROLLOUT, TEMPLATE, "foreign", 1, selector={}, min_ready_seconds=0, desired=1)
    decorated = antiaffinity.with_anti_affinity(body, "stable", weight)
    assert decorated["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert replicaset.find_by_template([replicaset.read(decorated)], TEMPLATE, None) is not None


def test_the_users_own_affinity_stays() -> None:
    own = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "affinity": own}}
    body = replicaset.build(ROLLOUT, template, "foreign", 1, selector={}, min_ready_seconds=0, desired=1)
    decorated = antiaffinity.with_anti_affinity(body, "stable", None)
    terms = decorated["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert len(terms["requiredDuringSchedulingIgnoredDuringExecution"]) == 2
    assert replicaset.find_by_template([replicaset.read(decorated)], template, None) is not None


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ({"spec": {"containers": None}}, '{"metadata":{},"spec":{"containers":null}}'),
        (
            {"metadata": {"labels": {"b": "<&>", "a": "\u2028"}}, "spec": {"containers": []}},
            '{"metadata":{"labels":{"a":"\\u2028","b":"\\u003c\\u0026\\u003e"}},"spec":{"containers":[]}}',
        ),
        (
            {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1000m"}}, "x": 1}]}},
            '{"metadata":{},"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"1"}}}]}}',
        ),
        (
            {"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}},
            '{"metadata":{},"spec":{"containers":[{"name":"c","ports":[{"containerPort":80,"protocol":"TCP"}]'
            ',"resources":{}}]}}',
        ),
    ],
    ids=["nothing", "escapes", "quantities and unknown fields", "schema default"],
)
def test_templates_are_written_as_go_writes_them(template: dict[str, Any], wanted: str) -> None:
    assert go_json(template) == wanted


def test_hash_of_a_collision_is_another_one() -> None:
    hashes = {pod_template_hash(TEMPLATE, count) for count in (None, 0, 1)}
    assert len(hashes) == 3
    assert all(set(h) <= set("bcdfghjklmnpqrstvwxz2456789") for h in hashes)


def test_safe_encoding_uses_the_character_codes() -> None:
    assert safe_encode("0") == "bcdfghjklmnpqrstvwxz2456789"[ord("0") % 27]


def test_scale_down_deadline_is_read_as_a_moment() -> None:
    body = replicaset.build(ROLLOUT, TEMPLATE, "h", 3, selector={}, min_ready_seconds=0, desired=1)
    body["metadata"]["annotations"][labels.SCALE_DOWN_DEADLINE] = "2026-01-01T00:00:30Z"
    found = replicaset.read(body)
    assert found.deadline is not None
    assert (found.deadline.second, found.has_deadline, found.revision) == (30, True, 3)
