"""Reads an objective and says everything that is wrong with it, with the field's path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from analysis.slo.burn import windows_of
from analysis.slo.indicator import read_indicator
from analysis.slo.model import API_VERSION, HOLD, KIND, START, GateSpec, ServiceLevelObjectiveSpec
from analysis.slo.periods import parse_period
from analysis.spec.errors import SpecError, from_validation_error

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
RESERVED = ("slo", "slo_service", "slo_namespace")
"""Labels that the rules set themselves."""


def read_objective(written: Any, path: str = "spec") -> ServiceLevelObjectiveSpec:
    """Return the spec of an objective that can be used. Raises the first SpecError that is found."""
    if not isinstance(written, Mapping):
        raise SpecError(path, "must hold an objective (a map)")
    try:
        spec = ServiceLevelObjectiveSpec.model_validate(written)
    except ValidationError as error:
        raise from_validation_error(path, error) from error
    for problem in problems(spec, path):
        raise problem
    return spec


def is_objective(document: Mapping[str, Any]) -> bool:
    """Tell whether an object is one of ours."""
    return document.get("apiVersion") == API_VERSION and document.get("kind") == KIND


def problems(spec: ServiceLevelObjectiveSpec, path: str = "spec") -> tuple[SpecError, ...]:
    """Return everything that is wrong with an objective, unknown fields included."""
    found = [*_unknown(spec, path), *rule_problems(spec)]
    return tuple(_moved(problem, path) for problem in found)


def rule_problems(spec: ServiceLevelObjectiveSpec) -> Iterator[SpecError]:
    """Yield what is wrong with an objective below ``spec``; unknown fields are not looked for."""
    if not 0 < spec.objective < 1:
        hint = (
            f": write {spec.objective / 100:g} for {spec.objective:g} %" if 1 < spec.objective < 100 else ""
        )
        yield SpecError("spec.objective", f"wanted a share between 0 and 1, not {spec.objective:g}{hint}")
    for check in (lambda: read_indicator(spec.indicator), lambda: windows_of(spec)):
        try:
            check()
        except SpecError as error:
            yield error
    yield from _label_problems(spec.labels, "spec.labels")
    for severity, alert in (("page", spec.alerting.page), ("ticket", spec.alerting.ticket)):
        yield from _label_problems(alert.labels, f"spec.alerting.{severity}.labels")
    yield from _label_problems(spec.alerting.labels, "spec.alerting.labels")
    if spec.prometheus is not None and spec.prometheus.timeout <= 0:
        yield SpecError("spec.prometheus.timeout", f"wanted seconds above 0, not {spec.prometheus.timeout}")
    if spec.gate is not None:
        yield from _gate_problems(spec.gate, "spec.gate")


def _gate_problems(gate: GateSpec, path: str) -> Iterator[SpecError]:
    if not 0 <= gate.blocked_below <= gate.guarded_below <= 1:
        seen = f"{gate.blocked_below:g} and {gate.guarded_below:g}"
        yield SpecError(f"{path}.blockedBelow", f"wanted 0 <= blockedBelow <= guardedBelow <= 1, not {seen}")
    if "{{" in gate.remaining:
        yield SpecError(
            f"{path}.remaining", "is asked as it is: nothing in it is filled in, {{window}} neither"
        )
    if gate.on_no_data.action not in (START, HOLD):
        seen = f"{gate.on_no_data.action[:40]!r}"
        yield SpecError(f"{path}.onNoData.action", f"wanted {START} or {HOLD}, not {seen}")
    try:
        parse_period(gate.on_no_data.after)
    except ValueError as error:
        yield SpecError(f"{path}.onNoData.after", str(error))


def _label_problems(labels: Mapping[str, str], path: str) -> Iterator[SpecError]:
    for name in labels:
        if not _LABEL.fullmatch(name):
            yield SpecError(f"{path}.{name}", "is not a label name: letters, digits and _ only")
        elif name in RESERVED:
            yield SpecError(f"{path}.{name}", "is set by the rules themselves; choose another name")


def _unknown(value: Any, path: str) -> Iterator[SpecError]:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        known = ", ".join(field.alias or name for name, field in fields.items())
        for name in value.model_extra or {}:
            yield SpecError(f"{path}.{name}", f"unknown field; known here are {known}")
        for name, field in fields.items():
            yield from _unknown(getattr(value, name), f"{path}.{field.alias or name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _unknown(item, f"{path}[{index}]")


def _moved(problem: SpecError, path: str) -> SpecError:
    if path == "spec" or problem.path.startswith(path + "."):
        return problem
    return SpecError(path + problem.path.removeprefix("spec"), problem.message)
