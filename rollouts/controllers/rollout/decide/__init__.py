"""What to do about a Rollout: small named checks in order; the list reads as the specification. Pure.

Each check looks at the snapshot, fills the draft and answers whether the decision is complete. Effects follow
from the committed status: a check that changes what the Rollout is about ends the decision, and the
effects come with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rollouts.controllers.rollout.actions import Decision
from rollouts.controllers.rollout.decide import (
    blue_green,
    canary,
    config,
    ephemeral,
    experiment,
    gate,
    guided,
    plugins,
    restart,
    revision,
    scaling,
    services,
    traffic,
    upkeep,
    workload,
)
from rollouts.controllers.rollout.decide.conclude import conclude
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.validity import refuse_invalid_spec, warn_of_inactive_fields
from rollouts.controllers.rollout.snapshot import RolloutSnapshot

Check = Callable[[Draft], bool]

FIRST: Sequence[Check] = (
    refuse_invalid_spec,
    revision.write_default_replicas,
    warn_of_inactive_fields,
    workload.follow_workload_generation,
    revision.adopt_orphans,
    gate.hold_for_budget,
    revision.create_new_replica_set,
    config.keep_config_copies,
    revision.number_revision,
    upkeep.follow_rollout,
    revision.start_changed_version,
    revision.settle_promote_full_and_abort,
    revision.retry_after_abort,
    revision.resume_after_inconclusive,
    restart.restart_pods,
    workload.scale_down_workload,
    revision.remove_old_revisions,
    ephemeral.follow_ephemeral_metadata,
)

CANARY: Sequence[Check] = (
    traffic.shift_traffic,
    services.point_canary_services,
    plugins.follow_plugins,
    experiment.follow_experiment,
    canary.follow_analyses,
    guided.replace_pods,
    scaling.scale_canary,
    canary.follow_pause_step,
    canary.advance,
)

BLUE_GREEN: Sequence[Check] = (
    blue_green.point_preview_service,
    scaling.scale_blue_green,
    blue_green.follow_pre_promotion,
    blue_green.follow_pause,
    blue_green.point_active_service,
    blue_green.follow_post_promotion,
    blue_green.advance,
    experiment.follow_experiment,
)


def decide(snapshot: RolloutSnapshot) -> Decision:
    """Return what to do now; the same snapshot always gives the same decision."""
    draft = Draft(snapshot)
    strategy = CANARY if snapshot.canary is not None else BLUE_GREEN
    for check in (*FIRST, *strategy):
        if check(draft):
            break
    return conclude(draft)
