"""Rollout: every field of the upstream kind, with the defaults that its controller applies in code."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from rollouts.api.base import ApiModel, FreeForm, IntOrString, NoneAsEmpty, Strings

DEFAULT_REPLICAS = 1
DEFAULT_REVISION_HISTORY_LIMIT = 10
DEFAULT_PROGRESS_DEADLINE_SECONDS = 600
DEFAULT_SCALE_DOWN_DELAY_SECONDS = 30
DEFAULT_ABORT_SCALE_DOWN_DELAY_SECONDS = 30
DEFAULT_MAX_SURGE = "25%"
DEFAULT_MAX_UNAVAILABLE = "25%"
DEFAULT_MAX_TRAFFIC_WEIGHT = 100
DEFAULT_RUN_HISTORY_LIMIT = 5


class ObjectMetadata(ApiModel):
    """Labels and annotations to add to an object that the controller creates or decorates."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class WorkloadRef(ApiModel):
    """A Deployment, ReplicaSet or PodTemplate that holds the pod template instead of the Rollout."""

    api_version: str = ""
    """``apps/v1`` or ``v1``."""
    kind: str = ""
    """``Deployment``, ``ReplicaSet`` or ``PodTemplate``."""
    name: str = ""
    scale_down: str = "never"
    """``never``, ``onsuccess`` or ``progressively``."""


class FieldRef(ApiModel):
    """Selects a field of the Rollout."""

    field_path: str


class ArgumentValueFrom(ApiModel):
    """Where an analysis argument gets its value from."""

    field_ref: FieldRef | None = None
    pod_template_hash_value: str | None = None
    """``Stable`` or ``Latest``."""


class AnalysisRunArgument(ApiModel):
    """An argument that a Rollout passes to an analysis."""

    name: str
    value: str | None = None
    value_from: ArgumentValueFrom | None = None


class TemplateRef(ApiModel):
    """Names an AnalysisTemplate, or a ClusterAnalysisTemplate when ``cluster_scope``."""

    template_name: str = ""
    cluster_scope: bool = False


class DryRun(ApiModel):
    """Metrics (a regular expression, or ``*``) that never decide."""

    metric_name: str


class MeasurementRetention(ApiModel):
    """How many measurements of a metric to keep."""

    metric_name: str
    limit: int


class RolloutAnalysis(ApiModel):
    """An analysis that a Rollout runs: in a step, before or after a blue-green switch."""

    templates: Annotated[tuple[TemplateRef, ...], NoneAsEmpty] = ()
    """Templates whose metrics are measured together."""
    args: Annotated[tuple[AnalysisRunArgument, ...], NoneAsEmpty] = ()
    """Values for the arguments of the templates."""
    dry_run: Annotated[tuple[DryRun, ...], NoneAsEmpty] = ()
    """Metrics that are measured but never decide."""
    measurement_retention: Annotated[tuple[MeasurementRetention, ...], NoneAsEmpty] = ()
    """How many measurements to keep; 10 by default."""
    analysis_run_metadata: ObjectMetadata | None = None
    """Labels and annotations of the AnalysisRun."""


class BackgroundAnalysis(RolloutAnalysis):
    """An analysis that runs beside the canary steps, from ``starting_step`` on."""

    starting_step: int | None = None
    """The step at which it starts; 0 by default."""


class PreferredAntiAffinity(ApiModel):
    """Anti-affinity that the scheduler may break."""

    weight: int = 1


class AntiAffinity(ApiModel):
    """Keeps pods of the new version off the nodes of the old one."""

    preferred_during_scheduling_ignored_during_execution: PreferredAntiAffinity | None = None
    required_during_scheduling_ignored_during_execution: FreeForm | None = None


