"""What must be true when a commit has been dealt with. Pure: a picture and a history in, checks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rollouts.cli.demo.options import Check
from rollouts.cli.demo.sight import Sight, Traffic
from rollouts.cli.demo.versions import Version
from rollouts.kube.objects import ReadOnly

CANARY_SERVICE = "shop-canary"
STABLE_SERVICE = "shop-stable"
_TOLERANCE = 0.1
"""How far a measured share may be from the weight that was asked for."""
_FINISHED = frozenset({"Successful", "Failed", "Error", "Inconclusive"})


@dataclass(slots=True)
class History:
    """What has been seen so far: shares measured while a weight was asked for, and every change."""

    measured: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    """(version, weight asked for the canary) → shares of that version, in time order."""
    timeline: list[dict[str, Any]] = field(default_factory=list)

    def add(self, sight: Sight, seconds: float) -> None:
        """Take in one picture, ``seconds`` after the start."""
        version = sight.version_of(sight.current_hash)
        asked = sight.asked().get(CANARY_SERVICE, 0)
        if sight.traffic and version:
            self.measured.setdefault((version, asked), []).append(sight.share(version))
        entry = {
            "version": version,
            "phase": str(sight.status.get("phase") or ""),
            "step": sight.status.get("currentStepIndex"),
            "asked": asked,
        }
        if not self.timeline or {k: self.timeline[-1][k] for k in entry} != entry:
            shares = {sight.version_of(h): round(sight.share(sight.version_of(h)), 3) for h in sight.traffic}
            self.timeline.append({"at": round(seconds, 1), **entry, "measured": shares})


def initial_checks(sight: Sight, version: Version, commit: str) -> list[Check]:
    """Return what must hold after the first commit."""
    return [_synced(sight, commit), _stable_on(sight, version), _all_traffic_on(sight, version)]


def good_checks(sight: Sight, version: Version, commit: str, history: History) -> list[Check]:
    """Return what must hold when a good version has all traffic."""
    return [
        _synced(sight, commit),
        *_followed_weights(sight, version, history),
        _judged(sight, version, "Successful"),
        _stable_on(sight, version),
        _all_traffic_on(sight, version),
        _none_lost(sight),
    ]


def bad_checks(sight: Sight, version: Version, stable: Version, commit: str) -> list[Check]:
    """Return what must hold when a bad version was sent back."""
    status, weights = sight.status, sight.asked()
    aborted = bool(status.get("abort")) and status.get("phase") == "Degraded"
    seen = f"phase {status.get('phase')}, abort {bool(status.get('abort'))}: {status.get('message', '')}"
    back = weights.get(STABLE_SERVICE) == 100 and weights.get(CANARY_SERVICE) == 0
    return [
        _judged(sight, version, "Failed"),
        Check(f"{version.name} is aborted", aborted and sight.hash_of(version.name) != "", seen),
        Check("the route is back at stable 100, canary 0", back, str(dict(weights))),
        _all_traffic_on(sight, stable),
        _none_lost(sight),
        _held(sight, commit),
    ]


def _synced(sight: Sight, commit: str) -> Check:
    sync: ReadOnly = (sight.application.get("status") or {}).get("sync") or {}
    met = sync.get("status") == "Synced" and sync.get("revision") == commit
    seen = f"{sync.get('status', 'unknown')} at {str(sync.get('revision') or 'nothing')[:7]}"
    return Check(f"the Application is synced to {commit[:7]}", met, seen)


def _stable_on(sight: Sight, version: Version) -> Check:
    status = sight.status
    stable = sight.version_of(sight.stable_hash)
    met = status.get("phase") == "Healthy" and stable == version.name
    return Check(
        f"the Rollout is Healthy on {version.name}",
        met,
        f"phase {status.get('phase')}, stable {stable or 'none'}: {status.get('message', '')}",
    )


def _all_traffic_on(sight: Sight, version: Version) -> Check:
    share = sight.share(version.name)
    mine: Traffic | None = sight.traffic.get(sight.hash_of(version.name))
    errors = mine.errors if mine else 0.0
    return Check(
        f"{version.name} answers every request, without errors",
        share == 1.0 and errors == 0.0,
        f"{share:.0%} of requests at its pods, {errors:.1%} errors",
    )


def _none_lost(sight: Sight) -> Check:
    seen = f"{sight.lost} of {sight.answers} requests got no pod's answer"
    return Check("no request was lost on the way", sight.answers > 0 and sight.lost == 0, seen)


def _followed_weights(sight: Sight, version: Version, history: History) -> list[Check]:
    steps: Sequence[ReadOnly] = _steps(sight)
    weights = [int(step["setWeight"]) for step in steps if "setWeight" in step]
    checks = []
    for weight in weights:
        shares = history.measured.get((version.name, weight), [])
        best = min(shares, key=lambda share: abs(share - weight / 100), default=None)
        met = best is not None and abs(best - weight / 100) <= _TOLERANCE
        seen = "never measured" if best is None else f"{best:.0%} measured"
        checks.append(Check(f"at weight {weight} the pods of {version.name} took that share", met, seen))
    return checks


def _steps(sight: Sight) -> Sequence[ReadOnly]:
    strategy: ReadOnly = (sight.rollout.get("spec") or {}).get("strategy") or {}
    return (strategy.get("canary") or {}).get("steps") or ()


def _judged(sight: Sight, version: Version, wanted: str) -> Check:
    """All runs of a good version ended well, or one of a bad version failed; each with measurements."""
    runs = sight.runs_of(sight.hash_of(version.name))
    phases = {str((run.get("metadata") or {}).get("name")): _phase(run) for run in runs}
    measured = sum(_measurements(run) for run in runs)
    if wanted == "Failed":
        met = "Failed" in phases.values()
    else:
        met = bool(runs) and all(phase == wanted for phase in phases.values())
    seen = ", ".join(f"{name} {phase}" for name, phase in phases.items()) or "no AnalysisRun"
    verdict = "failed" if wanted == "Failed" else "passed"
    return Check(
        f"{version.name} {verdict} its analysis", met and measured > 0, f"{seen}; {measured} measurements"
    )


def _phase(run: ReadOnly) -> str:
    return str((run.get("status") or {}).get("phase") or "Pending")


def _measurements(run: ReadOnly) -> int:
    results: Sequence[ReadOnly] = (run.get("status") or {}).get("metricResults") or ()
    return sum(int(result.get("count") or 0) for result in results)


def _held(sight: Sight, commit: str) -> Check:
    """The Application knows that this commit's version was rejected and does not push it again."""
    conditions: Sequence[ReadOnly] = (sight.application.get("status") or {}).get("conditions") or ()
    held = [c for c in conditions if "held" in str(c.get("message", "")).lower()]
    named = any(commit[:7] in str(c.get("message", "")) for c in held)
    seen = str(held[0].get("message")) if held else f"conditions {[c.get('type') for c in conditions]}"
    return Check(f"the Application holds {commit[:7]}", named, seen)
