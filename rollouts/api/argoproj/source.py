"""Where manifests come from and how they are rendered: the source of an Application, whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollouts.api.base import ApiModel, FreeForm, IntOrString, NoneAsEmpty, Strings


class NameValue(ApiModel):
    """A name and its value."""

    name: str
    value: str


class JsonnetVar(ApiModel):
    """A variable for jsonnet; ``code`` means that the value is jsonnet itself."""

    name: str
    value: str
    code: bool = False


class Jsonnet(ApiModel):
    """Options for jsonnet files."""

    ext_vars: Annotated[tuple[JsonnetVar, ...], NoneAsEmpty] = ()
    tlas: Annotated[tuple[JsonnetVar, ...], NoneAsEmpty] = ()
    libs: Strings = ()


class DirectorySource(ApiModel):
    """Plain manifests: which files of the folder are read."""

    recurse: bool = False
    include: str = ""
    exclude: str = ""
    """Globs, also ``{a,b}`` lists. ``exclude`` wins over ``include``."""
    jsonnet: Jsonnet | None = None
    disable_extension_filter: bool = False


class HelmParameter(ApiModel):
    """A value as ``helm --set``; ``force_string`` as ``--set-string``."""

    name: str = ""
    value: str = ""
    force_string: bool = False


class HelmFileParameter(ApiModel):
    """A value as ``helm --set-file``."""

    name: str = ""
    path: str = ""


class HelmSource(ApiModel):
    """A Helm chart. Parameters win over ``valuesObject``, then ``values``, then ``valueFiles``."""

    release_name: str = ""
    value_files: Strings = ()
    ignore_missing_value_files: bool = False
    values: str = ""
    values_object: FreeForm | None = None
    parameters: Annotated[tuple[HelmParameter, ...], NoneAsEmpty] = ()
    file_parameters: Annotated[tuple[HelmFileParameter, ...], NoneAsEmpty] = ()
    version: str = ""
    pass_credentials: bool = False
    skip_crds: bool = False
    skip_tests: bool = False
    skip_schema_validation: bool = False
    namespace: str = ""
    kube_version: str = ""
    api_versions: Strings = ()


class KustomizeTarget(ApiModel):
    """Which objects a patch changes."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""


class KustomizePatch(ApiModel):
    """A patch, inline or by path."""

    patch: str = ""
    path: str = ""
    target: KustomizeTarget | None = None
    options: dict[str, bool] = {}


class KustomizeReplicas(ApiModel):
    """A number of replicas for a workload."""

    name: str
    count: IntOrString


class KustomizeSource(ApiModel):
    """Overrides for a kustomization."""

    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    images: Strings = ()
    """``[old=]new[:tag|@digest]``."""
    replicas: Annotated[tuple[KustomizeReplicas, ...], NoneAsEmpty] = ()
    patches: Annotated[tuple[KustomizePatch, ...], NoneAsEmpty] = ()
    components: Strings = ()
    ignore_missing_components: bool = False
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    common_annotations_envsubst: bool = False
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    version: str = ""
    kube_version: str = ""
    api_versions: Strings = ()


class PluginParameter(ApiModel):
    """A parameter of a config management plugin, in one of three forms."""

    name: str = ""
    string: str | None = None
    array: Strings = ()
    map: dict[str, str] = {}


class PluginSource(ApiModel):
    """A config management plugin."""

    name: str = ""
    env: Annotated[tuple[NameValue, ...], NoneAsEmpty] = ()
    parameters: Annotated[tuple[PluginParameter, ...], NoneAsEmpty] = ()


class Rendering(ApiModel):
    """How the files of a source become manifests. At most one is set; none means: detect it."""

    helm: HelmSource | None = None
    kustomize: KustomizeSource | None = None
    directory: DirectorySource | None = None
    plugin: PluginSource | None = None


class ApplicationSource(Rendering):
    """A place in a Git, Helm or OCI repository.

    ``targetRevision`` is a branch, a tag, a commit or a semantic version range; empty means ``HEAD``.
    """

    repo_url: str = Field(default="", alias="repoURL")
    path: str = ""
    target_revision: str = ""
    chart: str = ""
    ref: str = ""
    """Makes the source one of values only: ``$ref/path`` in the value files of the others."""
    name: str = ""
    tag_prefix: str = ""


class DrySource(Rendering):
    """The source that a hydrator renders."""

    repo_url: str = Field(default="", alias="repoURL")
    path: str = ""
    target_revision: str = ""


class SyncSource(ApiModel):
    """Where rendered manifests are synced from. ``repoURL`` is that of the dry source when empty."""

    repo_url: str = Field(default="", alias="repoURL")
    target_branch: str = ""
    path: str = ""


class HydrateTo(ApiModel):
    """A branch that waits for somebody to merge it."""

    target_branch: str = ""


class SourceHydrator(ApiModel):
    """Render into a branch, then sync from that branch."""

    dry_source: DrySource = Field(default_factory=DrySource)
    sync_source: SyncSource = Field(default_factory=SyncSource)
    hydrate_to: HydrateTo | None = None
