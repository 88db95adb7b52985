"""All that a decision about one AnalysisRun may look at. Frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analysis.run.machine import Finished
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus
from rollouts.kube.objects import ReadOnly, annotations_of, name_of, namespace_of, uid_of
from rollouts.workloads import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSnapshot:
    """One AnalysisRun, what has been measured for it since its last status, and the time.

    ``spec_error`` says why the spec cannot be read, ``rejection`` why its arguments cannot (a Secret that is
    not there); both are "" normally. ``ready`` names metrics whose Job has ended.
    """

    manifest: ReadOnly
    spec: AnalysisRunSpec
    status: AnalysisRunStatus
    now: datetime
    spec_error: str = ""
    rejection: str = ""
    finished: tuple[Finished, ...] = ()
    in_flight: frozenset[str] = frozenset()
    ready: frozenset[str] = frozenset()

    @property
    def attempt(self) -> int:
        """Return which try of a release the run belongs to, from 1."""
        text = annotations_of(self.manifest).get(labels.ATTEMPT, "")
        return int(text) + 1 if text.isdigit() else 1

    @property
    def analyses(self) -> int:
        """Return how many analyses that try has."""
        text = annotations_of(self.manifest).get(labels.ANALYSES, "")
        return max(1, int(text)) if text.isdigit() else 1

    @property
    def namespace(self) -> str:
        """Return the run's namespace."""
        return namespace_of(self.manifest)

    @property
    def name(self) -> str:
        """Return the run's name."""
        return name_of(self.manifest)

    @property
    def uid(self) -> str:
        """Return the run's uid."""
        return uid_of(self.manifest)
