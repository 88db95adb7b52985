"""Labels, annotations and keys that existing tools read; none may change."""

from __future__ import annotations

POD_TEMPLATE_HASH = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
REVISION_HISTORY = "rollout.argoproj.io/revision-history"
DESIRED_REPLICAS = "rollout.argoproj.io/desired-replicas"
EPHEMERAL_METADATA = "rollout.argoproj.io/ephemeral-metadata"
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
SCALE_DOWN_DEADLINE = "scale-down-deadline"
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"
INSTANCE_ID = "argo-rollouts.argoproj.io/controller-instance-id"
ROLLOUT_TYPE = "rollout-type"
STEP_INDEX = "step-index"
EXPERIMENT_NAME = "experiment.argoproj.io/name"
EXPERIMENT_TEMPLATE = "experiment.argoproj.io/template-name"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOTIFIED = "notified.notifications.argoproj.io"
SERIAL = "rollouts.dev/serial"
"""Ours, opt-in on a Rollout: "true" lets a new version wait until the running update has ended."""
BAKE = "rollouts.dev/bake"
"""Ours, opt-in on a Rollout: how long a version with all traffic bakes before it becomes stable."""
BAKING = "rollouts.dev/baking"
"""Ours: "revision/attempt time", when the bake of that try began."""
BUDGET_GATE = "rollouts.dev/budget-gate"
"""Ours, opt-in on a Rollout: the ServiceLevelObjectives whose error budget a new version needs to start."""
BUDGET_OVERRIDE = "rollouts.dev/budget-override"
"""Ours, on a Rollout: "reason; until=time", a person's word that a new version starts all the same."""
BUDGET_VERDICT = "rollouts.dev/budget-verdict"
"""Ours, on a ReplicaSet: why its version was started although the error budget was not well."""
TRACK_CONFIG = "rollouts.dev/track-config"
"""Ours, opt-in on a Rollout: "true", or the ConfigMaps whose content is part of a version."""
CONFIG_SOURCE = "rollouts.dev/config-source"
"""Ours, on a ConfigMap: which one it is an immutable copy of."""
ATTEMPT = "rollouts.dev/attempt"
"""Ours: which try of a revision an object belongs to; a retry never reads yesterday's verdict."""
ANALYSES = "rollouts.dev/analyses"
"""Ours: how many analyses of a try share the release's false aborts, this AnalysisRun among them."""
EXPERIMENT_ANALYSIS = "rollouts.dev/experiment-analysis"
"""Ours: which analysis of an Experiment an AnalysisRun belongs to."""
EXPERIMENT_AVAILABLE_AT = "rollouts.dev/experiment-available-at"
"""Ours: the ``availableAt`` that an AnalysisRun was started for; an Experiment run again starts new ones."""
APPLIED_SHAPE = "rollouts.dev/applied-shape"
"""Ours: which fields the last Git sync of an object named."""

NOT_COPIED = frozenset(
    {
        *(LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, WORKLOAD_GENERATION, NOTIFIED),
        *(ATTEMPT, APPLIED_SHAPE, TRACK_CONFIG, BAKE, BAKING, BUDGET_GATE, BUDGET_OVERRIDE, BUDGET_VERDICT),
    }
)
"""Annotations of a Rollout that its ReplicaSets do not get."""
