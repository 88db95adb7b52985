"""What one evaluation knows: the samples, the moment and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rollouts.embedded.metrics.promql.errors import Unsupported
from rollouts.embedded.metrics.promql.vectors import Element, RangeVector
from rollouts.embedded.metrics.samples import Source

Value = float | str | list[Element] | list[RangeVector]
"""A scalar, a string, an instant vector or a range vector."""


class Dialect(Enum):
    """Whose semantics apply where Prometheus 2 and 3 differ."""

    V2 = 2
    V3 = 3


@dataclass(frozen=True, slots=True)
class Options:
    """``lookback`` is how old a sample an instant selector may use, in milliseconds."""

    lookback: int = 300_000
    dialect: Dialect = Dialect.V3


@dataclass(frozen=True, slots=True)
class Context:
    """``start`` and ``end`` bound the whole query; ``at`` is the moment evaluated now. Milliseconds."""

    source: Source
    at: int
    start: int
    end: int
    options: Options

    @property
    def closed(self) -> bool:
        """Tell whether a range includes its left end, as in Prometheus 2."""
        return self.options.dialect is Dialect.V2


def vector_of(value: Value, what: str) -> list[Element]:
    """Return an instant vector, or raise Unsupported naming what needs it."""
    if isinstance(value, list):
        return [item for item in value if isinstance(item, Element)]
    raise Unsupported(f"{what} needs an instant vector")


def number_of(value: Value, what: str) -> float:
    """Return a scalar, or raise Unsupported naming what needs it."""
    if isinstance(value, float):
        return value
    raise Unsupported(f"{what} needs a number")
