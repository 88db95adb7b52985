"""The seam between an analysis and a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from analysis.spec.objects import Metric
from analysis.spec.status import Measurement, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is measured, for whom. ``metric`` has its arguments and secrets in.

    ``sequence`` counts the metric's measurements before this one; ``run_*`` are "" outside of a cluster.
    ``attempt`` says which try of a release this is, from 1; ``analyses`` how many analyses the try has.
    ``state`` is the metadata of the metric's result: what earlier answers gave as their state.
    """

    metric: Metric
    now: datetime
    sequence: int = 0
    run_name: str = ""
    run_namespace: str = ""
    run_uid: str = ""
    attempt: int = 1
    analyses: int = 1
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value to be judged by the metric's conditions. ``text`` is how status shows it."""

    result: Any
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ongoing:
    """The measurement goes on in the backend; ask again at ``resume_at``.

    ``message`` and ``text`` are what status shows meanwhile. ``state`` is put over the metadata of the
    metric's result, and comes back with the next question even when this measurement ends in an error; an
    empty value removes its key. It holds no secret.
    """

    resume_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    text: str = ""
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """The backend itself has decided, as a Job does. ``text`` is the value that status shows, if any.

    ``state`` is as that of Ongoing.
    """

    phase: Phase
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    state: Mapping[str, str] = field(default_factory=dict)


Answer = Reading | Ongoing | Decided


class Provider(Protocol):
    """One kind of backend. Methods raise ProviderError."""

    name: ClassVar[str]
    """The key of ``metrics[].provider`` (or of ``provider.plugin``)."""

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return what the metric's result shows beside its measurements; ``metric`` holds no secret."""
        ...

    async def measure(self, question: Question) -> Answer:
        """Take a measurement, or start one."""
        ...

    async def resume(self, question: Question, measurement: Measurement) -> Answer:
        """Look again at a measurement that was Ongoing."""
        ...

    async def terminate(self, question: Question, measurement: Measurement) -> Answer:
        """Stop a measurement that was Ongoing."""
        ...


class Immediate:
    """Base of providers whose ``measure`` always ends with a Reading."""

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    async def resume(self, question: Question, measurement: Measurement) -> Answer:
        """Return an error phase: there is nothing to look at again."""
        return Decided(Phase.ERROR, "this provider has no measurement that goes on")

    async def terminate(self, question: Question, measurement: Measurement) -> Answer:
        """Return success: there is nothing to stop."""
        return Decided(Phase.SUCCESSFUL)


class Continuing(ABC):
    """Base of providers with one measurement that goes on: every look is the same, whenever it comes."""

    @abstractmethod
    async def look(self, question: Question) -> Answer:
        """Look now. Raises ProviderError."""

    async def measure(self, question: Question) -> Answer:
        """Begin, or go on after an error. Raises ProviderError."""
        return await self.look(question)

    async def resume(self, question: Question, measurement: Measurement) -> Answer:
        """Look again. Raises ProviderError."""
        return await self.look(question)

    async def terminate(self, question: Question, measurement: Measurement) -> Answer:
        """End without another look: nobody asks any more."""
        return Decided(Phase.SUCCESSFUL)
