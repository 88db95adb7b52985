"""What is said about the fields of an Experiment."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from rollouts.api.argoproj import experiment as api
from tests.compat.verdicts import Fields, differs, works

VERSIONS = "unit/controllers/experiment/test_versions.py::test_"
ANALYSES = "unit/controllers/experiment/test_analyses.py::test_"
ARGUMENTS = works(f"{ANALYSES}arguments_come_from_fields_and_secrets_too")
POINTED = works(f"{ANALYSES}analyses_start_only_when_all_versions_are_available")

EXPERIMENT_ROWS: Mapping[type[BaseModel], Fields] = {
    api.ExperimentSpec: {
        "duration": works(f"{ANALYSES}the_duration_stops_what_is_not_required_and_waits_for_what_is"),
        "progressDeadlineSeconds": works(
            f"{VERSIONS}a_version_without_progress_for_the_deadline_fails_the_experiment"
        ),
        "terminate": works(f"{VERSIONS}without_duration_and_required_analyses_it_runs_until_terminated"),
        "scaleDownDelaySeconds": works(f"{VERSIONS}pods_outlive_the_end_by_the_delay"),
    },
    api.ExperimentTemplate: {
        "name replicas template selector": works(
            f"{VERSIONS}every_template_gets_a_replica_set_that_says_whose_it_is"
        ),
        "minReadySeconds": works(
            "unit/controllers/rollout/test_experiment.py"
            "::test_an_experiment_of_both_versions_is_created_and_waited_for"
        ),
    },
    api.ExperimentAnalysis: {
        "requiredForCompletion": works(
            f"{ANALYSES}required_analyses_that_succeed_end_it_before_its_duration_is_over"
        ),
        "clusterScope": works(f"{ANALYSES}a_template_may_be_the_clusters"),
        "*": works(
            "unit/controllers/rollout/test_experiment.py::test_the_steps_fields_reach_the_experiment",
            f"{ANALYSES}a_template_that_does_not_come_is_an_error",
        ),
    },
    api.ExperimentArgument: {"*": works(f"{ANALYSES}arguments_can_name_versions_and_times")},
    api.ExperimentArgumentSource: {"*": ARGUMENTS},
    api.SecretKeyRef: {"*": ARGUMENTS},
    api.ExperimentStatus: {
        "phase message availableAt": works(f"{VERSIONS}it_runs_once_all_versions_have_all_pods"),
    },
    api.TemplateStatus: {
        "collisionCount podTemplateHash": works(
            f"{VERSIONS}two_versions_with_the_same_pods_have_hashes_of_their_own"
        ),
        "lastTransitionTime": works(f"{VERSIONS}a_version_says_since_when_it_is_where_it_is"),
        "serviceName": differs(
            "A name that a stale write lost comes back.",
            f"{VERSIONS}a_service_name_that_a_stale_write_lost_comes_back",
        ),
        "*": works(f"{VERSIONS}it_runs_once_all_versions_have_all_pods"),
    },
    api.ExperimentAnalysisRunStatus: {"*": POINTED},
}
