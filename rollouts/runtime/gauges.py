"""Gauges about objects, computed from the cache when somebody asks for them: events cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from rollouts.kube.objects import ReadOnly

Value = tuple[tuple[str, ...], float]
"""Label values, and the number."""
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True, slots=True)
class GaugeFamily:
    """A metric's name, help text and labels, and how its samples are read from one object."""

    name: str
    text: str
    labels: tuple[str, ...]
    read: Callable[[ReadOnly], Iterable[Value]]


class ObjectGauges(Collector):
    """Families over the same objects, which are listed once per scrape.

    An object that cannot be read has no samples; it does not break the scrape.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        objects: Callable[[], Iterable[ReadOnly]],
        families: Sequence[GaugeFamily],
    ) -> None:
        self._objects = objects
        self._families = families
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        found = tuple(self._objects())
        for family in self._families:
            yield ObjectMetric(family, found)

    def describe(self) -> Iterable[Metric]:
        """See prometheus_client."""
        return [ObjectMetric(family, ()) for family in self._families]


class ObjectMetric(Metric):
    """One family. Its samples and lines come into being while they are iterated over.

    So whoever writes many of them can give way in between. ``lines`` says the same as ``samples``, several
    times as fast as the library writes them: there are twenty lines per AnalysisRun.
    """

    def __init__(self, family: GaugeFamily, objects: Sequence[ReadOnly]) -> None:
        super().__init__(family.name, family.text, "gauge")
        self._family = family
        self._objects = objects
        self.samples = _Samples(self)  # type: ignore[assignment]

    def values(self) -> Iterator[Value]:
        """Yield all values, object by object."""
        read = self._family.read
        for obj in self._objects:
            try:
                found = list(read(obj))
            except (AttributeError, TypeError, ValueError, KeyError):
                continue
            yield from found

    def label_names(self) -> tuple[str, ...]:
        """Return the names in the order of a value's labels."""
        return self._family.labels

    def lines(self) -> Iterator[str]:
        """Yield the samples in the Prometheus text format, each ended by a line break."""
        names = self._family.labels
        order = sorted(range(len(names)), key=names.__getitem__)
        pairs = ",".join(f'{names[index]}="{{}}"' for index in order)
        line = f"{self.name}{{{{{pairs}}}}} {{}}\n".format
        for labels, value in self.values():
            number = floatToGoString(value)  # type: ignore[no-untyped-call]
            yield line(*[labels[index].translate(_ESCAPES) for index in order], number)


class _Samples:
    def __init__(self, metric: ObjectMetric) -> None:
        self._metric = metric

    def __iter__(self) -> Iterator[Sample]:
        names = self._metric.label_names()
        for labels, value in self._metric.values():
            yield Sample(self._metric.name, dict(zip(names, labels, strict=True)), float(value))
