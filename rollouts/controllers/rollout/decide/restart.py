"""Restarting pods on request: evicting those that are older than ``spec.restartAt``, a few at a time."""

from __future__ import annotations

from datetime import datetime

from rollouts.api.argoproj.rollout import DEFAULT_MAX_SURGE, DEFAULT_MAX_UNAVAILABLE
from rollouts.api.scalars import int_or_percent
from rollouts.controllers.rollout.actions import EvictPod
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.snapshot import PodView, RolloutSnapshot
from rollouts.kube.objects import parse_time
from rollouts.workloads.replicaset import ReplicaSet

LOOK_AGAIN_SECONDS = 30


def restart_due(s: RolloutSnapshot) -> datetime | None:
    """Return the moment of a restart that is asked for, has come, and is not finished."""
    wanted = parse_time(s.spec.restart_at)
    done = parse_time(s.status.restarted_at)
    if wanted is None or wanted > s.now or (done is not None and done >= wanted):
        return None
    return wanted


def restart_pods(d: Draft) -> bool:
    """Evict old pods, stable version first, while enough others are available; then say that it is done."""
    s = d.s
    wanted = parse_time(s.spec.restart_at)
    if wanted is not None and wanted > s.now:
        d.look_again(wanted)
    due = restart_due(s)
    if due is None or s.pods is None or s.spec.paused:
        return False
    old = _old_pods(s, s.pods, due)
    if not old:
        if not any(pod.deleting and pod.created < due for pod in s.pods):
            d.set("restartedAt", s.spec.restart_at)
        else:
            d.look_again_in(LOOK_AGAIN_SECONDS)
        return False
    budget = _budget(s)
    for pod in old[: max(0, budget)]:
        d.do(EvictPod(name=pod.name, uid=pod.uid))
    d.wait(f"{len(old)} pods that are older than {s.spec.restart_at} to be replaced")
    d.look_again_in(LOOK_AGAIN_SECONDS)
    return False


def surge(s: RolloutSnapshot) -> int:
    """Return 1 while a single pod is being restarted: its successor must stand before it goes.

    Only between updates, where the one version has all traffic, and only where the strategy lets a pod more
    exist than there are replicas.
    """
    due = restart_due(s)
    if due is None or s.pods is None or s.replicas != 1 or not s.fully_promoted or s.spec.paused:
        return 0
    limit = s.canary.max_surge if s.canary is not None else None
    limit = DEFAULT_MAX_SURGE if limit is None else limit
    unfinished = any(pod.created < due for pod in s.pods if s.new and pod.owner == s.new.uid)
    return 1 if unfinished and int_or_percent(limit, 1, round_up=True) > 0 else 0


def _budget(s: RolloutSnapshot) -> int:
    if surge(s):
        return 1 if s.new is not None and s.new.available > s.replicas else 0
    return _most_unavailable(s) - _missing(s)


def _old_pods(s: RolloutSnapshot, pods: tuple[PodView, ...], due: datetime) -> list[PodView]:
    ranks = {rs.uid: rank for rank, rs in enumerate(_in_order(s))}
    old = [pod for pod in pods if pod.owner in ranks and pod.created < due and not pod.deleting]
    return sorted(old, key=lambda pod: (ranks[pod.owner], pod.created, pod.name))


def _in_order(s: RolloutSnapshot) -> list[ReplicaSet]:
    first = [rs for rs in (s.stable, s.new) if rs is not None]
    return list({rs.uid: rs for rs in (*first, *s.others)}.values())


def _most_unavailable(s: RolloutSnapshot) -> int:
    strategy = s.canary or s.blue_green
    value = strategy.max_unavailable if strategy else None
    value = DEFAULT_MAX_UNAVAILABLE if value is None else value
    return max(1, int_or_percent(value, s.replicas, round_up=False))


def _missing(s: RolloutSnapshot) -> int:
    return sum(max(0, rs.desired - rs.available) for rs in s.replica_sets)
