"""Generators of an ApplicationSet: where its parameters come from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from rollouts.api.argoproj.apptemplate import TemplatedGenerator
from rollouts.api.argoproj.scm import PullRequestGenerator, ScmProviderGenerator
from rollouts.api.base import ApiModel, NoneAsEmpty, Strings
from rollouts.api.meta import LabelSelector


class ListGenerator(TemplatedGenerator):
    """Parameters written out."""

    elements: Annotated[tuple[Any, ...], NoneAsEmpty] = ()
    elements_yaml: str = ""


class ClusterGenerator(TemplatedGenerator):
    """One set of parameters for each known cluster."""

    selector: LabelSelector | None = None
    values: dict[str, str] = {}
    flat_list: bool = False


class GitPath(ApiModel):
    """A glob of folders or files; ``exclude`` always wins."""

    path: str
    exclude: bool = False


class GitGenerator(TemplatedGenerator):
    """One set of parameters for each folder, or from the contents of each file."""

    repo_url: str = Field(default="", alias="repoURL")
    revision: str = ""
    directories: Annotated[tuple[GitPath, ...], NoneAsEmpty] = ()
    files: Annotated[tuple[GitPath, ...], NoneAsEmpty] = ()
    path_param_prefix: str = ""
    requeue_after_seconds: int | None = None
    values: dict[str, str] = {}


class DuckTypeGenerator(TemplatedGenerator):
    """Clusters that another object decided on."""

    config_map_ref: str
    name: str = ""
    label_selector: LabelSelector | None = None
    requeue_after_seconds: int | None = None
    values: dict[str, str] = {}


class PluginConfigMapRef(ApiModel):
    """The ConfigMap with the plugin's address."""

    name: str


class PluginInput(ApiModel):
    """What is sent to the plugin."""

    parameters: dict[str, Any] = {}


class PluginGenerator(TemplatedGenerator):
    """Parameters from an HTTP service."""

    config_map_ref: PluginConfigMapRef
    input: PluginInput | None = None
    requeue_after_seconds: int | None = None
    values: dict[str, str] = {}


class MatrixGenerator(TemplatedGenerator):
    """Every pair of the parameters of exactly two generators."""

    generators: Annotated[tuple[Generator, ...], NoneAsEmpty] = ()


class MergeGenerator(TemplatedGenerator):
    """The first generator's parameters, overridden by the others' where the keys are equal."""

    generators: Annotated[tuple[Generator, ...], NoneAsEmpty] = ()
    merge_keys: Strings = ()


class Generator(ApiModel):
    """Exactly one kind of generator, and a selector over its parameters."""

    list: ListGenerator | None = None
    clusters: ClusterGenerator | None = None
    git: GitGenerator | None = None
    scm_provider: ScmProviderGenerator | None = None
    pull_request: PullRequestGenerator | None = None
    cluster_decision_resource: DuckTypeGenerator | None = None
    plugin: PluginGenerator | None = None
    matrix: MatrixGenerator | None = None
    merge: MergeGenerator | None = None
    selector: LabelSelector | None = None


MatrixGenerator.model_rebuild()
MergeGenerator.model_rebuild()
