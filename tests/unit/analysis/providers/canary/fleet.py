"""Pods with counters that are a function of time, a backend that answers from them, and a run on top."""

import asyncio
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analysis.counts.vectors import LabelSet, Vectors
from analysis.providers.canary.config import NAME, CanaryConfig
from analysis.providers.canary.provider import CanaryProvider
from analysis.providers.registry import ProviderRegistry
from analysis.run.machine import next_state
from analysis.run.plan import prepare
from analysis.runner import RunIdentity, Runner
from analysis.spec.arguments import values_without_secrets
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus, is_completed

START = 1_800_000_000.0
STABLE, CANARY = "5d9c7b", "77f8cc"


@dataclass
class Pod:
    """``rate`` requests a second from ``born`` to ``died``; ``bad(t)`` is the share that fails at ``t``.

    At ``restarts`` the counters begin again from zero. ``slow`` multiplies latency.
    """

    name: str
    version: str
    rate: float = 5.0
    born: float = -math.inf
    died: float = math.inf
    bad: Callable[[float], float] = lambda _: 0.002
    slow: float = 1.0

    restarts: tuple[float, ...] = ()
    drawn: list[int] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)

    def totals(self, moment: float) -> tuple[float, float] | None:
        """Return (requests, bad ones) since birth or the last restart; chance comes from the pod's name."""
        if not self.born <= moment <= self.died:
            return None
        first = START - 2_400 if self.born == -math.inf else self.born
        requests, bad = self._since(first, moment)
        restart = max((r for r in self.restarts if r <= moment), default=None)
        if restart is None:
            return requests, bad
        before = self._since(first, restart)
        return requests - before[0], bad - before[1]

    def ever(self, moment: float) -> float:
        """Return the requests since birth, whatever restarts made the counters forget."""
        return self._since(self.born, moment)[0]

    def _since(self, first: float, moment: float) -> tuple[float, float]:
        seconds = int(moment - first)
        if not self.drawn:
            self.dice = random.Random(self.name)
            self.drawn = [0]
        while len(self.drawn) <= seconds:
            expected = self.rate * self.bad(first + len(self.drawn))
            new = int(expected) + (self.dice.random() < expected % 1)
            self.drawn.append(self.drawn[-1] + new)
        return math.floor(self.rate * seconds), self.drawn[seconds]


def pods(version: str, count: int, **fields: Any) -> list[Pod]:
    return [Pod(f"web-{version}-p{i:02}", version, **fields) for i in range(count)]


@dataclass
class FakeBackend:
    """Answers from the fleet; ``fault`` can raise, ``replica`` shifts every counter."""

    fleet: list[Pod]
    fault: Callable[[float], Exception | None] = lambda _: None
    replica: Callable[[float], float] = lambda _: 0.0
    now: float = START
    asked: list[tuple[float, ...]] = field(default_factory=list)

    async def read(self, config: CanaryConfig, boundaries: Sequence[float]) -> tuple[Vectors, ...]:
        self.asked.append(tuple(boundaries))
        error = self.fault(self.now)
        if error is not None:
            raise error
        vectors = [self._latency(t) if config.latency else self._errors(t) for t in boundaries]
        return (Vectors(tuple(boundaries), tuple(vectors)),)

    def _errors(self, moment: float) -> dict[LabelSet, float]:
        vector: dict[LabelSet, float] = {}
        for pod in self.fleet:
            found = pod.totals(moment)
            if found is None:
                continue
            requests, bad = found
            shift = self.replica(self.now)
            vector[(("code", "200"), ("pod", pod.name))] = requests - bad + shift
            if bad:
                vector[(("code", "503"), ("pod", pod.name))] = bad + shift
        return vector

    def _latency(self, moment: float) -> dict[LabelSet, float]:
        """Exponential latencies with a mean of 0.1 s times ``slow``."""
        vector: dict[LabelSet, float] = {}
        for pod in self.fleet:
            found = pod.totals(moment)
            for edge in (0.05, 0.1, 0.25, 0.5, 1.0, math.inf) if found else ():
                share = 1 - math.exp(-edge / (0.1 * pod.slow))
                name = "+Inf" if edge == math.inf else f"{edge:g}"
                vector[(("le", name), ("pod", pod.name))] = math.floor(found[0] * share)
        return vector


IDENTITY = RunIdentity("run", "ns", "u-1")
ERRORS = {"total": "http_requests_total{{{selector}}}", "badLabels": {"code": "5.."}}


def configured(**fields: Any) -> dict[str, Any]:
    base = {"stable": STABLE, "canary": CANARY, "address": "http://prometheus"}
    return {**base, **({} if "latency" in fields else {"errors": ERRORS}), **fields}


def spec_of(config: dict[str, Any], **more: Any) -> AnalysisRunSpec:
    metric = {"name": "errors", "provider": {"plugin": {NAME: config}}}
    return AnalysisRunSpec.model_validate({"metrics": [metric], **more})


@dataclass
class Play:
    """A run and what happened to it."""

    status: AnalysisRunStatus
    seconds: float
    largest: int = 0
    messages: list[str] = field(default_factory=list)

    @property
    def result(self) -> Any:
        return self.status.metric_results[0]

    @property
    def measurement(self) -> Any:
        return self.result.measurements[-1]

    @property
    def evidence(self) -> dict[str, str]:
        return self.measurement.metadata or {}


def play(
    backend: FakeBackend,
    spec: AnalysisRunSpec,
    *,
    seconds: float = 1800,
    each: Callable[[AnalysisRunStatus, float], AnalysisRunStatus] = lambda status, _: status,
    status: AnalysisRunStatus | None = None,
    start: float = START,
    identity: RunIdentity = IDENTITY,
) -> Play:
    """Run until the end or for ``seconds``. The status goes through JSON at every step, as in a restart."""

    async def whole() -> Play:
        plan, now = prepare(spec), start
        runner = Runner(
            ProviderRegistry([], [CanaryProvider(backend)]), lambda: datetime.fromtimestamp(now, UTC)
        )
        values = values_without_secrets(spec.args)
        played = Play(status or AnalysisRunStatus(), 0.0)
        finished: list[Any] = []
        while True:
            moment = datetime.fromtimestamp(now, UTC)
            state = next_state(plan, played.status, finished, moment)
            text = json.dumps(state.status.manifest())
            played.largest = max(played.largest, len(text))
            played.status = each(AnalysisRunStatus.model_validate_json(text), now)
            for result in played.status.metric_results:
                played.messages.append(result.measurements[-1].message)
            if is_completed(played.status.phase) or now - start > seconds:
                played.seconds = now - start
                return played
            backend.now = now
            finished = [await runner.take(due, spec.metrics[0], values, (), identity) for due in state.due]
            if not finished and state.requeue_at is not None:
                now = state.requeue_at.timestamp()

    return asyncio.run(whole())
