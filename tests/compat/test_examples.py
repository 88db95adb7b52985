"""Every example manifest of the upstream projects goes through the models and loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollouts.api.argoproj.kinds import KINDS, kind_of
from rollouts.api.argoproj.validation import validate_rollout
from rollouts.api.fields import unknown_fields, without_nulls
from rollouts.api.yamlio import YamlError, load_all
from tests.compat.upstream import FOLDER, files, needs_upstream_data

pytestmark = needs_upstream_data

AHEAD_OF_THEIR_SCHEMA = ("design-doc/proposal/filters.yaml", "applicationset-all-fields.yaml")
"""Examples with fields that the upstream schema does not have either."""


def _examples() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in (*files("argo-*/examples/**/*.yaml"), *files("argo-*/examples/**/*.yml")):
        for index, manifest in enumerate(_manifests(path)):
            if kind_of(manifest.get("apiVersion", ""), manifest.get("kind", "")):
                found.append((f"{path.relative_to(FOLDER)}[{index}]", manifest))
    return found


def _manifests(path: Path) -> list[dict[str, Any]]:
    try:
        return load_all(path.read_bytes())
    except YamlError:
        return []  # Helm templates and deliberately broken files are no manifests


EXAMPLES = _examples()


@pytest.mark.parametrize("manifest", [m for _, m in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_an_example_parses_and_comes_out_as_it_went_in(manifest: dict[str, Any]) -> None:
    model = KINDS[manifest["kind"]].model
    wanted = without_nulls(manifest)
    assert model.model_validate(wanted).manifest() == wanted


@pytest.mark.parametrize("manifest", [m for _, m in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_an_example_has_no_field_that_the_models_do_not_know(
    manifest: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    model = KINDS[manifest["kind"]].model
    unknown = unknown_fields(model.model_validate(without_nulls(manifest)))
    ahead = any(name in request.node.name for name in AHEAD_OF_THEIR_SCHEMA)
    assert bool(unknown) == ahead, unknown


ROLLOUTS = [(name, manifest) for name, manifest in EXAMPLES if manifest["kind"] == "Rollout"]


@pytest.mark.parametrize("manifest", [m for _, m in ROLLOUTS], ids=[name for name, _ in ROLLOUTS])
def test_an_example_rollout_is_valid(manifest: dict[str, Any]) -> None:
    assert validate_rollout(manifest) == ()


def test_every_kind_has_an_example() -> None:
    seen = {manifest["kind"] for _, manifest in EXAMPLES}
    assert seen >= set(KINDS) - {"AnalysisRun"}
    assert len(EXAMPLES) > 60
