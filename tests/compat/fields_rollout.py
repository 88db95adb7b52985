"""What is said about the fields of a Rollout."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from rollouts.api.argoproj import rollout as api
from tests.compat.verdicts import Fields, differs, inapplicable, works

HERE = "unit/controllers/rollout"
SPEC = f"{HERE}/test_spec_fields.py::test_"
STATUS = f"{HERE}/test_status_fields.py::test_"
CANARY = f"{HERE}/test_canary.py::test_"
ROUTED = f"{HERE}/test_routed_canary.py::test_"
BLUE_GREEN = f"{HERE}/test_blue_green.py::test_"
ANALYSIS = f"{HERE}/test_analysis.py::test_"
EXPERIMENT = f"{HERE}/test_experiment.py::test_"
OPERATIONS = f"{HERE}/test_operations.py::test_"
PLUGINS = f"{HERE}/test_step_plugins.py::test_"
INGRESS = "unit/traffic/test_ingress_routers.py::test_"
ISTIO = "unit/traffic/test_istio.py::test_"
RULES = "unit/traffic/test_gateway_rules.py::test_"

STEP_FIELDS = f"{EXPERIMENT}the_steps_fields_reach_the_experiment"
TO_THE_RUN = f"{SPEC}rules_metadata_and_fields_of_the_rollout_reach_the_run"
APART = f"{SPEC}the_new_version_keeps_away_from_the_nodes_of_stable"
ROLES = f"{HERE}/test_ephemeral_metadata.py::test_roles_follow_the_update"
MIRROR = f"{RULES}a_mirror_rule_matches_what_both_match"
REAL_ROUTERS = "cluster/test_routers_real.py::test_a_canary_is_stepped_aborted_and_promoted"

SPEC_ROWS: Mapping[type[BaseModel], Fields] = {
    api.RolloutSpec: {
        "replicas": works(
            f"{CANARY}missing_replicas_are_written_as_one",
            f"{HERE}/test_known_wounds.py::test_scaling_while_updating_keeps_the_ratio",
        ),
        "selector": works("cluster/test_crds_lose_nothing.py::test_the_selector_cannot_be_changed"),
        "template": works(
            f"{HERE}/test_refusal.py::test_template_that_the_server_finds_invalid_is_an_invalid_spec",
            "unit/workloads/test_replicaset.py::test_templates_are_written_as_go_writes_them",
        ),
        "minReadySeconds": works(f"{SPEC}min_ready_seconds_reach_the_replica_set"),
        "revisionHistoryLimit": works(f"{CANARY}old_revisions_beyond_the_limit_are_deleted"),
        "paused": works(f"{CANARY}user_pause_holds_the_step"),
        "progressDeadlineSeconds": works(f"{CANARY}missed_deadline_degrades_and_aborts_where_asked"),
        "progressDeadlineAbort": differs(
            "An update that has ended is never aborted by a deadline that is missed later.",
            f"{CANARY}missed_deadline_degrades_and_aborts_where_asked",
            f"{HERE}/test_known_wounds.py::test_a_finished_update_is_not_aborted_by_a_later_missed_deadline",
        ),
        "restartAt": differs(
            "A single pod is evicted only after its successor stands, where maxSurge allows one.",
            f"{OPERATIONS}restart_evicts_old_pods_a_few_at_a_time",
            f"{OPERATIONS}restart_of_a_single_pod_starts_its_successor_first",
        ),
    },
    api.WorkloadRef: {
        "apiVersion kind name": works(
            f"{OPERATIONS}template_comes_from_the_referenced_workload",
            f"{OPERATIONS}missing_workload_makes_the_spec_invalid_until_it_is_there",
        ),
        "scaleDown": works(
            f"{OPERATIONS}on_success_takes_the_workloads_pods_once_healthy",
            f"{OPERATIONS}progressively_moves_pods_one_by_one_and_back",
        ),
    },
    api.RollbackWindow: {
        "revisions": works(
            f"{SPEC}a_way_back_within_the_rollback_window_skips_the_steps",
            f"{SPEC}a_way_back_from_beyond_the_rollback_window_runs_the_steps",
        )
    },
    api.RunHistory: {
        "*": works(
            f"{SPEC}finished_runs_beyond_the_limits_are_deleted",
            f"{EXPERIMENT}finished_experiments_beyond_the_limits_are_deleted_oldest_first",
        )
    },
    api.BlueGreenStrategy: {
        "activeService previewService": works(
            f"{BLUE_GREEN}first_deploy_points_both_services_at_the_only_version",
            f"{BLUE_GREEN}switch_waits_for_all_pods",
        ),
        "previewReplicaCount": works(f"{BLUE_GREEN}preview_count_holds_until_the_check_point"),
        "autoPromotionEnabled": works(f"{BLUE_GREEN}manual_promotion_pauses_before_the_switch"),
        "autoPromotionSeconds": works(f"{BLUE_GREEN}automatic_promotion_after_seconds"),
        "maxUnavailable": works(f"{OPERATIONS}restart_of_blue_green_evicts_as_many_as_may_be_missing"),
        "scaleDownDelaySeconds scaleDownDelayRevisionLimit": works(
            f"{SPEC}blue_green_keeps_the_old_version_for_its_seconds_and_only_so_many"
        ),
        "abortScaleDownDelaySeconds": works(
            f"{SPEC}an_aborted_preview_may_be_kept",
            f"{BLUE_GREEN}abort_before_the_switch_scales_the_preview_down_after_the_delay",
        ),
    },
    api.CanaryStrategy: {
        "canaryService stableService": works(
            f"{ROUTED}first_deploy_sends_all_traffic_to_stable",
            f"{ROUTED}promotion_ends_with_all_traffic_on_the_new_stable",
        ),
        "maxUnavailable maxSurge": works(
            f"{SPEC}the_first_move_of_an_update_is_what_the_bounds_allow",
            "unit/workloads/test_canary_scale.py::test_the_way_to_a_weight_stays_within_bounds_and_arrives",
        ),
        "scaleDownDelaySeconds": works(f"{SPEC}the_old_version_goes_after_its_delay"),
        "scaleDownDelayRevisionLimit": works(f"{SPEC}of_the_old_versions_that_wait_only_so_many_stay"),
        "abortScaleDownDelaySeconds": works(
            f"{SPEC}an_aborted_canary_behind_a_router_goes_after_its_own_delay"
        ),
        "dynamicStableScale": differs(
            "After an abort the weight never rises again while stable grows back.",
            f"{ROUTED}dynamic_stable_scale_gives_stable_only_what_its_traffic_needs",
            f"{HERE}/test_known_wounds.py"
            "::test_abort_with_dynamic_stable_walks_down_as_stable_comes_back_and_never_up",
        ),
        "minPodsPerReplicaSet": works(
            f"{SPEC}a_routed_version_has_at_least_the_pods_that_the_strategy_asks_for"
        ),
    },
    api.PingPong: {
        "*": works(
            f"{HERE}/test_ping_pong.py::test_promotion_swaps_the_roles_and_no_selector",
            "unit/api/test_validation.py::test_routing_without_fault",
        )
    },
    api.ReplicaProgressThreshold: {
        "*": works(f"{SPEC}the_step_is_done_once_enough_of_the_canary_is_available")
    },
    api.AntiAffinity: {"*": works(APART)},
    api.PreferredAntiAffinity: {"*": works(APART)},
    api.ObjectMetadata: {"*": works(ROLES, f"{SPEC}blue_green_marks_active_and_preview_pods", TO_THE_RUN)},
    api.CanaryStep: {
        "setWeight": differs(
            "Traffic moves only once the router has accepted the weight, where it can tell.",
            f"{ROUTED}step_scales_the_canary_then_shifts_the_weight",
            f"{ROUTED}step_waits_until_the_gateway_has_accepted_the_weight",
        ),
    },
    api.Pause: {"duration": works(f"{CANARY}timed_pause_ends_by_itself")},
    api.SetCanaryScale: {
        "replicas": works(f"{ROUTED}set_canary_scale_is_apart_from_the_weight"),
        "weight matchTrafficWeight": works(
            f"{SPEC}set_canary_scale_by_weight_and_back_to_the_weight_of_the_traffic"
        ),
    },
    api.SetHeaderRoute: {
        "*": differs(
            "A route that a step made never outlives the update.",
            f"{HERE}/test_known_wounds.py::test_header_route_is_there_while_its_step_is_in_force",
            f"{HERE}/test_known_wounds.py::test_header_routes_are_never_left_behind",
        )
    },
    api.HeaderRoutingMatch: {
        "*": works(
            f"{HERE}/test_known_wounds.py::test_header_route_is_there_while_its_step_is_in_force",
            "unit/api/test_validation.py::test_alb_matches_headers_exactly",
        )
    },
    api.StringMatch: {"*": works(f"{RULES}header_values_are_written_as")},
    api.SetMirrorRoute: {
        "*": works(MIRROR, "unit/api/test_validation.py::test_the_first_error_of_a_step", REAL_ROUTERS)
    },
    api.RouteMatch: {"*": works(MIRROR, f"{RULES}a_mirror_step_that_the_rule_cannot_carry_is_refused")},
    api.PluginStep: {
        "*": differs(
            "Python plugins, registered by an entry point of the group rollouts.step_plugins. A plugin that "
            "names a Go binary is told on the Rollout, with what to do.",
            f"{PLUGINS}success_goes_on",
            f"{PLUGINS}a_go_binary_is_named_with_what_to_do",
        )
    },
    api.RolloutAnalysis: {"*": works(TO_THE_RUN)},
    api.BackgroundAnalysis: {
        "startingStep": works(f"{SPEC}the_background_analysis_starts_at_its_step"),
        "*": works(f"{ANALYSIS}background_failure_aborts", TO_THE_RUN),
    },
    api.TemplateRef: {"*": works(TO_THE_RUN, f"{ANALYSIS}missing_template_makes_the_spec_invalid")},
    api.AnalysisRunArgument: {
        "*": works(f"{ANALYSIS}step_starts_one_run_with_resolved_arguments", STEP_FIELDS)
    },
    api.ArgumentValueFrom: {"*": works(TO_THE_RUN)},
    api.FieldRef: {"*": works(TO_THE_RUN)},
    api.DryRun: {"*": works(TO_THE_RUN)},
    api.MeasurementRetention: {"*": works(TO_THE_RUN)},
    api.ExperimentStep: {"*": works(STEP_FIELDS, f"{EXPERIMENT}a_bad_outcome_aborts_the_update")},
    api.ExperimentStepTemplate: {
        "weight": works(f"{EXPERIMENT}weighed_versions_take_traffic_from_stable_while_the_experiment_runs"),
        "*": works(STEP_FIELDS),
    },
    api.ExperimentTemplateService: {"*": works(STEP_FIELDS)},
    api.ExperimentStepAnalysis: {
        "clusterScope": works(f"{EXPERIMENT}an_analysis_may_come_from_a_template_of_the_cluster"),
        "*": works(STEP_FIELDS),
    },
    api.TrafficRouting: {
        "plugins": differs(
            "argoproj-labs/gatewayAPI and rollouts.dev/weighted are answered natively, others by Python "
            "packages of the entry point group rollouts.traffic_routers. Go binaries are not run.",
            f"{ROUTED}step_scales_the_canary_then_shifts_the_weight",
            "unit/traffic/test_registry.py::test_what_nobody_answers_is_an_error",
        ),
        "maxTrafficWeight": works(f"{SPEC}the_maximum_of_the_traffic_weight_is_what_all_traffic_means"),
    },
    api.ManagedRoute: {
        "name": works(
            f"{RULES}two_steps_with_one_header_name_are_both_live_in_the_order_of_managed_routes",
            "unit/api/test_validation.py::test_scale_and_routes_may_stand_in_one_step",
        )
    },
    api.AlbRouting: {
        "annotationPrefix ingresses": works(f"{INGRESS}several_ingresses_and_another_prefix_are_written"),
        "*": works(
            f"{INGRESS}alb_writes_the_action_byte_for_byte",
            "unit/api/test_validation.py::test_routing_without_fault",
        ),
    },
    api.AlbStickiness: {
        "*": works(
            f"{INGRESS}alb_writes_the_action_byte_for_byte",
            f"{INGRESS}alb_stickiness_has_the_bounds_of_the_load_balancer",
        )
    },
    api.AmbassadorRouting: {
        "mappings": works(
            "unit/traffic/test_ambassador.py"
            "::test_the_canary_mapping_is_the_stable_one_with_another_service_and_a_weight"
        )
    },
    api.ApisixRoute: {"*": works("unit/traffic/test_apisix.py::TestApisix", REAL_ROUTERS)},
    api.AppMeshVirtualService: {
        "*": works("unit/traffic/test_app_mesh.py::test_routes_that_are_not_named_keep_their_weights")
    },
    api.AppMeshVirtualNodeGroup: {
        "*": works("unit/traffic/test_app_mesh.py::test_nodes_select_the_versions_before_weights_lead_there")
    },
    api.NameRef: {
        "*": works("unit/traffic/test_app_mesh.py::test_nodes_select_the_versions_before_weights_lead_there")
    },
    api.IstioVirtualService: {
        "*": works(
            f"{ISTIO}managed_routes_stand_first_in_their_order_and_keep_the_source",
            f"{ISTIO}several_http_routes_without_names_are_refused",
        )
    },
    api.IstioTlsRoute: {"*": works("unit/traffic/test_istio.py::TestTlsAndTcp")},
    api.IstioTcpRoute: {"*": works("unit/traffic/test_istio.py::TestTlsAndTcp")},
    api.IstioDestinationRule: {
        "additionalSubsetNames": works(f"{ISTIO}additional_subsets_keep_their_weight"),
        "*": works(f"{ISTIO}subsets_are_written_before_weights_and_carry_the_hashes"),
    },
    api.NginxRouting: {
        "annotationPrefix stableIngresses": works(
            f"{INGRESS}several_ingresses_and_another_prefix_are_written"
        ),
        "*": works(f"{INGRESS}nginx_creates_a_canary_ingress_owned_by_the_rollout"),
    },
    api.SmiRouting: {"*": works("unit/traffic/test_smi.py::test_a_missing_split_is_created_for_the_rollout")},
    api.TraefikRouting: {"*": works("unit/traffic/test_weighted.py::TestTraefik", REAL_ROUTERS)},
}

_COUNTS = works(f"{STATUS}counts_of_a_canary_are_over_all_versions_and_those_of_the_new_one")
_DURATION = works(
    f"{STATUS}an_update_tells_when_it_began",
    f"{OPERATIONS}duration_of_an_update_counts_what_people_held",
    f"{OPERATIONS}duration_tells_how_an_update_ended",
)
_RUNS = works(
    f"{STATUS}runs_under_way_are_pointed_at_with_phase_and_message",
    f"{STATUS}runs_around_the_switch_are_pointed_at",
)
_PLUGIN = works(
    f"{PLUGINS}the_status_says_when_it_was_asked_and_when_it_ended",
    f"{PLUGINS}running_is_asked_again_after_its_back_off_with_its_state",
    f"{PLUGINS}failure_aborts_and_what_ran_before_is_undone_in_the_write_that_degrades",
    f"{PLUGINS}a_disabled_plugin_is_skipped",
)
_NO_AWS = inapplicable("What AWS answers is not written here; what an older controller wrote stays as it is.")

STATUS_ROWS: Mapping[type[BaseModel], Fields] = {
    api.RolloutStatus: {
        "abort": differs(
            "A user's abort is never overwritten by a decision made before it: each write names the version "
            "that it was decided on.",
            f"{STATUS}a_user_reads_when_the_abort_was_acted_on",
            f"{HERE}/test_known_wounds.py"
            "::test_a_users_abort_is_never_overwritten_by_a_decision_made_before_it",
        ),
        "abortedAt": works(f"{STATUS}a_user_reads_when_the_abort_was_acted_on"),
        "promoteFull": works(
            f"{STATUS}the_request_for_a_full_promotion_goes_once_it_is_done",
            f"{HERE}/test_known_wounds.py::test_abort_after_full_promotion_was_asked_for_wins",
        ),
        "controllerPause phase message": works(
            f"{STATUS}a_pause_says_reason_and_moment_and_that_it_is_the_controllers"
        ),
        "currentPodHash stableRS observedGeneration currentStepIndex": works(
            f"{STATUS}versions_are_named_by_hash_and_steps_by_theirs"
        ),
        "currentStepHash": differs(
            "By the same algorithm; another controller's value is taken over and restarts no steps.",
            f"{STATUS}versions_are_named_by_hash_and_steps_by_theirs",
            f"{HERE}/test_takeover.py::test_nothing_is_created_deleted_scaled_or_moved",
        ),
        "replicas updatedReplicas readyReplicas availableReplicas": _COUNTS,
        "HPAReplicas selector": works(
            f"{STATUS}counts_of_a_canary_are_over_all_versions_and_those_of_the_new_one",
            f"{STATUS}an_autoscaler_of_a_blue_green_rollout_sees_the_active_version_alone",
        ),
        "collisionCount": works(f"{STATUS}a_name_that_is_taken_raises_the_collision_count"),
        "restartedAt": works(f"{OPERATIONS}restart_is_done_when_no_pod_is_older"),
        "workloadObservedGeneration": works(f"{OPERATIONS}a_new_image_in_the_workload_starts_an_update"),
    },
    api.PauseCondition: {
        "*": works(f"{STATUS}a_pause_says_reason_and_moment_and_that_it_is_the_controllers")
    },
    api.Condition: {
        "*": works(
            f"{STATUS}conditions_have_all_the_fields_that_the_schema_asks_for",
            "unit/api/test_conditions.py::test_another_reason_keeps_the_transition_time",
        )
    },
    api.CanaryStatus: {
        "currentExperiment": works(f"{EXPERIMENT}an_experiment_of_both_versions_is_created_and_waited_for"),
        "stablePingPong": works(f"{STATUS}ping_pong_tells_whose_turn_it_is"),
    },
    api.RunStatusRef: {"*": _RUNS},
    api.TrafficWeights: {
        "verified": differs(
            "True or false only where the router can tell; the peer leaves it out for most routers, too.",
            f"{ROUTED}step_waits_until_the_gateway_has_accepted_the_weight",
            f"{ROUTED}after_a_restart_a_weight_that_was_in_force_is_not_doubted_again",
        ),
    },
    api.WeightDestination: {
        "*": works(
            f"{STATUS}weights_name_service_and_version_on_both_sides",
            f"{EXPERIMENT}weighed_versions_take_traffic_from_stable_while_the_experiment_runs",
        )
    },
    api.StepPluginStatus: {"*": _PLUGIN},
    api.BlueGreenStatus: {
        "*": works(f"{STATUS}blue_green_tells_what_both_services_select_and_that_the_check_point_is_passed")
    },
    api.AlbStatus: {"*": _NO_AWS},
    api.AlbTargetGroup: {"*": _NO_AWS},
    api.DurationStatus: {"*": _DURATION},
}
