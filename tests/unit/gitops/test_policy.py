"""What an AppProject allows."""

from typing import Any

import pytest

from rollouts.api.argoproj.application import ApplicationSpec, Destination
from rollouts.api.argoproj.appproject import AppProjectSpec
from rollouts.gitops.policy.project import (
    IN_CLUSTER_SERVER,
    application_violations,
    object_violation,
    permits_destination,
    permits_repository,
)
from rollouts.kube.objects import CONFIGMAPS, NAMESPACES, SECRETS, Resource

HERE = Destination(server=IN_CLUSTER_SERVER, namespace="ns")
OPEN = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}


def rules(**spec: Any) -> AppProjectSpec:
    return AppProjectSpec.model_validate({**OPEN, **spec})


@pytest.mark.parametrize(
    ("patterns", "url", "permitted"),
    [
        (["*"], "https://h/a/b", True),
        ([], "https://h/a/b", False),
        (["https://h/a/*"], "https://h/a/b.git", True),
        (["https://h/a/*"], "https://h/a/b/c", False),
        (["https://h/a/**"], "https://h/a/b/c", True),
        (["https://h/a/b"], "https://H/a/b.git", True),
        (["*", "!https://h/a/*"], "https://h/a/b", False),
        (["https://h/a"], "https://h/ab", False),
    ],
)
def test_repositories(patterns: list[str], url: str, permitted: bool) -> None:
    assert permits_repository(rules(sourceRepos=patterns), url) is permitted


@pytest.mark.parametrize(
    ("listed", "namespace", "permitted"),
    [
        ([{"server": "*", "namespace": "*"}], "ns", True),
        ([], "ns", False),
        ([{"server": IN_CLUSTER_SERVER, "namespace": "team-*"}], "team-a", True),
        ([{"server": IN_CLUSTER_SERVER, "namespace": "team-*"}], "ns", False),
        ([{"name": "in-cluster", "namespace": "*"}], "ns", True),
        ([{"server": "https://other", "namespace": "*"}], "ns", False),
        (
            [{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-system"}],
            "kube-system",
            False,
        ),
    ],
)
def test_destinations(listed: list[dict[str, str]], namespace: str, permitted: bool) -> None:
    assert permits_destination(rules(destinations=listed), HERE, namespace) is permitted


@pytest.mark.parametrize(
    ("spec", "resource", "namespace", "words"),
    [
        ({}, CONFIGMAPS, "ns", ""),
        ({}, NAMESPACES, "", "it is cluster-scoped"),
        ({"clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}]}, NAMESPACES, "", ""),
        (
            {"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "b*"}]},
            NAMESPACES,
            "",
            "cluster",
        ),
        (
            {
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                "clusterResourceBlacklist": [{"group": "", "kind": "Namespace"}],
            },
            NAMESPACES,
            "",
            "not permitted",
        ),
        ({"namespaceResourceWhitelist": []}, CONFIGMAPS, "ns", "not permitted"),
        ({"namespaceResourceWhitelist": [{"group": "", "kind": "Config*"}]}, CONFIGMAPS, "ns", ""),
        ({"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}, SECRETS, "ns", "not permitted"),
        ({"destinations": [{"server": "*", "namespace": "ns"}]}, CONFIGMAPS, "elsewhere", "do not match any"),
    ],
)
def test_objects(spec: dict[str, Any], resource: Resource, namespace: str, words: str) -> None:
    found = object_violation("team", rules(**spec), HERE, resource, namespace, "a")
    assert (words in found) if words else found == ""


def test_an_application_elsewhere_needs_the_projects_leave() -> None:
    spec = ApplicationSpec.model_validate(
        {"source": {"repoURL": "https://h/a"}, "destination": HERE.manifest()}
    )
    assert application_violations("team", rules(), spec, "argocd", "argocd") == ()
    refused = application_violations("team", rules(), spec, "tenant", "argocd")
    assert "spec.sourceNamespaces" in refused[0]
    assert application_violations("team", rules(sourceNamespaces=["ten*"]), spec, "tenant", "argocd") == ()


def test_every_violation_is_told_and_no_password() -> None:
    spec = ApplicationSpec.model_validate(
        {
            "source": {"repoURL": "https://u:hunter2@h/a"},
            "destination": {"server": "https://x", "namespace": "n"},
        }
    )
    found = application_violations("team", AppProjectSpec(), spec, "argocd", "argocd")
    assert len(found) == 2
    assert "hunter2" not in " ".join(found)