class BlueGreenStrategy(ApiModel):
    """Two full versions; a Service selector switches between them."""

    active_service: str = ""
    """The Service that users reach."""
    preview_service: str | None = None
    """The Service that reaches the new version before the switch."""
    preview_replica_count: int | None = None
    """Pods of the new version before the switch; ``spec.replicas`` by default."""
    auto_promotion_enabled: bool | None = None
    """Switch without being asked; true by default."""
    auto_promotion_seconds: int | None = None
    """Wait so long after full availability, then switch."""
    max_unavailable: IntOrString | None = None
    """Pods that may be missing during a restart; 25% by default."""
    scale_down_delay_seconds: int | None = None
    """How long the old version stays after the switch; 30 by default."""
    scale_down_delay_revision_limit: int | None = None
    """How many old versions may stay; no limit by default."""
    pre_promotion_analysis: RolloutAnalysis | None = None
    """Must succeed before the switch."""
    post_promotion_analysis: RolloutAnalysis | None = None
    """When it fails after the switch, the switch is undone."""
    anti_affinity: AntiAffinity | None = None
    preview_metadata: ObjectMetadata | None = None
    """Labels and annotations of the pods before the switch."""
    active_metadata: ObjectMetadata | None = None
    """Labels and annotations of the pods after the switch."""
    abort_scale_down_delay_seconds: int | None = None
    """How long the new version stays after an abort; 30 by default, 0 means for ever."""


class StringMatch(ApiModel):
    """Exactly one way to match a string."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class HeaderRoutingMatch(ApiModel):
    """A header and the value that sends a request to the canary."""

    header_name: str
    header_value: StringMatch | None = None


class SetHeaderRoute(ApiModel):
    """Send requests with these headers to the canary; no match removes the route."""

    name: str = ""
    match: Annotated[tuple[HeaderRoutingMatch, ...], NoneAsEmpty] = ()


class RouteMatch(ApiModel):
    """Which requests to mirror."""

    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: dict[str, StringMatch] = {}


class SetMirrorRoute(ApiModel):
    """Copy matching requests to the canary; no match removes the route."""

    name: str = ""
    match: Annotated[tuple[RouteMatch, ...], NoneAsEmpty] = ()
    percentage: int | None = None
    """Share of the matching requests; 100 by default."""


class Pause(ApiModel):
    """Wait for ``duration`` (seconds or a Go duration), or until promoted when it is absent."""

    duration: IntOrString | None = None


class SetCanaryScale(ApiModel):
    """Scale the canary apart from its traffic weight."""

    weight: int | None = None
    """Pods in percent of ``spec.replicas``."""
    replicas: int | None = None
    """Number of pods."""
    match_traffic_weight: bool = False
    """Follow the traffic weight again."""


class ExperimentTemplateService(ApiModel):
    """Asks for a Service in front of an experiment's pods."""

    name: str = ""


class ExperimentStepTemplate(ApiModel):
    """A version to run in the experiment: the canary's or the stable's pod template."""

    name: str
    spec_ref: str
    replicas: int | None = None
    metadata: ObjectMetadata | None = None
    selector: FreeForm | None = None
    weight: int | None = None
    service: ExperimentTemplateService | None = None


class ExperimentStepAnalysis(ApiModel):
    """An analysis of the experiment."""

    name: str
    template_name: str = ""
    cluster_scope: bool = False
    args: Annotated[tuple[AnalysisRunArgument, ...], NoneAsEmpty] = ()
    required_for_completion: bool = False


class ExperimentStep(ApiModel):
    """Run an Experiment and wait for it."""

    templates: Annotated[tuple[ExperimentStepTemplate, ...], NoneAsEmpty] = ()
    duration: str | None = None
    analyses: Annotated[tuple[ExperimentStepAnalysis, ...], NoneAsEmpty] = ()
    dry_run: Annotated[tuple[DryRun, ...], NoneAsEmpty] = ()
    analysis_run_metadata: ObjectMetadata | None = None
    scale_down_delay_seconds: int | None = None


class PluginStep(ApiModel):
    """Run a step plugin."""

    name: str
    config: Any = None


