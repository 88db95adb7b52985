"""The metric plugin ``rollouts.dev/pods``: are the canary's pods falling over while the stable ones stand?

Counts of requests say little about a version that crashes before it serves them. This watches the pods of
both versions, one measurement that goes on, by the rules of ``analysis.judges.crashes``. The cluster is
behind ``PodPort``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from pydantic import Field

from analysis.judges.crashes import CrashFinding, PodFacts, judge_pods
from analysis.judges.profiles import Call
from analysis.providers.canary.config import Hash, Period, Strict
from analysis.providers.plugin_config import OWN_PACE, read_plugin
from analysis.providers.protocol import Answer, Continuing, Decided, Ongoing, Question
from analysis.spec.guidance import GUIDANCE_KEY, NO_GUIDANCE, Guidance
from analysis.spec.objects import Metric
from analysis.spec.status import Phase

NAME = "rollouts.dev/pods"
STATE_KEY = "pods.state"
MOST_REMEMBERED = 200
"""Pods whose past is kept, so that a status stays small."""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod as the cluster shows it now. ``restarts`` are those of all containers since its birth."""

    name: str
    ready: bool
    restarts: int = 0
    unready_since: datetime | None = None
    waiting: str = ""
    node: str = ""


class PodPort(Protocol):
    """What the provider asks of a cluster."""

    async def pods(self, namespace: str, pod_hash: str) -> Sequence[SeenPod]:
        """Return the pods of a version that are not being deleted. Raises ProviderError."""
        ...


class PodsConfig(Strict):
    """What a template may say. Periods are in seconds once read."""

    stable: Hash
    canary: Hash
    duration: Period | None = None
    tick: Period = 10.0
    hold_timeout: Period = Field(600.0, alias="holdTimeout")


@dataclass(frozen=True, slots=True)
class _Past:
    """What is remembered: when it began, restarts before, who was ready, who was doubted, since when."""

    began: float
    restarts: Mapping[str, int]
    ready: frozenset[str]
    doubted: frozenset[str]
    held_since: float | None

    @classmethod
    def read(cls, text: str, now: float) -> _Past:
        try:
            data = json.loads(text)
            return cls(
                float(data["began"]),
                {str(name): int(count) for name, count in data["restarts"].items()},
                frozenset(map(str, data["ready"])),
                frozenset(map(str, data["doubted"])),
                data["held"],
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(now, {}, frozenset(), frozenset(), None)

    def dump(self) -> str:
        data = {
            "began": self.began,
            "restarts": dict(sorted(self.restarts.items())[:MOST_REMEMBERED]),
            "ready": sorted(self.ready)[:MOST_REMEMBERED],
            "doubted": sorted(self.doubted)[:MOST_REMEMBERED],
            "held": self.held_since,
        }
        return json.dumps(data, separators=(",", ":"))


class PodsProvider(Continuing):
    """Looks at the pods of both versions at every tick."""

    name: ClassVar[str] = NAME

    def __init__(self, port: PodPort) -> None:
        self._port = port

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    async def look(self, question: Question) -> Answer:
        """Look at what there is now. Raises ProviderError."""
        config = read_config(question.metric)
        canary = await self._port.pods(question.run_namespace, config.canary)
        stable = await self._port.pods(question.run_namespace, config.stable)
        return judged(config, canary, stable, question)


def judged(
    config: PodsConfig, canary: Sequence[SeenPod], stable: Sequence[SeenPod], question: Question
) -> Answer:
    """Return the answer to what is seen now. Pure.

    Restarts count from the first look at a stable pod, and from birth for a canary pod.
    """
    now = question.now.timestamp()
    past = _Past.read(question.state.get(STATE_KEY, ""), now)
    before = {**{pod.name: pod.restarts for pod in stable}, **past.restarts}
    before = {pod.name: before[pod.name] for pod in stable}
    ready = frozenset(pod.name for pod in (*canary, *stable) if pod.ready or pod.name in past.ready)
    present = {pod.name for pod in canary}
    finding = judge_pods(
        [_facts(pod, 0, ready, question.now) for pod in canary],
        [_facts(pod, before[pod.name], ready, question.now) for pod in stable],
        successors=len(past.doubted - present),
    )
    doubted = past.doubted | (set(finding.pods) if finding.call is Call.SUSPECT else set())
    held = None if finding.call is Call.CONTINUE else past.held_since if past.held_since is not None else now
    state = _Past(past.began, before, ready, doubted, held)
    return _answer(config, finding, state, question.now, evidence=_evidence(finding, canary, stable))


def _answer(
    config: PodsConfig, finding: CrashFinding, past: _Past, now: datetime, *, evidence: Mapping[str, str]
) -> Answer:
    moment = now.timestamp()
    text = f"{len(finding.pods)} in trouble"
    over = config.duration is not None and moment - past.began >= config.duration
    phase = Phase.RUNNING
    if finding.call is Call.ABORT:
        phase = Phase.FAILED
    elif past.held_since is not None and moment - past.held_since >= config.hold_timeout:
        phase = Phase.INCONCLUSIVE
    elif finding.call is Call.CONTINUE and over:
        phase = Phase.SUCCESSFUL
    guidance = finding.guidance() if phase is Phase.RUNNING else NO_GUIDANCE
    if phase is Phase.INCONCLUSIVE and finding.lone:
        # As with the judge of counts: no traffic for a lone suspect until a person has looked.
        guidance = Guidance(no_traffic=True, reason=finding.reason)
    state = {STATE_KEY: past.dump(), GUIDANCE_KEY: guidance.dump()}
    if phase.completed:
        return Decided(phase, finding.reason, evidence, text=text, state=state)
    again = now + timedelta(seconds=max(1.0, config.tick))
    return Ongoing(again, evidence, message=finding.reason, text=text, state=state)


def _facts(pod: SeenPod, before: int, ready: frozenset[str], now: datetime) -> PodFacts:
    unready = 0.0 if pod.ready or pod.unready_since is None else (now - pod.unready_since).total_seconds()
    return PodFacts(
        name=pod.name,
        ready=pod.ready,
        was_ready=pod.name in ready,
        restarts=max(0, pod.restarts - before),
        unready_seconds=max(0.0, unready),
        waiting=pod.waiting,
        node=pod.node,
    )


def _evidence(finding: CrashFinding, canary: Sequence[SeenPod], stable: Sequence[SeenPod]) -> dict[str, str]:
    return {
        "call": finding.call.value,
        "canary": f"{sum(pod.ready for pod in canary)} of {len(canary)} ready",
        "stable": f"{sum(pod.ready for pod in stable)} of {len(stable)} ready",
        "inTrouble": ", ".join(finding.pods),
    }


def read_config(metric: Metric) -> PodsConfig:
    """Return a metric's configuration. Raises ConfigurationError that names the field."""
    return read_plugin(
        metric,
        NAME,
        PodsConfig,
        holds="the two versions",
        refused=OWN_PACE,
        because="it looks at every tick and decides by itself; remove it, and say how long with duration",
    )
