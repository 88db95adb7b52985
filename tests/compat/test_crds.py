"""Our CustomResourceDefinitions take everything that the upstream ones take, under the same names."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from rollouts.api.argoproj.kinds import KINDS, Kind
from rollouts.api.crdgen import definition
from tests.compat.acceptance import INT_OR_STRING, PRESERVE, refusals
from tests.compat.upstream import files, needs_upstream_data


def _upstream() -> dict[str, dict[str, Any]]:
    found = {}
    for path in files("argo-*/crds/*.yaml"):
        manifest = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        found[manifest["spec"]["names"]["kind"]] = manifest
    return found


UPSTREAM = _upstream()
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)


@needs_upstream_data
@each_kind
def test_every_upstream_path_is_accepted(kind: Kind) -> None:
    ours = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    theirs = UPSTREAM[kind.kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert list(refusals(ours, theirs)) == []


@needs_upstream_data
@each_kind
def test_names_scope_and_subresources_are_the_upstream_ones(kind: Kind) -> None:
    ours, theirs = definition(kind), UPSTREAM[kind.kind]
    assert ours["metadata"]["name"] == theirs["metadata"]["name"]
    for field in ("group", "names", "scope"):
        assert ours["spec"][field] == theirs["spec"][field]
    one, other = ours["spec"]["versions"][0], theirs["spec"]["versions"][0]
    assert one["name"] == other["name"]
    assert one["subresources"] == other.get("subresources", {})


@needs_upstream_data
@each_kind
def test_columns_are_the_upstream_ones(kind: Kind) -> None:
    def columns(manifest: dict[str, Any]) -> list[tuple[Any, ...]]:
        written = manifest["spec"]["versions"][0].get("additionalPrinterColumns", [])
        return [(c["name"], c["type"], c["jsonPath"], c.get("priority", 0)) for c in written]

    assert columns(definition(kind)) == columns(UPSTREAM[kind.kind])


OBJECT: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("ours", "theirs", "refusal"),
    [
        ({"type": "object"}, OBJECT, ".a: unknown to ours"),
        (
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            OBJECT,
            ".a: integer here, string there",
        ),
        ({**OBJECT, "required": ["a"]}, OBJECT, ": ['a'] required by ours only"),
        (OBJECT, {**OBJECT, PRESERVE: True}, ": unknown fields are pruned by ours only"),
        ({"type": "integer"}, {INT_OR_STRING: True}, ": integer here, int-or-string there"),
        ({INT_OR_STRING: True}, {"type": "object"}, ": int-or-string here, object there"),
        ({"type": "string", "enum": ["x"]}, {"type": "string"}, ": fewer values"),
        (
            {"type": "array", "items": {"type": "object"}},
            {"type": "array", "items": OBJECT},
            "[].a: unknown to ours",
        ),
    ],
)
def test_a_schema_that_takes_less_is_caught(ours: Any, theirs: Any, refusal: str) -> None:
    assert list(refusals(ours, theirs)) == [refusal]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({PRESERVE: True}, OBJECT),
        ({"type": "object", PRESERVE: True}, OBJECT),
        ({INT_OR_STRING: True}, {"type": "string"}),
        (OBJECT, {**OBJECT, "required": ["a"]}),
    ],
)
def test_a_schema_that_takes_as_much_or_more_passes(ours: Any, theirs: Any) -> None:
    assert list(refusals(ours, theirs)) == []
