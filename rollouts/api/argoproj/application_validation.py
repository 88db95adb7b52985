"""What must hold for an Application, and for the generators of an ApplicationSet. Pure.

Only what can be said from the object alone; whether a project allows it is for ``gitops.policy``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from rollouts.api.argoproj.application import ApplicationSpec, RetryStrategy
from rollouts.api.argoproj.applicationset import ApplicationSetSpec
from rollouts.api.argoproj.generators import Generator
from rollouts.api.argoproj.source import ApplicationSource, Rendering
from rollouts.api.fielderrors import FieldError, from_validation_error, invalid, required
from rollouts.api.scalars import ScalarError, parse_duration

_RENDERERS = ("helm", "kustomize", "directory", "plugin")


def validate_application(application: Mapping[str, Any]) -> tuple[FieldError, ...]:
    """Return everything that is wrong with an Application, in the order of its fields."""
    try:
        spec = ApplicationSpec.model_validate(application.get("spec") or {})
    except ValidationError as error:
        return from_validation_error(error, "spec")
    return (*_source_errors(spec), *_destination_errors(spec), *_sync_errors(spec))


def _source_errors(spec: ApplicationSpec) -> Iterator[FieldError]:
    if spec.source_hydrator is not None:
        if not spec.source_hydrator.dry_source.repo_url:
            yield required("spec.sourceHydrator.drySource.repoURL")
        return
    if spec.sources:
        for index, source in enumerate(spec.sources):
            yield from _one_source(source, f"spec.sources[{index}]")
    elif spec.source is not None:
        yield from _one_source(spec.source, "spec.source")
    else:
        yield required(
            "spec.source", "one of source, sources and sourceHydrator must say where manifests are"
        )


def _one_source(source: ApplicationSource, path: str) -> Iterator[FieldError]:
    if not source.repo_url:
        yield required(f"{path}.repoURL")
    if not source.path and not source.chart and not source.ref:
        yield required(f"{path}.path", "one of path, chart and ref must be set")
    if source.path and source.chart:
        yield invalid(f"{path}.chart", source.chart, "path and chart are both set; keep one")
    yield from _rendering_errors(source, path)


def _rendering_errors(source: Rendering, path: str) -> Iterator[FieldError]:
    named = [name for name in _RENDERERS if getattr(source, name) is not None]
    if len(named) > 1:
        yield invalid(path, {name: {} for name in named}, f"{' and '.join(named)} are all set; keep one")


def _destination_errors(spec: ApplicationSpec) -> Iterator[FieldError]:
    destination = spec.destination
    if not destination.server and not destination.name:
        yield required("spec.destination", "one of server and name must say which cluster")
    elif destination.server and destination.name:
        yield invalid(
            "spec.destination", destination.manifest(), "server and name are both set; keep the one you mean"
        )


def _sync_errors(spec: ApplicationSpec) -> Iterator[FieldError]:
    policy = spec.sync_policy
    if policy is None:
        return
    if policy.retry is not None:
        yield from _retry_errors(policy.retry, "spec.syncPolicy.retry")
    for index, option in enumerate(policy.sync_options):
        if "=" not in option:
            yield invalid(f"spec.syncPolicy.syncOptions[{index}]", option, "an option is written Name=value")


def _retry_errors(retry: RetryStrategy, path: str) -> Iterator[FieldError]:
    if retry.backoff is None:
        return
    for field, value in (("duration", retry.backoff.duration), ("maxDuration", retry.backoff.max_duration)):
        try:
            if value:
                parse_duration(value)
        except ScalarError as error:
            yield invalid(f"{path}.backoff.{field}", value, str(error))
    if retry.backoff.factor is not None and retry.backoff.factor < 1:
        yield invalid(f"{path}.backoff.factor", retry.backoff.factor, "must be greater than or equal to 1")


def validate_application_set(application_set: Mapping[str, Any]) -> tuple[FieldError, ...]:
    """Return everything that is wrong with the generators of an ApplicationSet."""
    try:
        spec = ApplicationSetSpec.model_validate(application_set.get("spec") or {})
    except ValidationError as error:
        return from_validation_error(error, "spec")
    if not spec.generators:
        return (required("spec.generators", "a set needs at least one generator"),)
    return tuple(_generators_errors(spec.generators, "spec.generators"))


def _generators_errors(generators: tuple[Generator, ...], path: str) -> Iterator[FieldError]:
    for index, generator in enumerate(generators):
        yield from _generator_errors(generator, f"{path}[{index}]")


def _generator_errors(generator: Generator, path: str) -> Iterator[FieldError]:
    fields = {
        name: field.alias or name for name, field in Generator.model_fields.items() if name != "selector"
    }
    named = [alias for name, alias in fields.items() if getattr(generator, name) is not None]
    if len(named) != 1:
        yield invalid(
            path, {name: {} for name in named}, f"exactly one of {', '.join(fields.values())} must be set"
        )
    if generator.matrix is not None:
        inner = generator.matrix.generators
        if len(inner) != 2:
            yield invalid(f"{path}.matrix.generators", len(inner), "a matrix needs exactly two generators")
        yield from _generators_errors(inner, f"{path}.matrix.generators")
    if generator.merge is not None:
        inner = generator.merge.generators
        if len(inner) < 2:
            yield invalid(f"{path}.merge.generators", len(inner), "a merge needs at least two generators")
        if not generator.merge.merge_keys:
            yield required(f"{path}.merge.mergeKeys", "a merge needs the keys that must be equal")
        yield from _generators_errors(inner, f"{path}.merge.generators")
