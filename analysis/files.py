"""Templates in YAML files: what a command line reads instead of asking a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from analysis.spec.arguments import secret_names
from analysis.spec.errors import SpecError
from analysis.spec.objects import AnalysisRunSpec, AnalysisTemplateSpec
from analysis.spec.templates import build_run_spec, flatten, parse

KINDS = ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")


def load_documents(path: Path) -> list[dict[str, Any]]:
    """Return the templates and runs of a file. Raises SpecError when it is not YAML or holds none."""
    try:
        loaded = [document for document in yaml.safe_load_all(path.read_text()) if document is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError("", f"{path} is not YAML: {error}") from None
    found = [d for d in loaded if isinstance(d, dict) and d.get("kind") in KINDS]
    if not found:
        raise SpecError("", f"{path} holds no {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    return found


def given_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """Return arguments that were given as ``NAME=VALUE``. Raises ValueError."""
    given = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise ValueError(f"--arg {argument!r} is not NAME=VALUE")
        given[name] = value
    return given


def run_spec(path: Path, given: Mapping[str, str]) -> AnalysisRunSpec:
    """Return the run of the first template (or run) in a file; nested templates come from the same file.

    Raises SpecError.
    """
    documents = load_documents(path)

    def find(name: str, cluster_scope: bool) -> Mapping[str, Any] | None:
        kind = "ClusterAnalysisTemplate" if cluster_scope else "AnalysisTemplate"
        return next(
            (d for d in documents if d["kind"] == kind and (d.get("metadata") or {}).get("name") == name),
            None,
        )

    first = documents[0].get("spec") or {}
    nested = parse(AnalysisTemplateSpec, first, "spec").templates
    args = [{"name": name, "value": value} for name, value in given.items()]
    spec = parse(AnalysisRunSpec, build_run_spec([first, *flatten(nested, find)], args), "spec")
    secret = secret_names(spec.args)
    if secret:
        raise SpecError(
            "", f"give --arg {secret[0]}=…: its value is in a Secret, and there is no cluster here"
        )
    return spec
