"""OpenSLO v1: the SLOs of a file; SLIs, data sources and the rest are looked up in the same file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.slo.formats.imported import Document, Imported, Reader, finished, share_of_percent
from analysis.slo.formats.openslo_queries import indicator_of
from analysis.spec.errors import SpecError

API_VERSION = "openslo/v1"
KINDS = ("SLO", "SLI", "Service", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget")
_DURATION = re.compile(r"([0-9]{1,4})([mhdwMQY])")
_CALENDAR_DAYS = {"M": 30, "Q": 90, "Y": 365}


def is_openslo(document: Document) -> bool:
    """Tell whether a document is OpenSLO's, whatever its version."""
    return str(document.get("apiVersion", "")).startswith(("openslo/", "openslo.com/"))


def read_openslo(documents: Sequence[Document]) -> list[Imported]:
    """Return every objective of a file. Raises SpecError."""
    for document in documents:
        if document.get("apiVersion") != API_VERSION:
            raise SpecError(
                "apiVersion", f"is {document.get('apiVersion')!r}; only {API_VERSION} can be read"
            )
        if document.get("kind") not in KINDS:
            raise SpecError("kind", f"is {document.get('kind')!r}; OpenSLO has {', '.join(KINDS)}")
    parts = {
        kind: {Reader(document).text("metadata.name"): document for document in documents
               if document.get("kind") == kind}
        for kind in ("SLI", "DataSource")
    }  # fmt: skip
    slos = [document for document in documents if document.get("kind") == "SLO"]
    return [found for slo in slos for found in _objectives(slo, parts)]


def _objectives(document: Document, parts: Mapping[str, Mapping[str, Document]]) -> Iterator[Imported]:
    root = Reader(document)
    name = root.text("metadata.name")
    objectives = root.items("spec.objectives")
    if not objectives:
        raise root.error("spec.objectives", "is empty; wanted one with a target")
    for index, written in enumerate(objectives):
        slo = Reader(document).below("spec", document.get("spec"))
        objective = slo.below(f"objectives[{index}]", written)
        suffix = f"-{index + 1}" if len(objectives) > 1 else ""
        yield _objective(slo, objective, f"{name}{suffix}", parts)


def _objective(
    slo: Reader, objective: Reader, name: str, parts: Mapping[str, Mapping[str, Document]]
) -> Imported:
    slo.only(
        "",
        *("description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod"),
        *("objectives", "alertPolicies"),
    )
    if slo.get("alertPolicies"):
        slo.warn("alertPolicies", "is not taken over: the rules alert with the pairs of the SRE Workbook")
    method = slo.text("budgetingMethod", "Occurrences")
    if method != "Occurrences":
        raise slo.error("budgetingMethod", f"is {method}: time slices are not counted here, only Occurrences")
    objective.only("", "displayName", "target", "targetPercent", "op", "value")
    for part in ("indicator", "indicatorRef", "compositeWeight"):
        if objective.get(part) is not None:
            raise objective.error(part, "makes a composite objective; write its parts as objectives")
    indicator = indicator_of(_indicator(slo, parts["SLI"]), objective, parts["DataSource"])
    written: dict[str, Any] = {
        "service": slo.text("service", ""),
        "description": slo.text("description", ""),
        "objective": _target(objective),
        "window": _window(slo),
        "indicator": indicator,
    }
    return finished(slo, name, written)


def _indicator(slo: Reader, indicators: Mapping[str, Document]) -> Reader:
    inline, name = slo.get("indicator"), slo.get("indicatorRef")
    if (inline is None) == (name is None):
        raise slo.error("indicator", "wanted exactly one of indicator and indicatorRef")
    if inline is not None:
        return slo.below("indicator", inline)
    if name not in indicators:
        known = ", ".join(sorted(indicators)) or "none"
        raise slo.error("indicatorRef", f"names {name!r}; SLIs in this file: {known}")
    return Reader(indicators[name], f"SLI {name}: ", slo.warnings)


def _target(objective: Reader) -> float:
    share, percent = objective.number("target"), objective.number("targetPercent")
    if (share is None) == (percent is None):
        raise objective.error("target", "wanted exactly one of target and targetPercent")
    return share if share is not None else share_of_percent(percent or 0.0)


def _window(slo: Reader) -> str:
    windows = slo.items("timeWindow")
    if len(windows) != 1:
        raise slo.error("timeWindow", f"must hold one window, not {len(windows)}")
    window = slo.below("timeWindow[0]", windows[0])
    window.only("", "duration", "isRolling", "calendar")
    if window.get("isRolling") is False or window.get("calendar") is not None:
        window.warn(
            "calendar", "is not taken over: the window rolls, so the budget does not jump at midnight"
        )
    text = window.text("duration")
    found = _DURATION.fullmatch(text)
    if found is None:
        raise window.error("duration", f"is {text!r}; wanted a number and one of m, h, d, w, M, Q, Y")
    if found[2] not in _CALENDAR_DAYS:
        return text
    days = int(found[1]) * _CALENDAR_DAYS[found[2]]
    window.warn("duration", f"{text} is taken as {days} days")
    return f"{days}d"
