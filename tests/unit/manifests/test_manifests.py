"""The shipped manifests: they build, grant little, and run hardened."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.settings import PREFIX, Settings

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "manifests"
COMPONENTS = sorted(
    str(path.parent.relative_to(MANIFESTS / "components"))
    for path in (MANIFESTS / "components").rglob("kustomization.yaml")
)
BUILDS = ["cluster", "namespaced", *(f"components/{name}" for name in COMPONENTS)]
ROLES = ("Role", "ClusterRole")

Objects = list[dict[str, Any]]


def kustomize(directory: Path) -> str:
    kubectl = Path(sys.executable).parent / "kubectl"
    if not kubectl.exists():
        pytest.skip("no kubectl in the virtual environment; `make setup` installs it")
    done = subprocess.run([kubectl, "kustomize", directory], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def built(name: str) -> Objects:
    """Return the objects of a build; a component is read as its own files."""
    if name.startswith("components/"):
        files = sorted((MANIFESTS / name).glob("*.yaml"))
        texts = [f.read_text() for f in files if f.name != "kustomization.yaml"]
        return [obj for text in texts for obj in yaml.safe_load_all(text) if obj]
    return list(yaml.safe_load_all(kustomize(MANIFESTS / name)))


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [obj for obj in objects if obj["kind"] in kinds]


def rules() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name in BUILDS:
        for role in of_kind(built(name), *ROLES):
            found += [(f"{name}/{role['metadata']['name']}", rule) for rule in role["rules"]]
    return found


def workloads() -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, obj["spec"]["template"]["spec"])
        for name in BUILDS
        for obj in of_kind(built(name), "Deployment")
    ]


def test_install_yaml_is_what_the_cluster_variant_builds() -> None:
    built_now = kustomize(MANIFESTS / "cluster")
    assert (MANIFESTS / "install.yaml").read_text() == built_now, "run `make manifests` and commit the result"


def test_all_components_build_together_on_the_cluster_variant(tmp_path: Path) -> None:
    target = tmp_path / "overlay"
    target.mkdir()
    # kustomize takes relative paths only
    up = Path(*[".."] * len(target.resolve().parts[1:])) / MANIFESTS.resolve().relative_to("/")
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "delivery",
        "resources": [str(up / "cluster")],
        "components": [str(up / "components" / name) for name in COMPONENTS],
    }
    (target / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    objects = list(yaml.safe_load_all(kustomize(target)))
    assert len(of_kind(objects, "Deployment")) == 2
    subjects = [s for obj in of_kind(objects, "RoleBinding", "ClusterRoleBinding") for s in obj["subjects"]]
    assert {s["namespace"] for s in subjects} == {"delivery"}


def test_no_rule_has_a_wildcard_or_escalates() -> None:
    assert rules()
    for name, rule in rules():
        for part in ("apiGroups", "resources", "verbs"):
            assert "*" not in rule[part], name
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), name
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"], name


def test_the_delivery_role_reads_single_secrets_and_writes_none() -> None:
    found = [
        (name, rule) for name, rule in rules() if "secrets" in rule["resources"] and "git-sync" not in name
    ]
    assert [rule["verbs"] for _, rule in found] == [["get"], ["get"]]


def test_git_sync_reads_secrets_in_its_own_namespace_only() -> None:
    roles = of_kind(built("components/git-sync"), *ROLES)
    holders = [role["kind"] for role in roles for rule in role["rules"] if "secrets" in rule["resources"]]
    assert holders == ["Role"]


def test_the_namespaced_variant_has_nothing_cluster_wide() -> None:
    objects = built("namespaced")
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    assert {obj["metadata"]["namespace"] for obj in objects} == {"argo-rollouts"}
    (deployment,) = of_kind(objects, "Deployment")
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[-1]["name"] == "ROLLOUTS_SETTING_NAMESPACE"


def test_every_setting_in_the_environment_is_one_that_the_controller_knows() -> None:
    fields = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    given: list[str] = []
    for _, pod in workloads():
        given += [each["name"] for each in pod["containers"][0]["env"] if each["name"].startswith(PREFIX)]
    assert set(given) == {f"{PREFIX}ROLES", f"{PREFIX}NAMESPACE"}
    assert set(given) <= fields


@pytest.mark.parametrize("variant", ["cluster", "namespaced"])
def test_every_binding_leads_to_a_role_and_an_account_that_exist(variant: str) -> None:
    objects = built(variant)
    roles = {(obj["kind"], obj["metadata"]["name"]) for obj in of_kind(objects, *ROLES)}
    accounts = {obj["metadata"]["name"] for obj in of_kind(objects, "ServiceAccount")}
    bindings = of_kind(objects, "RoleBinding", "ClusterRoleBinding")
    assert len(bindings) == 4
    for binding in bindings:
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles
        assert {subject["name"] for subject in binding["subjects"]} <= accounts
        assert {subject["namespace"] for subject in binding["subjects"]} == {"argo-rollouts"}


def test_every_workload_is_hardened() -> None:
    found = workloads()
    assert len(found) == 3
    for name, pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["serviceAccountName"] != "default", name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert not any("hostPath" in volume for volume in pod["volumes"]), name
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert "memory" in container["resources"]["limits"], name


def test_every_workload_is_probed_and_measured() -> None:
    for name, pod in workloads():
        (container,) = pod["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"health": 8080, "metrics": 8090}, name
        assert container["livenessProbe"]["httpGet"]["port"] == "health", name
        assert container["readinessProbe"]["httpGet"]["port"] == "health", name


def test_each_role_has_an_account_of_its_own() -> None:
    (delivery,) = of_kind(built("cluster"), "ServiceAccount")
    (git,) = of_kind(built("components/git-sync"), "ServiceAccount")
    assert delivery["metadata"]["name"] != git["metadata"]["name"]


def test_the_image_installs_by_hash_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert "--require-hashes" in text
    assert "requirements/run.txt" in text
    users = re.findall(r"^USER (\d+)", text, re.MULTILINE)
    assert users == ["65532"]
