"""Plain Kubernetes objects: resource identities and the few accessors that everybody needs.

Pure; objects are dicts as decoded from JSON and are never changed in place once they are in a cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]
"""An object as JSON has it. Treat one that came from a cache as read-only; copy before changing."""

ReadOnly = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """A served resource type: enough to build its URL paths and to name its objects."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return ``group/version``, or the bare version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, sub: str = "") -> str:
        """Return the URL path of the collection, or of one object, or of its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        leaf = f"/{name}" if name else ""
        tail = f"/{sub}" if sub else ""
        return f"{root}{scope}/{self.plural}{leaf}{tail}"

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Namespace and name: what a work queue holds. ``namespace`` is "" for cluster-scoped objects."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object of any kind, by resource, namespace and name."""

    resource: Resource
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.resource.kind} {where}{self.name}"


PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
EVENTS = Resource("", "v1", "events", "Event")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
REPLICASETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
JOBS = Resource("batch", "v1", "jobs", "Job")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
ROLLOUTS = Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout")
ANALYSIS_TEMPLATES = Resource("argoproj.io", "v1alpha1", "analysistemplates", "AnalysisTemplate")
CLUSTER_ANALYSIS_TEMPLATES = Resource(
    "argoproj.io", "v1alpha1", "clusteranalysistemplates", "ClusterAnalysisTemplate", False
)
ANALYSIS_RUNS = Resource("argoproj.io", "v1alpha1", "analysisruns", "AnalysisRun")
EXPERIMENTS = Resource("argoproj.io", "v1alpha1", "experiments", "Experiment")
APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
APP_PROJECTS = Resource("argoproj.io", "v1alpha1", "appprojects", "AppProject")
APPLICATION_SETS = Resource("argoproj.io", "v1alpha1", "applicationsets", "ApplicationSet")
SERVICE_LEVEL_OBJECTIVES = Resource(
    "rollouts.dev", "v1alpha1", "servicelevelobjectives", "ServiceLevelObjective"
)
HTTP_ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")


def metadata(obj: ReadOnly) -> ReadOnly:
    """Return the object's metadata ({} when absent)."""
    return obj.get("metadata") or {}


def name_of(obj: ReadOnly) -> str:
    """Return metadata.name, or ""."""
    return str(metadata(obj).get("name", ""))


def namespace_of(obj: ReadOnly) -> str:
    """Return metadata.namespace, or "" for cluster-scoped objects."""
    return str(metadata(obj).get("namespace", ""))


def uid_of(obj: ReadOnly) -> str:
    """Return metadata.uid, or ""."""
    return str(metadata(obj).get("uid", ""))


def key_of(obj: ReadOnly) -> Key:
    """Return the object's work-queue key."""
    return Key(namespace_of(obj), name_of(obj))


def resource_version(obj: ReadOnly) -> str:
    """Return metadata.resourceVersion, or ""."""
    return str(metadata(obj).get("resourceVersion", ""))


def generation(obj: ReadOnly) -> int:
    """Return metadata.generation, or 0."""
    return int(metadata(obj).get("generation", 0) or 0)


def labels_of(obj: ReadOnly) -> Mapping[str, str]:
    """Return metadata.labels ({} when absent)."""
    return metadata(obj).get("labels") or {}


def annotations_of(obj: ReadOnly) -> Mapping[str, str]:
    """Return metadata.annotations ({} when absent)."""
    return metadata(obj).get("annotations") or {}


def controller_owner(obj: ReadOnly) -> ReadOnly | None:
    """Return the owner reference with ``controller: true``, if there is one."""
    owners: Sequence[ReadOnly] = metadata(obj).get("ownerReferences") or ()
    return next((o for o in owners if o.get("controller")), None)


def is_deleting(obj: ReadOnly) -> bool:
    """Tell whether deletion has been requested."""
    return bool(metadata(obj).get("deletionTimestamp"))


def parse_time(text: str | None) -> datetime | None:
    """Parse an RFC 3339 time as Kubernetes writes it; None for None, "" or malformed text."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """Format as RFC 3339 in whole seconds (``metav1.Time``), cutting the fraction as Go does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def owner_reference(owner: ReadOnly, resource: Resource) -> Manifest:
    """Return a controller owner reference that blocks the owner's foreground deletion."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }
