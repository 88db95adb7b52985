"""The object that ``spec.workloadRef`` names: where the pod template and the selector really are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rollouts.api.argoproj.rollout import WorkloadRef
from rollouts.api.argoproj.validation import invalid_spec_message
from rollouts.api.fielderrors import invalid
from rollouts.controllers.rollout.snapshot import Workload
from rollouts.kube import objects
from rollouts.kube.cache import Cache
from rollouts.kube.objects import ReadOnly, Resource
from rollouts.traffic.router import Need

FindResource = Callable[[str, str], Resource | None]

KINDS = {("apps", "Deployment"), ("apps", "ReplicaSet"), ("", "PodTemplate")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Referenced:
    """What a reference leads to; ``problem`` says what a person must mend."""

    need: Need
    workload: Workload | None = None
    template: ReadOnly = field(default_factory=dict)
    selector: ReadOnly = field(default_factory=dict)
    problem: str = ""


def follow(
    ref: WorkloadRef, rollout: str, namespace: str, cache: Cache, find_resource: FindResource
) -> Referenced:
    """Read the referenced Deployment, ReplicaSet or PodTemplate from the cache."""
    group = ref.api_version.rpartition("/")[0]
    need = Need(group=group, kind=ref.kind, namespace=namespace, name=ref.name)
    if (group, ref.kind) not in KINDS:
        wanted = "Deployment or ReplicaSet of apps/v1, or PodTemplate of v1"
        text = (
            f"cannot take a pod template from {ref.kind} of {ref.api_version or 'no group'}; wanted {wanted}"
        )
        return Referenced(need=need, problem=_message(rollout, "kind", ref.kind, text))
    resource = find_resource(group, ref.kind)
    found = cache.get(resource, namespace, ref.name) if resource else None
    if found is None:
        what = f"{ref.kind.lower()}s.{group}" if group else f"{ref.kind.lower()}s"
        return Referenced(
            need=need, problem=_message(rollout, "name", ref.name, f'{what} "{ref.name}" not found')
        )
    spec = found.get("spec") or {}
    template = found.get("template") if ref.kind == "PodTemplate" else spec.get("template")
    workload = Workload(
        kind=ref.kind,
        name=ref.name,
        uid=objects.uid_of(found),
        generation=objects.generation(found),
        replicas=None if spec.get("replicas") is None else int(spec["replicas"]),
    )
    return Referenced(
        need=need, workload=workload, template=template or {}, selector=spec.get("selector") or {}
    )


def _message(rollout: str, field_name: str, value: str, text: str) -> str:
    return invalid_spec_message(rollout, invalid(f"spec.workloadRef.{field_name}", value, text))
