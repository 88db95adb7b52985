"""Views out of a cache, live or listed once."""

from __future__ import annotations

from datetime import datetime

from rollouts.kube import objects
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Manifest, Resource
from rollouts.views.experiment import ExperimentView, experiment_view
from rollouts.views.rollout import RolloutView, rollout_view

ROLLOUT_PARTS: tuple[Resource, ...] = (
    objects.ROLLOUTS,
    objects.REPLICASETS,
    objects.PODS,
    objects.ANALYSIS_RUNS,
)
EXPERIMENT_PARTS: tuple[Resource, ...] = (objects.EXPERIMENTS, objects.ANALYSIS_RUNS)


def load_rollout(cache: Cache, namespace: str, name: str, now: datetime) -> RolloutView | None:
    """Return the view of a Rollout, None when it is gone."""
    rollout = cache.get(objects.ROLLOUTS, namespace, name)
    if rollout is None:
        return None
    uid = objects.uid_of(rollout)
    sets = cache.indexed(objects.REPLICASETS, "owner", uid)
    runs = cache.indexed(objects.ANALYSIS_RUNS, "owner", uid)
    return rollout_view(rollout, sets, owned_pods(cache, uid), runs, now)


def owned_pods(cache: Cache, uid: str) -> list[Manifest]:
    """Return the pods of all versions of a Rollout."""
    sets = cache.indexed(objects.REPLICASETS, "owner", uid)
    return [pod for rs in sets for pod in cache.indexed(objects.PODS, "owner", objects.uid_of(rs))]


def load_experiment(cache: Cache, namespace: str, name: str, now: datetime) -> ExperimentView | None:
    """Return the view of an Experiment, None when it is gone."""
    found = cache.get(objects.EXPERIMENTS, namespace, name)
    if found is None:
        return None
    return experiment_view(found, cache.indexed(objects.ANALYSIS_RUNS, "owner", objects.uid_of(found)), now)
