"""What to do about an Experiment: small named checks in order; the list reads as the specification. Pure.

Each check looks at the snapshot, fills the draft and answers whether the decision is complete. Analyses and
the winding down follow from the committed status (``availableAt``, ``phase``), never from the one being made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rollouts.controllers.experiment.actions import Decision
from rollouts.controllers.experiment.decide import analyses, conclude, ending, services, versions
from rollouts.controllers.experiment.decide.draft import Draft
from rollouts.controllers.experiment.snapshot import ExperimentSnapshot

Check = Callable[[Draft], bool]

CHECKS: Sequence[Check] = (
    conclude.refuse_invalid_spec,
    versions.run_replica_sets,
    services.run_services,
    versions.follow_pods,
    ending.note_availability,
    analyses.follow_runs,
    ending.follow_outcome,
    ending.stop_runs,
    ending.wind_down,
)


def decide(snapshot: ExperimentSnapshot) -> Decision:
    """Return what to do now; the same snapshot always gives the same decision."""
    draft = Draft(snapshot)
    for check in CHECKS:
        if check(draft):
            break
    return conclude.conclude(draft)
