"""Fields by their path: what there is, what may be missing, and what is an error."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.spec.errors import SpecError
from rollouts.workloads.fieldpath import field_value

OBJECT: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "shop"}},
    "spec": {"replicas": 3, "paused": False, "strategy": {"canary": {"steps": [{"setWeight": 20}]}}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.labels['app.kubernetes.io/name']", "shop"),
        ('metadata.labels["app.kubernetes.io/name"]', "shop"),
        ("metadata.labels['nobody-has-it']", ""),
        ("metadata.annotations['nobody-has-it']", ""),
        ("spec.replicas", "3"),
        ("spec.paused", "false"),
        ("spec.strategy.canary.steps[0].setWeight", "20"),
    ],
)
def test_a_field_is_read_by_its_path(path: str, value: str) -> None:
    assert field_value(OBJECT, path) == value


@pytest.mark.parametrize(
    "path", ["spec.nothing", "metadata.labels.team", "spec.strategy", "spec[", "spec..x"]
)
def test_a_path_that_leads_nowhere_is_an_error_that_names_it(path: str) -> None:
    with pytest.raises(SpecError, match=r"fieldRef\.fieldPath"):
        field_value(OBJECT, path)
