"""A template that another object holds: following its generation, and scaling that object down."""

from __future__ import annotations

from rollouts.api import conditions as c
from rollouts.controllers.rollout.actions import PatchRollout, ScaleWorkload
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.kube import objects
from rollouts.workloads import labels

SCALABLE = "Deployment"


def follow_workload_generation(d: Draft) -> bool:
    """Note on the Rollout which generation of the workload its template comes from."""
    workload = d.s.workload
    if workload is None:
        d.set("workloadObservedGeneration", None)
        noted = labels.WORKLOAD_GENERATION in objects.annotations_of(d.s.manifest)
        if noted and d.s.spec.workload_ref is None:
            d.do(PatchRollout(annotations={labels.WORKLOAD_GENERATION: None}))
        return False
    generation = str(workload.generation)
    if objects.annotations_of(d.s.manifest).get(labels.WORKLOAD_GENERATION) != generation:
        d.do(PatchRollout(annotations={labels.WORKLOAD_GENERATION: generation}))
    d.set("workloadObservedGeneration", generation)
    return False


def scale_down_workload(d: Draft) -> bool:
    """Take the pods of a referenced Deployment while the Rollout takes over for the first time.

    ``onsuccess`` takes them once the Rollout is healthy, ``progressively`` as its own pods become ready, and
    gives them back when those fail. Once the Rollout has been healthy the Deployment is left alone, so that
    nobody is fought over it.
    """
    s, workload = d.s, d.s.workload
    if workload is None or workload.kind != SCALABLE or workload.replicas is None:
        return False
    ref = s.spec.workload_ref
    mode = ref.scale_down if ref else "never"
    conditions = (s.manifest.get("status") or {}).get("conditions")
    been_healthy = c.get_condition(conditions, c.HEALTHY) is not None
    if mode not in ("onsuccess", "progressively") or (been_healthy and s.revision > 1):
        return False
    healthy = _stands(d)
    if healthy:
        wanted = 0
    elif mode == "progressively" and not been_healthy:
        ready = s.new.ready if s.new else 0
        wanted = max(0, s.replicas - ready)
    else:
        return False
    if wanted != workload.replicas and not (been_healthy and wanted > 0):
        d.do(ScaleWorkload(name=workload.name, uid=workload.uid, before=workload.replicas, replicas=wanted))
    return False


def _stands(d: Draft) -> bool:
    new = d.s.new
    return d.s.fully_promoted and new is not None and new.available >= d.s.replicas > 0
