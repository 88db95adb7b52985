"""What a template says under ``provider.plugin[<name>]`` of one of our own plugins, read strictly."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from analysis.providers.errors import ConfigurationError
from analysis.spec.errors import from_validation_error
from analysis.spec.objects import Metric

M = TypeVar("M", bound=BaseModel)

CONDITIONS = ("successCondition", "failureCondition")
OWN_PACE = ("interval", "count", *CONDITIONS)
"""Fields of a metric that make no sense to a plugin that decides when to look, and what it means."""


def read_plugin(
    metric: Metric, name: str, model: type[M], *, holds: str, refused: tuple[str, ...], because: str
) -> M:
    """Return the plugin's configuration, which must be a map that ``holds`` describes.

    Fields of the metric in ``refused`` must not be set, for the reason ``because``. Raises
    ConfigurationError that names the field.
    """
    written = {
        "interval": metric.interval,
        "count": metric.count,
        "successCondition": metric.success_condition,
        "failureCondition": metric.failure_condition,
    }
    for field in refused:
        if written[field]:
            raise ConfigurationError(f"{field} does not go with {name}: {because}")
    path = f'provider.plugin["{name}"]'
    given = (metric.provider.plugin or {}).get(name)
    if not isinstance(given, dict):
        raise ConfigurationError(f"{path} must hold {holds} (a map)")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = from_validation_error(path, error)
        raise ConfigurationError(str(problem).replace("Value error, ", "")) from error
