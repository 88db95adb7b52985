"""What an analysis that goes on asks of the delivery it watches, before there is a verdict. Pure.

A provider puts it into its state under ``GUIDANCE_KEY``. It is kept in ``status.metricResults[].metadata``,
which every CRD of an AnalysisRun preserves, and whoever shifts the traffic reads it there. It asks for less
exposure or none, never for more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

GUIDANCE_KEY = "rollouts.dev/guidance"
MOST_PODS = 16
"""Names of pods that are read; a group of canary pods is smaller."""
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Guidance:
    """``hold``: no more traffic than now. ``no_traffic``: none at all. ``replace``: pods to be replaced.

    A pod is named whole, or by what follows the version's hash in its name. ``no_traffic`` together with
    ``replace`` lasts until the named pods have successors.
    """

    hold: bool = False
    no_traffic: bool = False
    replace: tuple[str, ...] = ()
    reason: str = ""

    @property
    def asks(self) -> bool:
        """Tell whether anything is asked for."""
        return self.hold or self.no_traffic or bool(self.replace)

    def dump(self) -> str:
        """Return the text for ``read``; "" when nothing is asked for."""
        if not self.asks:
            return ""
        data: dict[str, Any] = {"hold": self.hold, "noTraffic": self.no_traffic}
        if self.replace:
            data["replace"] = list(self.replace)
        return json.dumps({**data, "reason": self.reason}, separators=(",", ":"))


NO_GUIDANCE = Guidance()


def read(text: str) -> Guidance:
    """Return what ``dump`` wrote.

    Text that nobody here wrote asks for a hold: a wish for caution that cannot be read is still one.
    """
    if not text:
        return NO_GUIDANCE
    try:
        data = json.loads(text)
        pods = data.get("replace") or []
        return Guidance(
            hold=bool(data.get("hold")),
            no_traffic=bool(data.get("noTraffic")),
            replace=tuple(str(pod) for pod in pods[:MOST_PODS]),
            reason=str(data.get("reason") or "")[:LONGEST_REASON],
        )
    except (ValueError, AttributeError, TypeError):
        return Guidance(hold=True, reason=f"{GUIDANCE_KEY} of the analysis cannot be read")


def joined(parts: Iterable[Guidance]) -> Guidance:
    """Return everything that any of them asks for, with the reasons of those that ask."""
    asking = [part for part in parts if part.asks]
    return Guidance(
        hold=any(part.hold for part in asking),
        no_traffic=any(part.no_traffic for part in asking),
        replace=tuple(dict.fromkeys(pod for part in asking for pod in part.replace)),
        reason="; ".join(dict.fromkeys(part.reason for part in asking if part.reason)),
    )


def of_run(status: Mapping[str, Any]) -> Guidance:
    """Return what a run's raw status asks for. Metrics on a dry run ask for nothing."""
    found = []
    for result in status.get("metricResults") or ():
        text = (result.get("metadata") or {}).get(GUIDANCE_KEY)
        if text and not result.get("dryRun"):
            metric = read(str(text))
            name = str(result.get("name") or "")
            reason = f"{name}: {metric.reason}" if name and metric.reason else metric.reason or name
            found.append(Guidance(metric.hold, metric.no_traffic, metric.replace, reason))
    return joined(found)
