"""What the embedded API server serves: the built-in resources, and how custom ones join them.

Pure. A ``ResourceType`` is one resource in one version with everything that requests need to know about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rollouts.embedded.builtin_shapes import shape_of
from rollouts.embedded.failures import no_such_path
from rollouts.embedded.schema import Schema
from rollouts.embedded.shapes import Shape, from_schema
from rollouts.kube import objects
from rollouts.kube.objects import Resource

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
METADATA_FIELDS = frozenset({"metadata.name", "metadata.namespace"})


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the scale subresource finds its three values; paths are split at dots."""

    spec_replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] | None = ("spec", "selector")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One served resource in one version."""

    resource: Resource
    singular: str
    shape: Shape
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    status: bool = False
    scale: ScalePaths | None = None
    subresources: tuple[str, ...] = ()
    schema: Schema | None = None
    columns: tuple[Mapping[str, Any], ...] = ()
    generation: bool = True
    unconditional_update: bool = True
    selectable: frozenset[str] = METADATA_FIELDS
    custom: bool = False
    list_kind: str = ""

    @property
    def group(self) -> str:
        """Return the API group ("" is core)."""
        return self.resource.group

    @property
    def plural(self) -> str:
        """Return the resource's name in URLs."""
        return self.resource.plural

    @property
    def kind(self) -> str:
        """Return the objects' kind."""
        return self.resource.kind

    @property
    def api_version(self) -> str:
        """Return group/version."""
        return self.resource.api_version

    @property
    def namespaced(self) -> bool:
        """Tell whether objects live in namespaces."""
        return self.resource.namespaced

    def served_subresources(self) -> tuple[str, ...]:
        """Return the names of all subresources."""
        own = (("status",) if self.status else ()) + (("scale",) if self.scale else ())
        return own + self.subresources


def _builtin(resource: Resource, *short: str, **traits: Any) -> ResourceType:
    selectable = METADATA_FIELDS | frozenset(traits.pop("fields", ()))
    return ResourceType(
        resource=resource,
        singular=resource.kind.lower(),
        shape=shape_of(resource.kind),
        short_names=short,
        selectable=selectable,
        list_kind=resource.kind + "List",
        **traits,
    )


_ALL = ("all",)
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "type",
)
_REVIEW: Mapping[str, Any] = {"verbs": ("create",), "generation": False}


def _rbac(plural: str, kind: str, *, namespaced: bool) -> ResourceType:
    resource = Resource("rbac.authorization.k8s.io", "v1", plural, kind, namespaced)
    return _builtin(resource, generation=False)


BUILTINS: tuple[ResourceType, ...] = (
    _builtin(objects.NAMESPACES, "ns", status=True, generation=False, fields=("status.phase", "name")),
    _builtin(objects.NODES, "no", status=True, generation=False, fields=("spec.unschedulable",)),
    _builtin(
        objects.PODS,
        "po",
        status=True,
        subresources=("eviction", "binding"),
        categories=_ALL,
        fields=_POD_FIELDS,
    ),
    _builtin(
        objects.SERVICES,
        "svc",
        status=True,
        generation=False,
        categories=_ALL,
        fields=("spec.clusterIP", "spec.type"),
    ),
    _builtin(Resource("", "v1", "endpoints", "Endpoints"), "ep", generation=False),
    _builtin(objects.SECRETS, generation=False, fields=("type",)),
    _builtin(objects.CONFIGMAPS, "cm", generation=False),
    _builtin(Resource("", "v1", "serviceaccounts", "ServiceAccount"), "sa", generation=False),
    _builtin(objects.EVENTS, "ev", generation=False, fields=_EVENT_FIELDS),
    _builtin(
        objects.REPLICASETS,
        "rs",
        status=True,
        scale=ScalePaths(),
        categories=_ALL,
        fields=("status.replicas",),
    ),
    _builtin(objects.DEPLOYMENTS, "deploy", status=True, scale=ScalePaths(), categories=_ALL),
    _builtin(objects.JOBS, status=True, categories=_ALL, fields=("status.successful",)),
    _builtin(objects.ENDPOINT_SLICES),
    _builtin(objects.LEASES, generation=False, unconditional_update=False),
    _builtin(
        Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
        "pdb",
        status=True,
        unconditional_update=False,
    ),
    _rbac("roles", "Role", namespaced=True),
    _rbac("rolebindings", "RoleBinding", namespaced=True),
    _rbac("clusterroles", "ClusterRole", namespaced=False),
    _rbac("clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    _builtin(Resource("networking.k8s.io", "v1", "ingresses", "Ingress"), "ing", status=True),
    _builtin(objects.CRDS, "crd", "crds", status=True, unconditional_update=False),
    _builtin(
        Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
        **_REVIEW,
    ),
    _builtin(
        Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False),
        **_REVIEW,
    ),
)


