"""What an analysis that goes on asks for: no more traffic, none at all, or successors of canary pods. Pure.

It is followed in the cautious direction only. A full promotion by a person goes on in spite of it; skipping a
step moves on, but raises no weight.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from analysis.spec.guidance import NO_GUIDANCE, Guidance, joined
from rollouts.controllers.rollout.actions import EvictPod
from rollouts.controllers.rollout.decide import analysis
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.promotion import within_rollback_window
from rollouts.controllers.rollout.snapshot import AnalysisRun, PodView, RolloutSnapshot

SETTLE = timedelta(seconds=30)
"""How long a successor has been ready before it gets the traffic back, as the judge was studied."""
LOOK_AGAIN_SECONDS = 10


def guidance(d: Draft) -> Guidance:
    """Return what the runs that decide ask for; an inconclusive one as long as it holds the update."""
    s = d.s
    under_way = s.canary is not None and s.stable is not None and not s.fully_promoted
    if not under_way or d.aborted or s.status.promote_full or within_rollback_window(d):
        return NO_GUIDANCE
    runs = (
        analysis.current(d, analysis.BACKGROUND),
        analysis.current(d, analysis.STEP, s.step_index) if s.step_index is not None else None,
    )
    return joined(run.guidance for run in runs if run is not None and _counts(d, run))


def _counts(d: Draft, run: AnalysisRun) -> bool:
    return not run.finished or (run.phase == "Inconclusive" and d.paused_by_analysis)


def pods_asked(snapshot: RolloutSnapshot) -> bool:
    """Tell whether a decision has to know the pods because successors are asked for."""
    asking = any(run.guidance.replace and not run.finished for run in snapshot.runs)
    return asking and bool(guidance(Draft(snapshot)).replace)


def weight_allowed(d: Draft, wanted: int, present: int) -> int:
    """Return ``wanted``, not above ``present`` while held, and 0 while the canary shall get nothing."""
    asked = guidance(d)
    if asked.no_traffic and not (asked.replace and _succeeded(d, asked)):
        return 0
    return min(wanted, present) if asked.hold and wanted > present and not asked.no_traffic else wanted


def held(d: Draft) -> bool:
    """Tell whether no step may end, and say why."""
    asked = guidance(d)
    if asked.hold or asked.no_traffic:
        d.wait(f"the doubt of an analysis to end ({asked.reason}); promote --full goes on in spite of it")
        return True
    return False


def replace_pods(d: Draft) -> bool:
    """Evict the pods that successors are asked for, one at a time; a lone one when its traffic has gone."""
    s = d.s
    asked = guidance(d)
    if not asked.replace or s.pods is None or s.new is None or d.paused_by_user:
        return False
    d.look_again_in(LOOK_AGAIN_SECONDS)
    suspects = _suspects(d, asked)
    if not suspects or (asked.no_traffic and not _without_traffic(d)):
        return False
    if not asked.no_traffic and (s.new.available < s.new.desired or s.new.desired < 2):
        return False
    first = min(suspects, key=lambda pod: pod.name)
    d.do(EvictPod(name=first.name, uid=first.uid))
    d.tell("CanaryPodReplaced", f"Evicting pod {first.name} for a second opinion: {asked.reason}", "Warning")
    return False


def _without_traffic(d: Draft) -> bool:
    """Tell whether the canary gets nothing; without a router nothing can be taken from it."""
    traffic = d.traffic
    if not d.s.routed:
        return True
    return traffic is not None and traffic.settled and traffic.in_force and traffic.live_weight == 0


def _own(d: Draft) -> list[PodView]:
    new = d.s.new
    return [pod for pod in d.s.pods or () if new is not None and pod.owner == new.uid and not pod.deleting]


def _suspects(d: Draft, asked: Guidance) -> list[PodView]:
    return [pod for pod in _own(d) if any(_names(name, pod, d) for name in asked.replace)]


def _names(name: str, pod: PodView, d: Draft) -> bool:
    """Tell whether a name means the pod: whole, or only what follows the version's hash."""
    return pod.name == name or (d.s.new is not None and pod.name.endswith(f"-{d.s.new.hash}-{name}"))


def _succeeded(d: Draft, asked: Guidance) -> bool:
    """Tell whether the suspected pods have gone and all others have been ready long enough."""
    new, pods = d.s.new, _own(d)
    if d.s.pods is None or new is None or not pods or _suspects(d, asked) or new.available < new.desired:
        return False
    ready = [pod.ready_since for pod in pods]
    settled: datetime | None = None
    for moment in ready:
        if moment is None:
            return False
        settled = moment if settled is None else max(settled, moment)
    if settled is None or settled + SETTLE <= d.s.now:
        return True
    d.look_again(settled + SETTLE)
    return False
