"""What is said about the fields of analysis templates and runs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from analysis.spec import objects, providers, status
from tests.compat.verdicts import Fields, differs, untested, works

MACHINE = "unit/analysis/run/test_machine.py::test_"
TEMPLATES = "unit/analysis/spec/test_templates.py::test_"
RUNS = "unit/controllers/analysisrun/test_controller.py::test_"
ASKED = "unit/analysis/providers"
PROMETHEUS = f"{ASKED}/test_prometheus.py::test_"
WEB = f"{ASKED}/test_web.py::test_"
CLOUD_WATCH = f"{ASKED}/test_cloudwatch.py::test_"
DATADOG = f"{ASKED}/test_datadog.py::test_"
KAYENTA = f"{ASKED}/test_kayenta.py::test_"

LIMITS = f"{MACHINE}a_metric_ends_by_its_limits"
JUDGED = works(f"{KAYENTA}a_judgement_is_started_and_looked_at_after_15_seconds")
QUERY = works(f"{CLOUD_WATCH}the_request_is_the_documented_form_and_is_signed")
RULES = works(f"{TEMPLATES}rules_of_rollout_and_templates_are_put_together")
SECRET = works(
    f"{TEMPLATES}a_run_argument_replaces_a_secret_reference",
    f"{RUNS}a_secret_is_read_for_each_measurement_and_shown_nowhere",
)

ANALYSIS_ROWS: Mapping[type[BaseModel], Fields] = {
    objects.Metric: {
        "name": works(f"{TEMPLATES}two_metrics_of_one_name_are_an_error"),
        "interval initialDelay": works(f"{MACHINE}measurements_come_at_their_moments"),
        "count": works(LIMITS, f"{MACHINE}count_and_limits_may_come_from_arguments"),
        "successCondition failureCondition": works(
            "unit/analysis/conditions/test_conditions.py::test_two_conditions_give_one_phase",
            f"{ASKED}/test_runner.py::test_a_metric_with_both_conditions_is_judged_by_both",
        ),
        "*": works(LIMITS),
    },
    providers.MetricProvider: {
        "plugin": differs(
            "Python plugins, and rollouts.dev/canary natively; Go binaries are not run.",
            f"{ASKED}/test_runner.py::test_an_unknown_plugin_is_named",
            "unit/controllers/analysisrun/test_judge.py::test_a_wrong_configuration_ends_the_run_and_names_the_field",
        ),
    },
    providers.PrometheusMetric: {
        "address query": works(f"{PROMETHEUS}an_instant_query_is_posted_as_a_form"),
        "timeout": works(f"{PROMETHEUS}a_slow_backend_ends_by_the_timeout"),
        "insecure": differs(
            "A metric cannot switch off what the operator's connection file says about TLS.",
            f"{ASKED}/test_connections.py::test_a_metric_cannot_switch_off_what_the_operator_verifies",
        ),
        "*": works(f"{PROMETHEUS}a_wrong_configuration_names_its_field"),
    },
    providers.RangeQuery: {"*": works(f"{PROMETHEUS}a_range_query_evaluates_its_bounds")},
    providers.Sigv4: {
        "*": works(
            f"{ASKED}/test_connections.py::test_prometheus_is_asked_with_a_signature_for_aps",
            f"{CLOUD_WATCH}a_role_is_assumed_with_signed_keys_of_the_environment",
            f"{CLOUD_WATCH}a_profile_is_read_from_the_credentials_file",
        )
    },
    providers.OAuth2: {"*": works(f"{PROMETHEUS}an_oauth2_token_is_fetched_once_and_sent")},
    providers.BasicAuth: {"*": works(f"{PROMETHEUS}basic_authentication_is_sent")},
    providers.Header: {"*": works(f"{WEB}a_json_body_is_posted_with_its_content_type")},
    providers.WebMetric: {
        "method url jsonBody": works(f"{WEB}a_json_body_is_posted_with_its_content_type"),
        "body": works(f"{WEB}a_text_body_is_put_as_it_is"),
        "jsonPath": works(f"{WEB}the_first_hit_of_the_path_is_measured"),
        "timeoutSeconds": works(f"{WEB}a_request_gets_the_timeout_of_the_metric"),
        "insecure": differs(
            "A metric cannot switch off what the operator's connection file says about TLS.",
            f"{ASKED}/test_connections.py::test_a_metric_cannot_switch_off_what_the_operator_verifies",
        ),
    },
    providers.JobMetric: {
        "*": works(
            f"{ASKED}/test_job.py::test_a_job_is_created_with_upstreams_name_and_marks",
            f"{RUNS}a_job_decides_the_moment_it_ends",
        )
    },
    providers.DatadogMetric: {
        "query interval": works(f"{DATADOG}v1_takes_the_last_point_of_the_window"),
        "queries formula": works(f"{DATADOG}v2_queries_are_put_together_by_the_formula"),
        "apiVersion aggregator": works(f"{DATADOG}v2_asks_for_a_scalar_with_the_last_point_by_default"),
        "requestTimeout": works(f"{DATADOG}the_request_timeout_of_the_metric_holds"),
    },
    providers.SecretRef: {
        "*": works(f"{DATADOG}credentials_are_looked_for_in_the_documented_order"),
    },
    providers.NewRelicMetric: {
        "query": works(f"{ASKED}/test_newrelic.py::test_one_row_is_a_map"),
        "profile": works(f"{ASKED}/test_newrelic.py::test_a_profile_that_is_not_complete_is_named"),
        "timeout": works(f"{ASKED}/test_newrelic.py::test_a_timeout_below_a_second_is_refused"),
    },
    providers.AddressAndQuery: {
        "*": works(
            f"{ASKED}/test_wavefront.py::test_one_series_is_the_point_closest_to_now",
            f"{ASKED}/test_graphite.py::test_points_are_a_list_without_gaps",
        )
    },
    providers.InfluxdbMetric: {
        "query": works(f"{ASKED}/test_influxdb.py::test_records_of_all_tables_are_one_list"),
        "profile": works(f"{ASKED}/test_influxdb.py::test_a_profile_without_org_is_named"),
    },
    providers.SkyWalkingMetric: {
        "interval": works(f"{ASKED}/test_skywalking.py::test_the_interval_is_the_window"),
        "*": works(f"{ASKED}/test_skywalking.py::test_the_data_are_measured_as_they_are"),
    },
    providers.CloudWatchMetric: {"*": QUERY},
    providers.CloudWatchQuery: {"*": QUERY},
    providers.CloudWatchStat: {"*": QUERY},
    providers.CloudWatchMetricName: {"*": QUERY},
    providers.CloudWatchDimension: {"*": QUERY},
    providers.KayentaMetric: {"lookback": untested("Kept, but nothing acts on it."), "*": JUDGED},
    providers.KayentaThreshold: {"*": works(f"{KAYENTA}the_score_is_held_against_both_thresholds")},
    providers.KayentaScope: {"*": JUDGED},
    providers.KayentaScopeDetail: {"*": JUDGED},
    objects.Argument: {
        "*": works(f"{TEMPLATES}a_run_argument_overrides_the_template_default_and_unknown_ones_are_dropped")
    },
    objects.ArgumentValueFrom: {},
    objects.SecretKeyRef: {"*": SECRET},
    objects.FieldRef: {
        "fieldPath": works(
            "unit/controllers/rollout/test_spec_fields.py"
            "::test_rules_metadata_and_fields_of_the_rollout_reach_the_run"
        )
    },
    objects.DryRun: {
        "*": works(
            f"{MACHINE}a_failing_dry_run_metric_does_not_decide_and_says_what_it_would_have_done",
            f"{TEMPLATES}rules_of_rollout_and_templates_are_put_together",
        )
    },
    objects.MeasurementRetention: {
        "*": works(
            f"{MACHINE}old_measurements_are_dropped_and_counters_stay",
            f"{TEMPLATES}rules_of_rollout_and_templates_are_put_together",
        )
    },
    objects.TemplateRef: {"*": works(f"{TEMPLATES}nested_templates_are_walked_breadth_first_and_once")},
    objects.AnalysisRunSpec: {
        "terminate": works(f"{RUNS}termination_ends_a_run_as_successful_and_stops_asking"),
    },
    objects.TtlStrategy: {
        "*": works(
            f"{MACHINE}a_finished_run_lives_as_long_as_its_strategy_says",
            f"{RUNS}a_finished_run_is_deleted_when_its_time_is_over",
        )
    },
    status.AnalysisRunStatus: {
        "phase": works(f"{MACHINE}the_run_has_the_worst_phase_of_its_metrics"),
        "message": works(f"{MACHINE}the_run_says_why_in_upstreams_words"),
        "startedAt completedAt": works(f"{RUNS}upstreams_crd_keeps_the_whole_status"),
    },
    status.MetricResult: {"*": works(f"{RUNS}upstreams_crd_keeps_the_whole_status", LIMITS)},
    status.Measurement: {
        "resumeAt metadata": works(
            f"{ASKED}/test_job.py::test_a_running_job_is_looked_at_ever_more_rarely",
            f"{MACHINE}a_job_is_resumed_when_it_says_so_and_counted_once",
        ),
        "*": works(
            f"{RUNS}upstreams_crd_keeps_the_whole_status",
            f"{ASKED}/test_runner.py::test_a_value_is_judged_and_stamped",
        ),
    },
    status.RunSummary: {
        "*": works(
            f"{RUNS}upstreams_crd_keeps_the_whole_status",
            f"{MACHINE}a_failing_dry_run_metric_does_not_decide_and_says_what_it_would_have_done",
        )
    },
}
