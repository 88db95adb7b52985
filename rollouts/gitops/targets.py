"""From rendered manifests to the objects that an Application wants in the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rollouts.gitops.diff.normalise import normalised
from rollouts.gitops.diff.shape import with_shape
from rollouts.gitops.diff.tracking import Method, group_of, mark
from rollouts.gitops.plan.order import Phase, hook_phases, hooks_of, is_unknown_hook, wave_of
from rollouts.gitops.render.directory import Origin, Rendered
from rollouts.kube.api import ServedResource
from rollouts.kube.objects import Manifest, ObjectKey, Resource, name_of, namespace_of

GroupVersionKind = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One object as the commit wants it. ``phases`` is () for an ordinary object and for idle hooks."""

    key: ObjectKey
    manifest: Manifest
    origin: Origin
    wave: int = 0
    is_hook: bool = False
    phases: tuple[Phase, ...] = ()
    problem: str = ""
    """Why it cannot be applied at all; "" when it can."""
    served: bool = True


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that people should know about the rendered objects, as an Argo CD condition."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Targets:
    """All objects of a commit, each key once."""

    objects: tuple[Target, ...] = ()
    warnings: tuple[Warned, ...] = ()
    by_key: Mapping[ObjectKey, Target] = field(default_factory=dict)

    def resources(self) -> frozenset[Resource]:
        """Return the resources that the server serves and that these objects need."""
        return frozenset(target.key.resource for target in self.objects if target.served)


class Served:
    """What the API server serves, by group, version and kind."""

    def __init__(self, rows: Iterable[ServedResource]) -> None:
        self._by_kind: dict[GroupVersionKind, Resource] = {}
        self._latest: dict[tuple[str, str], Resource] = {}
        for row in rows:
            resource = row.resource
            self._by_kind.setdefault((resource.group, resource.version, resource.kind), resource)
            if "list" in row.verbs:
                self._latest.setdefault((resource.group, resource.kind), resource)

    def find(self, group: str, version: str, kind: str) -> Resource | None:
        """Return the resource of a kind in this version."""
        return self._by_kind.get((group, version, kind))

    def preferred(self, group: str, kind: str) -> Resource | None:
        """Return the resource of a kind in the server's preferred version."""
        return self._latest.get((group, kind))


def build(
    rendered: Sequence[Rendered],
    served: Served,
    *,
    instance: str,
    namespace: str,
    method: Method = "annotation",
) -> Targets:
    """Return the wanted objects, normalised, marked as the Application's, each with its shape noted.

    Of an object that occurs twice the last one counts, with a warning.
    """
    defined = _defined(rendered)
    found: dict[ObjectKey, Target] = {}
    warnings: list[Warned] = []
    for one in rendered:
        target = _target(one, served, defined, instance, namespace, method)
        if target.key in found:
            warnings.append(_repeated(target, found.pop(target.key)))
        found[target.key] = target
    ordered = tuple(found[key] for key in sorted(found, key=_order))
    return Targets(ordered, tuple(warnings), found)


def _order(key: ObjectKey) -> tuple[str, str, str, str]:
    return key.resource.group, key.resource.kind, key.namespace, key.name


def _repeated(target: Target, earlier: Target) -> Warned:
    return Warned(
        "RepeatedResourceWarning",
        f"Resource {target.key.resource.group}/{target.key.resource.kind}/{target.key.namespace}/"
        f"{target.key.name} appeared 2 times among application resources: in {earlier.origin} and in "
        f"{target.origin}; the last one is used. Remove one of them",
    )


def _target(
    one: Rendered,
    served: Served,
    defined: Mapping[GroupVersionKind, Resource],
    instance: str,
    namespace: str,
    method: Method,
) -> Target:
    group = group_of(one.manifest)
    version = str(one.manifest["apiVersion"]).rpartition("/")[2]
    kind = str(one.manifest["kind"])
    resource = served.find(group, version, kind)
    known = resource or defined.get((group, version, kind))
    problem = "" if known else _not_served(one, served.preferred(group, kind))
    use = known or Resource(group, version, f"{kind.lower()}s", kind)
    obj = normalised(one.manifest, namespaced=use.namespaced, namespace=namespace)
    if use.namespaced and not namespace_of(obj):
        problem = problem or (
            f"{one.origin}: {kind} {name_of(obj)} names no namespace and the Application has none; set "
            "spec.destination.namespace or metadata.namespace"
        )
    if is_unknown_hook(obj):
        problem = problem or (
            f"{one.origin}: annotation argocd.argoproj.io/hook names an unknown hook type: "
            f"{', '.join(hooks_of(obj))}; wanted PreSync, Sync, PostSync, SyncFail or Skip"
        )
    return Target(
        key=ObjectKey(use, namespace_of(obj), name_of(obj)),
        manifest=with_shape(mark(obj, instance, method)),
        origin=one.origin,
        wave=wave_of(obj),
        is_hook=bool(hooks_of(obj)),
        phases=hook_phases(obj),
        problem=problem,
        served=resource is not None,
    )


def _not_served(one: Rendered, other: Resource | None) -> str:
    seen = f"{one.origin}: the API server does not serve {one.manifest['apiVersion']} {one.manifest['kind']}"
    if other is not None:
        return f"{seen}, but {other.api_version}; change apiVersion"
    return f"{seen}; install its CustomResourceDefinition, or correct apiVersion and kind"


def _defined(rendered: Sequence[Rendered]) -> Mapping[GroupVersionKind, Resource]:
    """Return the resources that CustomResourceDefinitions among the objects will bring."""
    found: dict[GroupVersionKind, Resource] = {}
    for one in rendered:
        if one.manifest.get("kind") != "CustomResourceDefinition":
            continue
        spec = one.manifest.get("spec") or {}
        names = spec.get("names") or {}
        for version in spec.get("versions") or ():
            key = (str(spec.get("group", "")), str(version.get("name", "")), str(names.get("kind", "")))
            found[key] = Resource(
                key[0], key[1], str(names.get("plural", "")), key[2], spec.get("scope") == "Namespaced"
            )
    return found
