"""Parts that the API machinery shares between kinds."""

from __future__ import annotations

from typing import Annotated

from rollouts.api.base import ApiModel, NoneAsEmpty, Strings


class LabelSelectorRequirement(ApiModel):
    """A rule on one label: ``In``, ``NotIn``, ``Exists`` or ``DoesNotExist``."""

    key: str
    operator: str
    values: Strings = ()


class LabelSelector(ApiModel):
    """Selects objects by label; all rules must hold, and no rule selects everything."""

    match_labels: dict[str, str] = {}
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], NoneAsEmpty] = ()
