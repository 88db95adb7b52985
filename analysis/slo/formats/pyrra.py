"""Pyrra v1alpha1: ``pyrra.dev/v1alpha1`` ``ServiceLevelObjective``."""

from __future__ import annotations

import re
from typing import Any

from analysis.slo.formats.imported import Document, Imported, Reader, finished, share_of_percent
from analysis.slo.queries import blanked

API_VERSION = "pyrra.dev/v1alpha1"
KIND = "ServiceLevelObjective"
_LE = re.compile(r"\ble\s*=\s*$")


def is_pyrra(document: Document) -> bool:
    """Tell whether a document is Pyrra's."""
    return document.get("apiVersion") == API_VERSION and document.get("kind") == KIND


def read_pyrra(document: Document) -> list[Imported]:
    """Return the objective of a document. Raises SpecError."""
    root = Reader(document)
    name, namespace = root.text("metadata.name"), root.text("metadata.namespace", "")
    slo = root.below("spec", document.get("spec"))
    slo.only("", "target", "window", "description", "indicator", "alerting")
    target = slo.number("target")
    if target is None:
        raise slo.error("target", "is missing; wanted a percentage such as 99.9")
    labels = {
        key.removeprefix("pyrra.dev/"): value
        for key, value in root.strings("metadata.labels").items()
        if key.startswith("pyrra.dev/")
    }
    written = {
        "description": slo.text("description", ""),
        "objective": share_of_percent(target),
        "window": slo.text("window"),
        "indicator": _indicator(slo),
        "labels": labels,
        "alerting": _alerting(slo),
    }
    return [finished(slo, name, written, namespace)]


def _indicator(slo: Reader) -> dict[str, Any]:
    slo.only("indicator", "ratio", "latency", "latencyNative", "bool_gauge")
    if slo.get("indicator.ratio") is not None:
        _grouped(slo, "indicator.ratio")
        slo.only("indicator.ratio", "errors", "total", "grouping")
        bad = slo.text("indicator.ratio.errors.metric")
        return {"ratio": {"bad": bad, "total": slo.text("indicator.ratio.total.metric")}}
    if slo.get("indicator.latency") is not None:
        return _latency(slo)
    if slo.get("indicator.latencyNative") is not None:
        _grouped(slo, "indicator.latencyNative")
        slo.only("indicator.latencyNative", "latency", "total", "grouping")
        native = slo.text("indicator.latencyNative.total.metric")
        return {"latency": {"native": native, "threshold": slo.text("indicator.latencyNative.latency")}}
    if slo.get("indicator.bool_gauge") is not None:
        raise slo.error(
            "indicator.bool_gauge",
            "counts probes, not requests: it cannot be split by version; not supported",
        )
    raise slo.error("indicator", "has none of ratio, latency and latencyNative")


def _latency(slo: Reader) -> dict[str, Any]:
    """Good events are one bucket of the histogram, chosen by ``le``; both metrics are taken as they are."""
    _grouped(slo, "indicator.latency")
    slo.only("indicator.latency", "success", "total", "grouping")
    success = slo.text("indicator.latency.success.metric")
    before_strings = [success[: found.start()] for found in re.finditer('"', blanked(success))]
    if not any(_LE.search(text) for text in before_strings):
        raise slo.error("indicator.latency.success.metric", 'chooses no bucket; wanted le="…" in it')
    return {"ratio": {"good": success, "total": slo.text("indicator.latency.total.metric")}}


def _grouped(slo: Reader, path: str) -> None:
    grouping = slo.items(f"{path}.grouping")
    if grouping:
        names = ", ".join(map(str, grouping))
        raise slo.error(
            f"{path}.grouping",
            f"makes one objective for each value of {names}; write one objective for each, with a matcher",
        )


def _alerting(slo: Reader) -> dict[str, Any]:
    slo.only("alerting", "name", "disabled", "burnrates", "absent", "labels", "annotations")
    off = slo.get("alerting.disabled") is True or slo.get("alerting.burnrates") is False
    if not off:
        slo.warn(
            "window",
            "the alerts use the pairs of the SRE Workbook for this window, where Pyrra scales its own",
        )
    severities = {severity: {"disabled": True} for severity in ("page", "ticket")} if off else {}
    absent = {"absent": False} if slo.get("alerting.absent") is False else {}
    return {
        "name": slo.text("alerting.name", ""),
        "labels": slo.strings("alerting.labels"),
        "annotations": slo.strings("alerting.annotations"),
        **severities,
        **absent,
    }
