"""Base of the models: camelCase on the wire, frozen, nothing lost."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


class SpecModel(BaseModel):
    """A part of an analysis object.

    Attributes are snake_case, JSON is camelCase. Unknown fields are kept in ``model_extra``. Error texts
    never echo the input, since it can hold a secret.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    def manifest(self) -> dict[str, Any]:
        """Return the JSON form, without fields that were never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _none_to_empty(value: Any) -> Any:
    return () if value is None else value


IntOrString = int | str
"""An integer, or a string such as ``{{args.count}}`` that becomes one."""

NoneAsEmpty = BeforeValidator(_none_to_empty)
"""Reads JSON null as an empty list, as Go does."""
