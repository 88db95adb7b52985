"""AppProject rules as checks that answer what is wrong, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

from rollouts.api.argoproj.application import ApplicationSpec, Destination
from rollouts.api.argoproj.appproject import AppProjectSpec, GroupKind, NamedGroupKind
from rollouts.gitops.source.address import canonical, redact
from rollouts.kube.objects import Resource

IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
IN_CLUSTER_NAME = "in-cluster"


def application_violations(
    project: str, rules: AppProjectSpec, spec: ApplicationSpec, namespace: str, control_namespace: str
) -> tuple[str, ...]:
    """Return why the project does not admit the Application at all; () when it does."""
    found = []
    if namespace != control_namespace and not _any(rules.source_namespaces, namespace):
        found.append(
            f"application in namespace {namespace!r} is not permitted to use project {project!r}: add the "
            "namespace to the project's spec.sourceNamespaces"
        )
    for source in spec.sources or ((spec.source,) if spec.source else ()):
        if not permits_repository(rules, source.repo_url):
            found.append(
                f"application repo {redact(source.repo_url)} is not permitted in project {project!r}: add "
                "it to the project's spec.sourceRepos"
            )
    if not permits_destination(rules, spec.destination, spec.destination.namespace):
        found.append(_destination_denied(project, spec.destination, spec.destination.namespace))
    return tuple(found)


def object_violation(
    project: str,
    rules: AppProjectSpec,
    destination: Destination,
    resource: Resource,
    namespace: str,
    name: str,
) -> str:
    """Return why the project does not admit an object; "" when it does."""
    group_kind = f"{resource.group}:{resource.kind}"
    if not resource.namespaced:
        allowed = any(_names(item, resource, name) for item in rules.cluster_resource_whitelist)
        if not allowed or any(_names(item, resource, name) for item in rules.cluster_resource_blacklist):
            return (
                f"resource {group_kind} is not permitted in project {project}: it is cluster-scoped; allow "
                "it in the project's spec.clusterResourceWhitelist (and not in clusterResourceBlacklist), or "
                "remove it from the repository"
            )
        return ""
    whitelist = rules.namespace_resource_whitelist
    listed = whitelist is None or any(_is(item, resource) for item in whitelist)
    if not listed or any(_is(item, resource) for item in rules.namespace_resource_blacklist):
        return (
            f"resource {group_kind} is not permitted in project {project}: allow it in the project's "
            "spec.namespaceResourceWhitelist (and not in namespaceResourceBlacklist), or remove it from the "
            "repository"
        )
    if not permits_destination(rules, destination, namespace):
        return _destination_denied(project, destination, namespace)
    return ""


def permits_repository(rules: AppProjectSpec, url: str) -> bool:
    """Tell whether the project may read a repository."""
    wanted = canonical(url)
    allowed = False
    for pattern in rules.source_repos:
        if pattern.startswith("!"):
            if _glob(canonical(pattern[1:]), wanted):
                return False
        elif pattern == "*" or _glob(canonical(pattern), wanted):
            allowed = True
    return allowed


def permits_destination(rules: AppProjectSpec, destination: Destination, namespace: str) -> bool:
    """Tell whether the project may write to a namespace of a cluster."""
    server = destination.server or (IN_CLUSTER_SERVER if destination.name == IN_CLUSTER_NAME else "")
    name = destination.name or (IN_CLUSTER_NAME if server == IN_CLUSTER_SERVER else "")
    allowed = False
    for rule in rules.destinations:
        denied = rule.server.startswith("!") or rule.namespace.startswith("!") or rule.name.startswith("!")
        place = (rule.server and fnmatchcase(server, rule.server.lstrip("!"))) or (
            rule.name and fnmatchcase(name, rule.name.lstrip("!"))
        )
        if place and fnmatchcase(namespace, rule.namespace.lstrip("!")):
            if denied:
                return False
            allowed = True
    return allowed


def _destination_denied(project: str, destination: Destination, namespace: str) -> str:
    where = destination.server or destination.name
    return (
        f"application destination server {where!r} and namespace {namespace!r} do not match any of the "
        f"allowed destinations in project {project!r}: add them to the project's spec.destinations"
    )


def _is(item: GroupKind, resource: Resource) -> bool:
    return fnmatchcase(resource.group, item.group) and fnmatchcase(resource.kind, item.kind)


def _names(item: NamedGroupKind, resource: Resource, name: str) -> bool:
    return _is(item, resource) and (not item.name or fnmatchcase(name, item.name))


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """Return the rule of a URL glob: ``*`` stops at ``/``, ``**`` does not."""
    parts = re.split(r"(\*\*|\*|\?)", glob)
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts))


def _glob(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None
