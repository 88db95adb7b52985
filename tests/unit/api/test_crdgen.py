from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel

from rollouts.api.argoproj.kinds import KINDS, Kind
from rollouts.api.crdgen import definition, file_name, main, render, stale_files, write
from rollouts.api.schema import kind_schema

REPOSITORY = Path(__file__).resolve().parents[3]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)


def schema_of(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in (schema.get("properties") or {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}{mark}")


def test_the_files_in_the_repository_are_up_to_date() -> None:
    assert stale_files(REPOSITORY / "crds") == ()


def test_a_changed_a_missing_and_a_foreign_file_are_stale(tmp_path: Path) -> None:
    write(tmp_path)
    assert stale_files(tmp_path) == ()
    (tmp_path / "argoproj.io_rollouts.yaml").write_text("changed")
    (tmp_path / "argoproj.io_experiments.yaml").unlink()
    (tmp_path / "argoproj.io_gone.yaml").write_text("")
    stale = ("argoproj.io_experiments.yaml", "argoproj.io_gone.yaml", "argoproj.io_rollouts.yaml")
    assert stale_files(tmp_path) == stale
    result = CliRunner().invoke(main, ["--check", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert all(name in result.output for name in stale)


def test_writing_repairs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "argoproj.io_gone.yaml").write_text("")
    assert CliRunner().invoke(main, ["--out", str(tmp_path)]).exit_code == 0
    assert stale_files(tmp_path) == ()
    assert CliRunner().invoke(main, ["--check", "--out", str(tmp_path)]).exit_code == 0


@each_kind
def test_a_file_is_small_enough_for_client_side_apply(kind: Kind) -> None:
    assert len(render(kind)) < 200_000
    assert yaml.safe_load(render(kind)) == definition(kind)
    assert file_name(kind) == f"argoproj.io_{kind.plural}.yaml"


@each_kind
def test_no_object_below_the_root_prunes_what_it_does_not_know(kind: Kind) -> None:
    pruning = [
        path
        for path, node in nodes(schema_of(kind))
        if node.get("type") == "object"
        and path not in ("", ".metadata")
        and "selector" not in path
        and not node.get(PRESERVE)
        and "additionalProperties" not in node
    ]
    assert pruning == []


@each_kind
def test_every_node_is_structural(kind: Kind) -> None:
    allowed = {
        "type", "description", "properties", "required", "items", "additionalProperties", "default",
        PRESERVE, "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type", "x-kubernetes-validations",
    }  # fmt: skip
    for path, node in nodes(schema_of(kind)):
        assert set(node) <= allowed, path
        assert not (node.get("properties") and node.get("additionalProperties")), path
        assert "type" in node or node.get(PRESERVE) or node.get("x-kubernetes-int-or-string"), path


@each_kind
def test_spec_and_its_fields_are_explained(kind: Kind) -> None:
    schema = schema_of(kind)
    assert schema["description"]
    assert all(
        node.get("description")
        for path, node in nodes(schema)
        if path.count(".") == 1 and "properties" in node
    )


def test_lists_of_a_pod_template_merge_by_key() -> None:
    spec = dict(nodes(schema_of(KINDS["Rollout"])))
    containers = spec[".spec.template.spec.containers"]
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert spec[".spec.template.spec.containers[].ports[].protocol"]["default"] == "TCP"


def test_the_selector_of_a_rollout_cannot_change() -> None:
    selector = dict(nodes(schema_of(KINDS["Rollout"])))[".spec.selector"]
    assert selector["x-kubernetes-validations"][0]["rule"] == "self == oldSelf"


def test_a_large_repeated_model_is_spelled_out_once_and_referred_to() -> None:
    schema = dict(nodes(schema_of(KINDS["Application"])))
    assert "helm" in schema[".spec.source"]["properties"]
    assert "properties" not in schema[".spec.sources[]"]
    assert schema[".spec.sources[]"]["description"].endswith("Its fields are those of spec.source.")


def test_generators_nest_without_end() -> None:
    schema = dict(nodes(schema_of(KINDS["ApplicationSet"])))
    assert "git" in schema[".spec.generators[]"]["properties"]
    assert schema[".spec.generators[].matrix.generators[]"][PRESERVE] is True


def test_docstrings_below_fields_become_descriptions() -> None:
    schema = dict(nodes(schema_of(KINDS["Rollout"])))
    assert schema[".spec.workloadRef.scaleDown"]["description"] == "never, onsuccess or progressively."


def test_a_type_without_structural_form_is_named() -> None:
    class Odd(BaseModel):
        """Odd."""

        value: list[int] | dict[str, int]

    with pytest.raises(TypeError, match="value"):
        kind_schema(Odd)
