"""Everything that one decision about a Rollout may look at, frozen. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.spec.guidance import NO_GUIDANCE, Guidance
from rollouts.api.argoproj import rollout as api
from rollouts.api.conditions import get_condition
from rollouts.controllers.rollout.budget import CONDITION, UNKNOWN, BudgetGate, Verdict, verdict_of
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.traffic.router import Config, TrafficRouter
from rollouts.workloads import labels
from rollouts.workloads import replicaset as rs_module
from rollouts.workloads.replicaset import ReplicaSet

if TYPE_CHECKING:
    from rollouts.controllers.rollout.plugin_calls import PluginAnswer


PING, PONG = "ping", "pong"


@dataclass(frozen=True, slots=True)
class TemplateKey:
    """Names an AnalysisTemplate, or a ClusterAnalysisTemplate."""

    name: str
    cluster_scope: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether data planes themselves have the weights of the live objects; ``message`` says why not.

    ``given_up`` tells that nobody could be asked for too long, so that what the objects say must do.
    """

    verified: bool = False
    message: str = ""
    given_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """One configured router with the live objects that it asked for.

    ``since`` is when these objects were first seen with the router as sure as it is; None when not known.
    ``verification`` is None where no data plane is asked.
    """

    name: str
    router: TrafficRouter
    config: Config
    live: tuple[Manifest, ...] = ()
    missing: tuple[str, ...] = ()
    since: datetime | None = None
    verification: Verification | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRun:
    """What an AnalysisRun says; ``kind`` is its label ``rollout-type``."""

    name: str
    uid: str
    kind: str
    hash: str
    revision: str
    step_index: str
    attempt: str | None
    phase: str
    message: str
    terminating: bool
    deleting: bool
    created: datetime
    guidance: Guidance = NO_GUIDANCE

    @property
    def finished(self) -> bool:
        """Tell whether a verdict has been reached."""
        return self.phase in {"Successful", "Failed", "Error", "Inconclusive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentVersion:
    """One version of an Experiment; ``service`` is "" without one, ``port`` the first of its containers."""

    name: str
    hash: str
    service: str
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What an Experiment of this Rollout says; ``attempt`` is None where another controller made it."""

    name: str
    uid: str
    hash: str
    revision: str
    step_index: str
    attempt: str | None
    phase: str
    message: str
    terminating: bool
    deleting: bool
    created: datetime
    versions: tuple[ExperimentVersion, ...] = ()

    @property
    def finished(self) -> bool:
        """Tell whether it has ended."""
        return self.phase in {"Successful", "Failed", "Error", "Inconclusive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The object that ``spec.workloadRef`` names."""

    kind: str
    name: str
    uid: str
    generation: int
    replicas: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """What is known of a pod; ``owner`` is its ReplicaSet's uid, ``ready_since`` None while not ready."""

    name: str
    uid: str
    owner: str
    created: datetime
    deleting: bool
    ready_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigCopy:
    """The copy of a ConfigMap that the wanted template names.

    ``version`` is "" while it is not there; ``digest`` is then that of the content it can be made from, ""
    when nothing has it. ``foreign`` tells that an object of somebody else has the name.
    """

    name: str
    source: str
    digest: str = ""
    uid: str = ""
    version: str = ""
    owners: tuple[Manifest, ...] = ()
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedConfig:
    """The tracked config; ``settles_at`` is until when it may be edited further, None when it is settled."""

    copies: tuple[ConfigCopy, ...] = ()
    settles_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RolloutSnapshot:
    """One Rollout at ``now``.

    ``services`` holds the Services that the spec names, by name; a missing one is absent. ``templates``
    holds analysis template specs by key. ``template`` and ``selector`` come from the spec or from the
    referenced workload. ``orphans`` are ReplicaSets of its pods that have no owner, such as those that a
    deleted Rollout left behind. ``strangers`` are the names that the next
    ReplicaSet would have but that ReplicaSets of others hold.
    ``pods`` is None unless a restart is due or an analysis asks for successors of pods. ``invalid`` and
    ``router_error`` say what a person must mend.
    """

    now: datetime
    manifest: Manifest
    spec: api.RolloutSpec
    status: api.RolloutStatus
    replica_sets: tuple[ReplicaSet, ...] = ()
    orphans: tuple[ReplicaSet, ...] = ()
    strangers: frozenset[str] = frozenset()
    services: Mapping[str, Manifest] = field(default_factory=dict)
    runs: tuple[AnalysisRun, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    templates: Mapping[TemplateKey, ReadOnly] = field(default_factory=dict)
    routers: tuple[RouterView, ...] = ()
    router_error: str = ""
    invalid: str = ""
    template: ReadOnly = field(default_factory=dict)
    selector: ReadOnly = field(default_factory=dict)
    workload: Workload | None = None
    pods: tuple[PodView, ...] | None = None
    plugin_answers: tuple[PluginAnswer, ...] = ()
    budget_gate: BudgetGate | None = None
    inactive_fields: tuple[str, ...] = ()
    unknown_fields: Mapping[str, str] = field(default_factory=dict)
    """By path what was probably meant, "" when nothing is like it."""
    config: TrackedConfig = TrackedConfig()
    instance_id: str = ""

    @cached_property
    def name(self) -> str:
        """Return the Rollout's name."""
        return objects.name_of(self.manifest)

    @cached_property
    def namespace(self) -> str:
        """Return the Rollout's namespace."""
        return objects.namespace_of(self.manifest)

    @cached_property
    def replicas(self) -> int:
        """Return how many pods are wanted."""
        return api.DEFAULT_REPLICAS if self.spec.replicas is None else self.spec.replicas

    @cached_property
    def canary(self) -> api.CanaryStrategy | None:
        """Return the canary strategy, if it is one."""
        return self.spec.strategy.canary

    @cached_property
    def blue_green(self) -> api.BlueGreenStrategy | None:
        """Return the blue-green strategy, if it is one."""
        return self.spec.strategy.blue_green

    @cached_property
    def steps(self) -> Sequence[api.CanaryStep]:
        """Return the canary steps."""
        return self.canary.steps if self.canary else ()

    @cached_property
    def routed(self) -> bool:
        """Tell whether a router shifts the weights."""
        return bool(self.canary and self.canary.traffic_routing is not None)

    @cached_property
    def stable_service(self) -> str:
        """Return the Service of the stable version; with ping-pong the two take turns."""
        return self._services()[0]

    @cached_property
    def canary_service(self) -> str:
        """Return the Service of the new version; with ping-pong the two take turns."""
        return self._services()[1]

    def _services(self) -> tuple[str, str]:
        if self.canary is None:
            return "", ""
        turns = self.canary.ping_pong
        if turns is None:
            return self.canary.stable_service, self.canary.canary_service
        if self.status.canary.stable_ping_pong == PONG:
            return turns.pong_service, turns.ping_service
        return turns.ping_service, turns.pong_service

    @cached_property
    def max_weight(self) -> int:
        """Return the weight that means all traffic."""
        routing = self.canary.traffic_routing if self.canary else None
        top = routing.max_traffic_weight if routing else None
        return top or api.DEFAULT_MAX_TRAFFIC_WEIGHT

    @cached_property
    def new(self) -> ReplicaSet | None:
        """Return the ReplicaSet of the spec's template, if it exists."""
        live = [rs for rs in self.replica_sets if not rs.deleting]
        if self.waits_for_running_update or self.waits_for_budget or self.config.settles_at is not None:
            return rs_module.find(live, self.status.current_pod_hash)
        return rs_module.find_by_template(live, self.template, self.status.collision_count)

    @cached_property
    def waits_for_running_update(self) -> bool:
        """Tell whether a newer template has to wait until the update under way has ended (opt-in)."""
        if objects.annotations_of(self.manifest).get(labels.SERIAL) != "true":
            return False
        running = rs_module.find(self.replica_sets, self.status.current_pod_hash)
        under_way = bool(self.status.stable_rs) and not self.fully_promoted and not self.aborted
        if running is None or running.deleting or not under_way:
            return False
        found = rs_module.find_by_template([running], self.template, self.status.collision_count)
        return found is None

    @cached_property
    def budget_verdict(self) -> Verdict | None:
        """Return what the error budgets say; None when nobody asks, or no version that is new here starts."""
        if self.budget_gate is None or self.invalid or not self.template or not self.status.stable_rs:
            return None
        live = [rs for rs in self.replica_sets if not rs.deleting]
        count = self.status.collision_count
        if self.config.settles_at is not None:
            return None
        if self.waits_for_running_update or rs_module.find(live, self.status.current_pod_hash) is None:
            return None
        if rs_module.find_by_template([*live, *self.orphans], self.template, count) is not None:
            return None
        return verdict_of(self.budget_gate, self.now, self._without_data_since())

    def _without_data_since(self) -> datetime | None:
        status = self.manifest.get("status") or {}
        found = get_condition(status.get("conditions"), CONDITION) or {}
        waits = found.get("status") == "True" and found.get("reason") == UNKNOWN
        return objects.parse_time(found.get("lastUpdateTime")) if waits else None

    @cached_property
    def waits_for_budget(self) -> bool:
        """Tell whether a new version may not start, and the present one stays the wanted one."""
        return self.budget_verdict is not None and self.budget_verdict.held

    @cached_property
    def stable(self) -> ReplicaSet | None:
        """Return the ReplicaSet that was last fully promoted, if it exists."""
        return rs_module.find(self.replica_sets, self.status.stable_rs)

    @cached_property
    def versions(self) -> frozenset[str]:
        """Return the hashes of the versions that are still kept: runs of others are of no use."""
        return frozenset(rs.hash for rs in self.replica_sets if not rs.deleting)

    @cached_property
    def others(self) -> tuple[ReplicaSet, ...]:
        """Return the ReplicaSets that are neither new nor stable."""
        kept = {rs.name for rs in (self.new, self.stable) if rs}
        return tuple(rs for rs in self.replica_sets if rs.name not in kept)

    @cached_property
    def fully_promoted(self) -> bool:
        """Tell whether the desired version is the stable one (``new`` must be what status says)."""
        return bool(self.status.stable_rs) and self.status.stable_rs == self.status.current_pod_hash

    @cached_property
    def aborted(self) -> bool:
        """Tell whether an abort is in force."""
        return self.status.abort

    @cached_property
    def step_index(self) -> int | None:
        """Return the committed step index; None without steps, 0 before the first commit."""
        if not self.steps:
            return None
        index = self.status.current_step_index
        return 0 if index is None else index

    @cached_property
    def step(self) -> api.CanaryStep | None:
        """Return the step that is being executed; None when there is none or all are done."""
        index = self.step_index
        return self.steps[index] if index is not None and 0 <= index < len(self.steps) else None

    @cached_property
    def attempt(self) -> str:
        """Return which try of the present revision this is ("0" for the first)."""
        return objects.annotations_of(self.manifest).get(labels.ATTEMPT, "0")

    @cached_property
    def revision(self) -> int:
        """Return the Rollout's revision annotation (0 before the first)."""
        text = objects.annotations_of(self.manifest).get(labels.REVISION, "")
        return int(text) if text.isdigit() else 0

    @cached_property
    def total_desired(self) -> int:
        """Return the pods asked for over all ReplicaSets."""
        return sum(rs.desired for rs in self.replica_sets)

    @cached_property
    def total_available(self) -> int:
        """Return the available pods over all ReplicaSets."""
        return sum(rs.available for rs in self.replica_sets)

    def paused_for(self, reason: str) -> api.PauseCondition | None:
        """Return the pause condition with this reason, if it is set."""
        return next((c for c in self.status.pause_conditions if c.reason == reason), None)

    def service_hash(self, name: str | None) -> str:
        """Return the pod hash that a Service's selector names ("" when none or no such Service)."""
        service = self.services.get(name or "") or {}
        selector = (service.get("spec") or {}).get("selector") or {}
        return str(selector.get(labels.POD_TEMPLATE_HASH, ""))
