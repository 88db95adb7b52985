"""The compatibility page: what becomes of every field that Argo Rollouts knows, and the test that shows it.

``python -m tests.compat.compatibility --write`` writes docs/compatibility.md, ``--check`` says whether it is
up to date. The models are walked, so that no field is forgotten; every test that is named must exist and
must speak of the field.
"""

from __future__ import annotations

import ast
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from analysis.spec.objects import AnalysisRunSpec, AnalysisTemplateSpec
from analysis.spec.status import AnalysisRunStatus
from rollouts.api.argoproj.experiment import ExperimentSpec, ExperimentStatus
from rollouts.api.argoproj.rollout import RolloutSpec, RolloutStatus
from tests.compat.fields_analysis import ANALYSIS_ROWS
from tests.compat.fields_experiment import EXPERIMENT_ROWS
from tests.compat.fields_rollout import SPEC_ROWS, STATUS_ROWS
from tests.compat.verdicts import Row, Table

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "compatibility.md"
TESTS = ROOT / "tests"

PARTS: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "Rollout": {"spec": RolloutSpec, "status": RolloutStatus},
    "AnalysisTemplate and ClusterAnalysisTemplate": {"spec": AnalysisTemplateSpec},
    "AnalysisRun": {"spec": AnalysisRunSpec, "status": AnalysisRunStatus},
    "Experiment": {"spec": ExperimentSpec, "status": ExperimentStatus},
}

TABLE = Table({**SPEC_ROWS, **STATUS_ROWS, **ANALYSIS_ROWS, **EXPERIMENT_ROWS})

INTRODUCTION = """\
# Compatibility with Argo Rollouts

Every field of the kinds of Argo Rollouts, and what becomes of it here. Written by
`python -m tests.compat.compatibility --write` from a table beside the tests, which CI compares with the
models: a field without a line, or a line whose test is gone, fails.

| | |
|---|---|
| works | as in Argo Rollouts |
| differs | served, with the difference that is named |
| not applicable | has no meaning here, for the reason that is named; the field is kept |
| not tested | served, but no test shows it |

Names, labels, annotations, events and metrics are not fields; they are the same as in Argo Rollouts.
"""


@dataclass
class Section:
    """One object of the schema: where it stands, and its fields with the models that they hold."""

    model: type[BaseModel]
    paths: list[str] = field(default_factory=list)


def fields_of(model: type[BaseModel]) -> Iterator[tuple[str, tuple[type[BaseModel], ...], bool]]:
    """Yield (JSON name, models held, is it a list) of each field."""
    for name, info in model.model_fields.items():
        annotation = info.annotation
        yield info.alias or name, tuple(_models(annotation)), _is_many(annotation)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _is_many(annotation: object) -> bool:
    origin = typing.get_origin(annotation)
    return origin is tuple or any(_is_many(argument) for argument in typing.get_args(annotation))


def sections(roots: Mapping[str, type[BaseModel]]) -> list[Section]:
    """Walk the models breadth first; an object that stands in several places is one section."""
    found: dict[type[BaseModel], Section] = {}
    waiting = [(model, path) for path, model in roots.items()]
    while waiting:
        model, path = waiting.pop(0)
        section = found.setdefault(model, Section(model))
        section.paths.append(path)
        for name, models, many in fields_of(model):
            waiting += [(held, f"{path}.{name}{'[]' if many else ''}") for held in models]
    return list(found.values())


def unanswered() -> list[str]:
    """Return the fields that nothing is said about."""
    return [
        f"{section.paths[0]}.{name} ({section.model.__name__})"
        for roots in PARTS.values()
        for section in sections(roots)
        for name, models, _ in fields_of(section.model)
        if not models and TABLE.row(section.model, name) is None
    ]


def unknown() -> list[str]:
    """Return the lines of the table whose field no model has."""
    walked = {section.model for roots in PARTS.values() for section in sections(roots)}
    return [
        f"{model.__name__}.{name}"
        for model, name in TABLE.names()
        if model not in walked or name not in {field for field, _, _ in fields_of(model)}
    ]


def unproven() -> list[str]:
    """Return the lines whose tests do not exist, or do not speak of the field."""
    problems = []
    for roots in PARTS.values():
        for section in sections(roots):
            for name, models, _ in fields_of(section.model):
                row = TABLE.row(section.model, name)
                if row is not None and not models:
                    problems += [f"{section.paths[0]}.{name}: {p}" for p in _doubts(name, row)]
    return problems


def _doubts(name: str, row: Row) -> Iterator[str]:
    texts = []
    for test in row.tests:
        path, _, function = test.partition("::")
        names, text = _tests_in(path)
        if function not in names:
            yield f"there is no test {test}"
        texts.append(text)
    word = re.compile(rf"\b({re.escape(name)}|{re.escape(to_snake(name))})\b")
    if row.tests and not any(word.search(text) for text in texts):
        yield f"none of {', '.join(row.tests)} speaks of it"
    if row.verdict in ("works", "differs") and not row.tests:
        yield "no test is named"


@cache
def _tests_in(path: str) -> tuple[frozenset[str], str]:
    """Return the names of the tests in a file, and its text with that of the test files that it imports."""
    source = TESTS / path
    if not source.is_file():
        return frozenset(), ""
    text = source.read_text()
    tree = ast.parse(text)
    names = frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    imported = (n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module)
    files = (ROOT / f"{module.replace('.', '/')}.py" for module in imported if module.startswith("tests."))
    return names, "\n".join([text, *(file.read_text() for file in files if file.is_file())])


def page() -> str:
    """Return the page."""
    lines = [INTRODUCTION]
    shown: set[type[BaseModel]] = set()
    for title, roots in PARTS.items():
        lines.append(f"## {title}\n")
        for section in sections(roots):
            if section.model in shown:
                lines.append(f"`{section.paths[0]}` has the fields that are listed above.\n")
                continue
            shown.add(section.model)
            lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"### `{section.paths[0]}`\n"
    if len(section.paths) > 1:
        yield "Also " + ", ".join(f"`{path}`" for path in section.paths[1:]) + ".\n"
    yield "| field | | shown by |\n|---|---|---|"
    for name, models, _ in fields_of(section.model):
        row = TABLE.row(section.model, name)
        if models:
            yield f"| `{name}` | see below | |"
        elif row is not None:
            how = f"{row.verdict}: {row.how}" if row.how else row.verdict
            yield f"| `{name}` | {how} | {'<br>'.join(f'`{test}`' for test in row.tests)} |"
    yield ""


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code."""
    problems = [
        *(f"nothing is said about {path}" for path in unanswered()),
        *(f"the table names {name}, which no model has" for name in unknown()),
        *unproven(),
    ]
    if arguments not in (["--write"], ["--check"]):
        problems = ["usage: python -m tests.compat.compatibility --write | --check"]
    elif arguments == ["--write"] and not problems:
        PAGE.write_text(page())
    elif not problems and (not PAGE.is_file() or PAGE.read_text() != page()):
        problems = [f"{PAGE.relative_to(ROOT)} is out of date: run with --write"]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
