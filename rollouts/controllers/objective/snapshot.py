"""Everything that one decision about a ServiceLevelObjective may look at, frozen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analysis.slo.budget import Numbers
from analysis.slo.model import ServiceLevelObjectiveSpec
from rollouts.kube.objects import Manifest, ReadOnly


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSnapshot:
    """One objective at ``now``.

    ``invalid`` says what a person must mend in the spec; ``spec`` is then None. ``numbers`` are the answers
    of its queries. ``failure`` says why there are none, ``failed_by`` in one word.
    """

    now: datetime
    manifest: Manifest
    spec: ServiceLevelObjectiveSpec | None = None
    invalid: str = ""
    numbers: Numbers = field(default_factory=dict)
    failure: str = ""
    failed_by: str = ""

    @property
    def status(self) -> ReadOnly:
        """Return the status as it is written."""
        found: dict[str, Any] = self.manifest.get("status") or {}
        return found