class CanaryStep(ApiModel):
    """One step of a canary; exactly one field is set."""

    set_weight: int | None = None
    """Traffic of the canary, in percent (or of ``maxTrafficWeight``)."""
    pause: Pause | None = None
    """Wait, for a time or for a person."""
    set_canary_scale: SetCanaryScale | None = None
    """Scale the canary apart from its traffic; needs traffic routing."""
    set_header_route: SetHeaderRoute | None = None
    """Send requests with certain headers to the canary."""
    set_mirror_route: SetMirrorRoute | None = None
    """Copy requests to the canary."""
    analysis: RolloutAnalysis | None = None
    """Measure, and go on only when all is well."""
    experiment: ExperimentStep | None = None
    """Run versions side by side and wait for the outcome."""
    plugin: PluginStep | None = None
    """Run a step plugin."""


class PingPong(ApiModel):
    """Two Services that take turns in the stable role."""

    ping_service: str = ""
    pong_service: str = ""


class ReplicaProgressThreshold(ApiModel):
    """How many canary pods must be available before the next step."""

    type: str = "Percent"
    value: int = 0


class ManagedRoute(ApiModel):
    """A route that header and mirror steps may create; the order is the precedence."""

    name: str = ""


class AlbStickiness(ApiModel):
    """Sticky sessions between ALB target groups."""

    enabled: bool = False
    duration_seconds: int = 0


class AlbRouting(ApiModel):
    """AWS load balancer controller."""

    ingress: str | None = None
    ingresses: Strings = ()
    service_port: int = 0
    root_service: str | None = None
    annotation_prefix: str | None = None
    stickiness_config: AlbStickiness | None = None


class IstioTlsRoute(ApiModel):
    """Selects tls routes of a VirtualService."""

    port: int | None = None
    sni_hosts: Strings = ()


class IstioTcpRoute(ApiModel):
    """Selects tcp routes of a VirtualService."""

    port: int | None = None


class IstioVirtualService(ApiModel):
    """A VirtualService and the routes to change in it."""

    name: str = ""
    routes: Strings = ()
    tls_routes: Annotated[tuple[IstioTlsRoute, ...], NoneAsEmpty] = ()
    tcp_routes: Annotated[tuple[IstioTcpRoute, ...], NoneAsEmpty] = ()


class IstioDestinationRule(ApiModel):
    """A DestinationRule whose subsets select the two versions."""

    name: str = ""
    canary_subset_name: str = ""
    stable_subset_name: str = ""
    additional_subset_names: Strings = ()


class IstioRouting(ApiModel):
    """Istio."""

    virtual_service: IstioVirtualService | None = None
    virtual_services: Annotated[tuple[IstioVirtualService, ...], NoneAsEmpty] = ()
    destination_rule: IstioDestinationRule | None = None


class NginxRouting(ApiModel):
    """ingress-nginx."""

    stable_ingress: str | None = None
    stable_ingresses: Strings = ()
    annotation_prefix: str | None = None
    additional_ingress_annotations: dict[str, str] = {}
    canary_ingress_annotations: dict[str, str] = {}


class SmiRouting(ApiModel):
    """Service Mesh Interface."""

    root_service: str | None = None
    traffic_split_name: str | None = None


class AmbassadorRouting(ApiModel):
    """Ambassador."""

    mappings: Strings = ()


class ApisixRoute(ApiModel):
    """An ApisixRoute and its rules."""

    name: str = ""
    rules: Strings = ()


class ApisixRouting(ApiModel):
    """Apache APISIX."""

    route: ApisixRoute | None = None


class NameRef(ApiModel):
    """A reference by name."""

    name: str = ""


class AppMeshVirtualService(ApiModel):
    """An App Mesh VirtualService and its routes."""

    name: str = ""
    routes: Strings = ()


class AppMeshVirtualNodeGroup(ApiModel):
    """The two virtual nodes."""

    canary_virtual_node_ref: NameRef | None = None
    stable_virtual_node_ref: NameRef | None = None


class AppMeshRouting(ApiModel):
    """AWS App Mesh."""

    virtual_service: AppMeshVirtualService | None = None
    virtual_node_group: AppMeshVirtualNodeGroup | None = None


class TraefikRouting(ApiModel):
    """Traefik."""

    weighted_traefik_service_name: str = ""


