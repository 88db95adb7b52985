"""What is left when a scenario has come to rest, in words that two runs can be compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rollouts.kube.objects import ReadOnly, annotations_of, labels_of
from rollouts.simulation.mirror import Mirror, backend_weights, desired, hash_of
from rollouts.workloads import labels


def ending(mirror: Mirror, rollout: ReadOnly) -> Mapping[str, Any]:
    """Return the end state: versions by image, Services, weights, analyses, and the Rollout's own status."""
    status = rollout.get("status") or {}
    images = {hash_of(rs): image_of(rs) for rs in mirror.all("replicasets").values()}
    return {
        "phase": status.get("phase"),
        "message": status.get("message", ""),
        "abort": bool(status.get("abort")),
        "stable": images.get(str(status.get("stableRS"))),
        "current": images.get(str(status.get("currentPodHash"))),
        "step": status.get("currentStepIndex"),
        "paused": [c.get("reason") for c in status.get("pauseConditions") or ()],
        "counts": {name: status.get(name, 0) for name in _COUNTS},
        "revision": annotations_of(rollout).get(labels.REVISION),
        "versions": sorted(
            (image_of(rs), desired(rs), annotations_of(rs).get(labels.REVISION, ""))
            for rs in mirror.all("replicasets").values()
        ),
        "pods": dict(Counter(images.get(hash_of(pod), "?") for pod in mirror.all("pods").values())),
        "services": {name: images.get(mirror.selects(name), "") for name in sorted(mirror.all("services"))},
        "configs": sorted(mirror.all("configmaps")),
        "weights": {name: backend_weights(route) for name, route in mirror.all("httproutes").items()},
        "analyses": analyses(mirror.all("analysisruns").values()),
        "experiments": sorted(
            str((found.get("status") or {}).get("phase", "")) for found in mirror.all("experiments").values()
        ),
    }


_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def image_of(replica_set: ReadOnly) -> str:
    """Return the tag that a ReplicaSet runs."""
    template: ReadOnly = (replica_set.get("spec") or {}).get("template") or {}
    return str(template["spec"]["containers"][0]["image"]).partition(":")[2]


def analyses(runs: Iterable[ReadOnly]) -> list[tuple[str, str, int, str]]:
    """Return (type, step, attempt, phase) of each analysis; attempts are counted without their gaps."""
    found = [
        (
            labels_of(run).get(labels.ROLLOUT_TYPE, ""),
            labels_of(run).get(labels.STEP_INDEX, ""),
            int(annotations_of(run).get(labels.ATTEMPT, "0")),
            str((run.get("status") or {}).get("phase", "")),
        )
        for run in runs
    ]
    attempts = sorted({attempt for _, _, attempt, _ in found})
    return sorted((kind, step, attempts.index(attempt), phase) for kind, step, attempt, phase in found)
