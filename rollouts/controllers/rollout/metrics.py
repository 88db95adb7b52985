"""Prometheus metrics about Rollouts, under the peer's names and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rollouts.api.conditions import INVALID_SPEC, PROGRESSING, get_condition
from rollouts.controllers.rollout.decide.progress import ABORTED, NEW_AVAILABLE, PAUSED, TIMED_OUT
from rollouts.controllers.rollout.decide.refusal import CREATE_FAILED
from rollouts.kube.cache import Cache
from rollouts.kube.objects import ROLLOUTS, ReadOnly, name_of, namespace_of
from rollouts.runtime.gauges import GaugeFamily, ObjectGauges, Value
from rollouts.runtime.manager import Manager

PHASES = ("Completed", "Progressing", "Paused", "Timeout", "Error", "Abort")
"""Phases of ``rollout_phase``; they are coarser than ``status.phase``."""
_PHASE_OF_REASON = {
    NEW_AVAILABLE: "Completed",
    PAUSED: "Paused",
    CREATE_FAILED: "Error",
    TIMED_OUT: "Timeout",
    ABORTED: "Abort",
}
_ROUTERS = {
    "appMesh": "AppMesh",
    "smi": "SMI",
    "nginx": "Nginx",
    "istio": "Istio",
    "ambassador": "Ambassador",
    "alb": "ALB",
    "traefik": "Traefik",
    "apisix": "Apisix",
}
"""Key of ``trafficRouting`` → the label ``traffic_router``; the first that is set."""
_OBJECT = ("namespace", "name")


def register_metrics(manager: Manager) -> None:
    """Add the gauges to the manager's registry; they read its cache when they are scraped."""
    cache: Cache = manager.cache
    families = (
        GaugeFamily(
            "rollout_info",
            "Information about a Rollout",
            (*_OBJECT, "strategy", "traffic_router", "phase"),
            _info,
        ),
        _replicas("available", lambda rollout: _status(rollout, "availableReplicas")),
        _replicas(
            "unavailable",
            lambda rollout: _status(rollout, "replicas") - _status(rollout, "availableReplicas"),
        ),
        _replicas("desired", _desired),
        _replicas("updated", lambda rollout: _status(rollout, "updatedReplicas")),
        GaugeFamily(
            "rollout_phase",
            "1 for the phase that a Rollout is in (deprecated: use rollout_info)",
            (*_OBJECT, "strategy", "phase"),
            _phases,
        ),
    )
    ObjectGauges(manager.registry, lambda: cache.list(ROLLOUTS), families)


def phase(rollout: ReadOnly) -> str:
    """Return the phase as the peer's metrics name it."""
    conditions = (rollout.get("status") or {}).get("conditions")
    if get_condition(conditions, INVALID_SPEC):
        return "InvalidSpec"
    progressing = get_condition(conditions, PROGRESSING) or {}
    return _PHASE_OF_REASON.get(str(progressing.get("reason")), "Progressing")


def strategy(rollout: ReadOnly) -> str:
    """Return "blueGreen", "canary" or "none"."""
    found = (rollout.get("spec") or {}).get("strategy") or {}
    return next((name for name in ("blueGreen", "canary") if found.get(name) is not None), "none")


def traffic_router(rollout: ReadOnly) -> str:
    """Return who routes a canary's traffic, "" for nobody; a plugin is named by its own name."""
    spec = (rollout.get("spec") or {}).get("strategy") or {}
    routing = (spec.get("canary") or {}).get("trafficRouting") or {}
    for key, name in _ROUTERS.items():
        if routing.get(key) is not None:
            return name
    return next(iter(routing.get("plugins") or ()), "")


def _names(rollout: ReadOnly) -> tuple[str, str]:
    return namespace_of(rollout), name_of(rollout)


def _info(rollout: ReadOnly) -> Iterator[Value]:
    yield (*_names(rollout), strategy(rollout), traffic_router(rollout), phase(rollout)), 1.0


def _phases(rollout: ReadOnly) -> Iterator[Value]:
    current, kind = phase(rollout), strategy(rollout)
    for name in PHASES:
        yield (*_names(rollout), kind, name), float(name == current)


def _replicas(what: str, count: Callable[[ReadOnly], int]) -> GaugeFamily:
    def read(rollout: ReadOnly) -> Iterator[Value]:
        yield _names(rollout), float(count(rollout))

    return GaugeFamily(
        f"rollout_info_replicas_{what}", f"Replicas of a Rollout that are {what}", _OBJECT, read
    )


def _status(rollout: ReadOnly, field: str) -> int:
    return int((rollout.get("status") or {}).get(field) or 0)


def _desired(rollout: ReadOnly) -> int:
    wanted = (rollout.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)