class TrafficRouting(ApiModel):
    """Routers that shift weight; several may be set, all are kept in step."""

    alb: AlbRouting | None = None
    ambassador: AmbassadorRouting | None = None
    apisix: ApisixRouting | None = None
    app_mesh: AppMeshRouting | None = None
    istio: IstioRouting | None = None
    nginx: NginxRouting | None = None
    smi: SmiRouting | None = None
    traefik: TraefikRouting | None = None
    plugins: FreeForm | None = None
    """Routers by name, such as ``argoproj-labs/gatewayAPI``, each with its own settings."""
    managed_routes: Annotated[tuple[ManagedRoute, ...], NoneAsEmpty] = ()
    """Routes that steps may set; the first one wins."""
    max_traffic_weight: int | None = None
    """The weight that stands for all traffic; 100 by default."""


class CanaryStrategy(ApiModel):
    """A new version takes over in steps."""

    canary_service: str = ""
    """The Service of the new version."""
    stable_service: str = ""
    """The Service of the old version."""
    steps: Annotated[tuple[CanaryStep, ...], NoneAsEmpty] = ()
    """What happens one after the other; without steps, a rolling update."""
    traffic_routing: TrafficRouting | None = None
    """How weight is shifted; without it, by the number of pods."""
    max_unavailable: IntOrString | None = None
    """Pods that may be missing, as a number or in percent, rounded down; 25% by default."""
    max_surge: IntOrString | None = None
    """Pods that may be too many, as a number or in percent, rounded up; 25% by default."""
    analysis: BackgroundAnalysis | None = None
    """Measures beside the steps and aborts when it fails."""
    anti_affinity: AntiAffinity | None = None
    canary_metadata: ObjectMetadata | None = None
    """Labels and annotations of the pods of the new version."""
    stable_metadata: ObjectMetadata | None = None
    """Labels and annotations of the pods of the old version."""
    scale_down_delay_seconds: int | None = None
    """How long the old version stays after the update; 30 by default. Needs traffic routing."""
    scale_down_delay_revision_limit: int | None = None
    """How many old versions may stay; no limit by default."""
    abort_scale_down_delay_seconds: int | None = None
    """How long the canary stays after an abort; 30 by default, 0 means for ever."""
    dynamic_stable_scale: bool = False
    """Scale the old version down while its traffic shrinks. Needs traffic routing."""
    ping_pong: PingPong | None = None
    min_pods_per_replica_set: int | None = None
    """The fewest pods of a version that gets traffic. Needs traffic routing."""
    replica_progress_threshold: ReplicaProgressThreshold | None = None
    """How many canary pods must be available to go on; all by default."""


class RolloutStrategy(ApiModel):
    """Exactly one of the two strategies."""

    blue_green: BlueGreenStrategy | None = None
    canary: CanaryStrategy | None = None


class RollbackWindow(ApiModel):
    """Going back to one of the last revisions skips steps and analysis."""

    revisions: int = 0


class RunHistory(ApiModel):
    """How many finished AnalysisRuns and Experiments to keep."""

    successful_run_history_limit: int | None = None
    """5 by default."""
    unsuccessful_run_history_limit: int | None = None
    """5 by default."""


class RolloutSpec(ApiModel):
    """Desired state."""

    replicas: int | None = None
    """Pods wanted; 1 by default."""
    selector: FreeForm | None = None
    template: FreeForm | None = None
    workload_ref: WorkloadRef | None = None
    """Take the template from another workload instead of ``template``."""
    min_ready_seconds: int = 0
    """How long a pod must be ready to count as available."""
    rollback_window: RollbackWindow | None = None
    """Going back within so many revisions skips steps and analysis."""
    strategy: RolloutStrategy = Field(default_factory=RolloutStrategy)
    revision_history_limit: int | None = None
    """Old ReplicaSets to keep; 10 by default."""
    paused: bool = False
    """Hold the update until this is false again."""
    progress_deadline_seconds: int | None = None
    """Time without progress after which the update counts as stuck; 600 by default."""
    progress_deadline_abort: bool = False
    """Abort an update that is stuck."""
    restart_at: str | None = None
    """Restart the pods that are older than this."""
    analysis: RunHistory | None = None
    """How many finished AnalysisRuns and Experiments to keep."""


