"""The template of an ApplicationSet, which each of its generators may override."""

from __future__ import annotations

from pydantic import Field

from rollouts.api.argoproj.application import ApplicationSpec
from rollouts.api.base import ApiModel, Strings


class TemplateMetadata(ApiModel):
    """Metadata of the Applications to make."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: Strings = ()


class ApplicationTemplate(ApiModel):
    """The Application to make, with placeholders in its strings."""

    metadata: TemplateMetadata = Field(default_factory=TemplateMetadata)
    spec: ApplicationSpec = Field(default_factory=ApplicationSpec)


class TemplatedGenerator(ApiModel):
    """A generator whose ``template`` overrides parts of the set's own."""

    template: ApplicationTemplate | None = None