@dataclass(slots=True)
class Registry:
    """The resources that are served now, by group, version and plural."""

    _types: dict[tuple[str, str, str], ResourceType] = field(default_factory=dict)
    _groups: dict[str, list[str]] = field(default_factory=dict)
    changes: int = 0

    @classmethod
    def with_builtins(cls) -> Registry:
        """Return a registry of the built-in resources."""
        registry = cls()
        for kind in BUILTINS:
            registry.add(kind)
        return registry

    def add(self, kind: ResourceType) -> None:
        """Serve a resource, or serve it anew with other traits."""
        self._types[kind.group, kind.resource.version, kind.plural] = kind
        self._regroup()

    def drop(self, group: str, version: str, plural: str) -> None:
        """Serve a resource no more."""
        self._types.pop((group, version, plural), None)
        self._regroup()

    def find(self, group: str, version: str, plural: str) -> ResourceType:
        """Return a served resource. Raises 404."""
        found = self._types.get((group, version, plural))
        if found is None:
            raise no_such_path()
        return found

    def of(self, resource: Resource) -> ResourceType:
        """Return the served type of a ``Resource``. Raises 404."""
        return self.find(resource.group, resource.version, resource.plural)

    def stored(self, group: str, plural: str) -> ResourceType | None:
        """Return a resource in its preferred version, None when it is not served."""
        for version in self._groups.get(group, ()):
            found = self._types.get((group, version, plural))
            if found is not None:
                return found
        return None

    def groups(self) -> Mapping[str, list[str]]:
        """Return each group's versions, the preferred one first."""
        return self._groups

    def in_version(self, group: str, version: str) -> list[ResourceType]:
        """Return the resources of one group and version."""
        return [t for t in self._types.values() if (t.group, t.resource.version) == (group, version)]

    def all(self) -> Iterable[ResourceType]:
        """Return every served resource."""
        return tuple(self._types.values())

    def _regroup(self) -> None:
        self.changes += 1
        groups: dict[str, list[str]] = {}
        for group, version, _ in self._types:
            versions = groups.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        self._groups = {group: sorted(versions, key=version_rank) for group, versions in groups.items()}


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Order API versions by preference: v2, v1, v2beta1, v1beta1, v1alpha1, then all others."""
    rest = version.removeprefix("v")
    for stage, word in enumerate(("", "beta", "alpha")):
        major, _, minor = rest.partition(word) if word else (rest, "", "0")
        if version != rest and major.isdigit() and minor.isdigit():
            return (stage, -int(major), -int(minor), version)
    return (3, 0, 0, version)


def custom_types(crd: Mapping[str, Any]) -> list[ResourceType]:
    """Return the types that a CustomResourceDefinition's served versions make."""
    spec = crd["spec"]
    names = spec["names"]
    kinds: list[ResourceType] = []
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        source = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
        subresources = version.get("subresources") or {}
        resource = Resource(
            spec["group"], version["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced"
        )
        chosen = version.get("selectableFields") or ()
        kinds.append(
            ResourceType(
                resource=resource,
                singular=names.get("singular") or names["kind"].lower(),
                shape=_custom_shape(source),
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                status="status" in subresources,
                scale=_scale_paths(subresources.get("scale")),
                schema=Schema(source),
                columns=tuple(version.get("additionalPrinterColumns") or ()),
                unconditional_update=False,
                selectable=METADATA_FIELDS | {f["jsonPath"].removeprefix(".") for f in chosen},
                custom=True,
                list_kind=names.get("listKind") or names["kind"] + "List",
            )
        )
    return kinds


def _custom_shape(source: Mapping[str, Any]) -> Shape:
    from_source = from_schema(source, root=True)
    return replace(from_source, atomic=False)


def _scale_paths(declared: Mapping[str, Any] | None) -> ScalePaths | None:
    if declared is None:
        return None

    def split(path: str) -> tuple[str, ...]:
        return tuple(path.removeprefix(".").split("."))

    selector = declared.get("labelSelectorPath")
    return ScalePaths(
        split(declared["specReplicasPath"]),
        split(declared["statusReplicasPath"]),
        split(selector) if selector else None,
    )