class RunStatusRef(ApiModel):
    """The AnalysisRun that a part of the status points at."""

    name: str = ""
    status: str = ""
    message: str = ""


class WeightDestination(ApiModel):
    """The share of one Service."""

    weight: int = 0
    service_name: str = ""
    pod_template_hash: str = ""


class TrafficWeights(ApiModel):
    """Weights as last set."""

    canary: WeightDestination = Field(default_factory=WeightDestination)
    stable: WeightDestination = Field(default_factory=WeightDestination)
    additional: Annotated[tuple[WeightDestination, ...], NoneAsEmpty] = ()
    verified: bool | None = None


class StepPluginStatus(ApiModel):
    """State of one execution of a step plugin."""

    index: int = 0
    name: str = ""
    operation: str = ""
    phase: str = ""
    message: str = ""
    started_at: str | None = None
    updated_at: str | None = None
    finished_at: str | None = None
    backoff: str | None = None
    executions: int = 0
    disabled: bool = False
    status: Any = None


class CanaryStatus(ApiModel):
    """Canary part of the status."""

    current_step_analysis_run_status: RunStatusRef | None = None
    current_background_analysis_run_status: RunStatusRef | None = None
    current_experiment: str = ""
    weights: TrafficWeights | None = None
    stable_ping_pong: str = ""
    step_plugin_statuses: Annotated[tuple[StepPluginStatus, ...], NoneAsEmpty] = ()


class BlueGreenStatus(ApiModel):
    """Blue-green part of the status; the selectors are read back from the Services."""

    preview_selector: str = ""
    active_selector: str = ""
    scale_up_preview_check_point: bool = False
    pre_promotion_analysis_run_status: RunStatusRef | None = None
    post_promotion_analysis_run_status: RunStatusRef | None = None


class AlbTargetGroup(ApiModel):
    """An AWS resource."""

    name: str = ""
    arn: str = ""
    full_name: str = ""


class AlbStatus(ApiModel):
    """AWS resources behind an ingress."""

    load_balancer: AlbTargetGroup | None = None
    canary_target_group: AlbTargetGroup | None = None
    stable_target_group: AlbTargetGroup | None = None
    ingress: str = ""


class PauseCondition(ApiModel):
    """A pause that the controller asked for; a user removes it to go on."""

    reason: str
    start_time: str


class Condition(ApiModel):
    """A condition; all fields are required by the CRD."""

    type: str
    status: str
    last_update_time: str = ""
    last_transition_time: str = ""
    reason: str = ""
    message: str = ""


class DurationStatus(ApiModel):
    """How long the update took."""

    rollout_started_at: str | None = None
    manual_pause_started_at: str | None = None
    total_manual_pause_duration_seconds: int = 0
    finished_at: str | None = None
    completion_status: str = ""


class RolloutStatus(ApiModel):
    """Observed state, on the upstream paths."""

    abort: bool = False
    aborted_at: str | None = None
    pause_conditions: Annotated[tuple[PauseCondition, ...], NoneAsEmpty] = ()
    controller_pause: bool = False
    current_pod_hash: str = ""
    current_step_hash: str = ""
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    current_step_index: int | None = None
    collision_count: int | None = None
    observed_generation: str = ""
    conditions: Annotated[tuple[Condition, ...], NoneAsEmpty] = ()
    canary: CanaryStatus = Field(default_factory=CanaryStatus)
    blue_green: BlueGreenStatus = Field(default_factory=BlueGreenStatus)
    hpa_replicas: int = Field(default=0, alias="HPAReplicas")
    selector: str = ""
    stable_rs: str = Field(default="", alias="stableRS")
    restarted_at: str | None = None
    promote_full: bool = False
    phase: str = ""
    message: str = ""
    workload_observed_generation: str = ""
    alb: AlbStatus | None = None
    albs: Annotated[tuple[AlbStatus, ...], NoneAsEmpty] = ()
    duration: DurationStatus | None = None


class Rollout(ApiModel):
    """A workload that a new version takes over in steps, or by a switch between two full versions."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "Rollout"
    metadata: FreeForm = {}
    spec: RolloutSpec
    status: RolloutStatus = Field(default_factory=RolloutStatus)
