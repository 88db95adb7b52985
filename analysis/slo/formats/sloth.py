"""Sloth v1: the plain file (``version: prometheus/v1``) and the object ``PrometheusServiceLevel``."""

from __future__ import annotations

from typing import Any

from analysis.slo.formats.imported import Document, Imported, Reader, finished, share_of_percent

VERSION = "prometheus/v1"
KIND = "PrometheusServiceLevel"
API_VERSION = "sloth.slok.dev/v1"
WINDOW = "30d"
"""A file names no period; this is what Sloth takes unless it is told otherwise at its start."""


def is_sloth(document: Document) -> bool:
    """Tell whether a document is Sloth's."""
    return document.get("version") == VERSION or (
        document.get("kind") == KIND and document.get("apiVersion") == API_VERSION
    )


def read_sloth(document: Document) -> list[Imported]:
    """Return every objective of a document. Raises SpecError."""
    if document.get("version") == VERSION:
        root, names, namespace = Reader(document), _FILE, ""
        root.only("", "version", "service", "labels", "slos", "slo_plugins", "sli_plugin")
    else:
        root, names = Reader(document).below("spec", document.get("spec")), _OBJECT
        namespace = Reader(document).text("metadata.namespace", "")
        root.only("", "service", "labels", "slos")
    service, labels = root.text("service"), root.strings("labels")
    slos = root.items("slos")
    if not slos:
        raise root.error("slos", "is empty; wanted at least one objective")
    return [
        _objective(root.copy().below(f"slos[{index}]", slo), names, service, labels, namespace)
        for index, slo in enumerate(slos)
    ]


_FILE = {
    "error": "error_query", "total": "total_query", "ratio": "error_ratio_query",
    "page": "page_alert", "ticket": "ticket_alert",
}  # fmt: skip
_OBJECT = {
    "error": "errorQuery", "total": "totalQuery", "ratio": "errorRatioQuery",
    "page": "pageAlert", "ticket": "ticketAlert",
}  # fmt: skip


def _objective(
    slo: Reader, names: dict[str, str], service: str, labels: dict[str, str], namespace: str
) -> Imported:
    slo.only("", "name", "objective", "description", "labels", "sli", "alerting")
    name = slo.text("name")
    objective = slo.number("objective")
    if objective is None:
        raise slo.error("objective", "is missing; wanted a percentage such as 99.9")
    written = {
        "service": service,
        "description": slo.text("description", ""),
        "objective": share_of_percent(objective),
        "window": WINDOW,
        "indicator": _indicator(slo, names),
        "labels": {**labels, **slo.strings("labels")},
        "alerting": _alerting(slo, names),
    }
    return finished(slo, f"{service}-{name}".lower().replace("_", "-"), written, namespace)


def _indicator(slo: Reader, names: dict[str, str]) -> dict[str, Any]:
    if slo.get("sli.plugin") is not None:
        raise slo.error(
            "sli.plugin", "names a program of Sloth's that makes the query; write the query itself"
        )
    if slo.get("sli.events") is not None:
        slo.only("sli.events", names["error"], names["total"])
        return {
            "ratio": {
                "bad": slo.text(f"sli.events.{names['error']}"),
                "total": slo.text(f"sli.events.{names['total']}"),
            }
        }
    if slo.get("sli.raw") is not None:
        slo.only("sli.raw", names["ratio"])
        return {"errorRatio": slo.text(f"sli.raw.{names['ratio']}")}
    raise slo.error("sli", "has neither events nor raw")


def _alerting(slo: Reader, names: dict[str, str]) -> dict[str, Any]:
    slo.only("alerting", "name", "labels", "annotations", names["page"], names["ticket"])
    alerting: dict[str, Any] = {
        "name": slo.text("alerting.name", ""),
        "labels": slo.strings("alerting.labels"),
        "annotations": slo.strings("alerting.annotations"),
    }
    for severity in ("page", "ticket"):
        path = f"alerting.{names[severity]}"
        slo.only(path, "disable", "labels", "annotations")
        alerting[severity] = {
            **({"disabled": True} if slo.get(f"{path}.disable") is True else {}),
            "labels": slo.strings(f"{path}.labels"),
            "annotations": slo.strings(f"{path}.annotations"),
        }
    return alerting
