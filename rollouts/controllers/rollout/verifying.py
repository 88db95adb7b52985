"""Questions to data planes, beside the reconciles. They live in memory only: a restart asks again.

A reconcile notes what it wants to know and takes what is known by then; it never waits. When the word on a
question changes the Rollout is woken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from analysis.providers.errors import ProviderError
from rollouts import logs
from rollouts.clock import Clock, SystemClock
from rollouts.controllers.rollout.snapshot import Verification
from rollouts.kube import errors
from rollouts.kube.objects import Key, Manifest
from rollouts.traffic.router import TrafficIntent
from rollouts.verification.verifier import CannotTell, Verifier, Wanted
from rollouts.verification.wanted import wanted

_log = logging.getLogger(__name__)

FIRST_PAUSE = 1 / 16
"""The pause after the first look, as a part of the verifier's own; each is twice the one before, up to it."""

QUIET = 5.0
"""Seconds that a change may take before anybody is told what is missing: most take less."""


ListPods = Callable[[Key, Collection[str]], Awaitable[Mapping[str, str]]]
"""Given a Rollout and versions of it, returns the version of each of their pods by address."""


async def _no_pods(key: Key, versions: Collection[str]) -> Mapping[str, str]:
    return {}


@dataclass(slots=True)
class _Question:
    """What is wanted in force for one router of a Rollout, and the word on it so far."""

    wanted: tuple[Wanted, ...]
    verifiers: tuple[Verifier, ...]
    word: Verification = field(default_factory=Verification)
    task: asyncio.Task[None] | None = None


class Verifying:
    """Asks data planes until they have what is wanted, or nobody could be asked for ``patience``."""

    def __init__(
        self,
        verifiers: Sequence[Verifier] = (),
        clock: Clock | None = None,
        patience: timedelta = timedelta(seconds=30),
        pods: ListPods | None = None,
        wake: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._verifiers = tuple(verifiers)
        self._clock = clock or SystemClock()
        self._patience = patience.total_seconds()
        self._pods = pods or _no_pods
        self._wake = wake
        self._questions: dict[Key, dict[str, _Question]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Let questions be asked until cancelled; then none is left, and no connection."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for key in tuple(self._questions):
                    self.pursue(key)
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = None
            self._questions.clear()
            for verifier in self._verifiers:
                await verifier.close()

    def word(
        self, key: Key, router: str, live: Sequence[Manifest], intent: TrafficIntent, *, seen: bool
    ) -> Verification | None:
        """Return what is known of these objects, and note the question when it is new.

        None unless those who can be asked speak for every controller of every object. What was ``seen`` in
        force before is not asked again.
        """
        if not self._verifiers:
            return None
        want = wanted(live, intent)
        if not want or not all(self._covered(entry) for entry in want):
            return None
        known = self._questions.get(key, {}).get(router)
        if known is not None and known.wanted == want:
            return known.word
        self._drop(key, router)
        if seen:
            return Verification(verified=True)
        asked = tuple(v for v in self._verifiers if any(v.covers(entry) for entry in want))
        question = self._questions.setdefault(key, {})[router] = _Question(want, asked)
        return question.word

    def _covered(self, entry: Wanted) -> bool:
        """Tell whether every controller of an object is spoken for, and there is one."""
        spoken_for = {name for verifier in self._verifiers for name in verifier.covers(entry)}
        return bool(entry.controllers) and spoken_for.issuperset(entry.controllers)

    def pursue(self, key: Key) -> None:
        """Start to ask what was noted for a Rollout."""
        for router, question in self._questions.get(key, {}).items():
            if question.task is None and self._group is not None:
                question.task = self._group.create_task(self._ask(key, question), name=f"{key} {router}")

    def keep(self, key: Key, routers: Collection[str]) -> None:
        """Drop the questions of a Rollout about other routers than these."""
        for router in tuple(self._questions.get(key, ())):
            if router not in routers:
                self._drop(key, router)

    def _drop(self, key: Key, router: str) -> None:
        routers = self._questions.get(key, {})
        question = routers.pop(router, None)
        if question is not None and question.task is not None:
            question.task.cancel()
        if not routers:
            self._questions.pop(key, None)

    async def _ask(self, key: Key, question: _Question) -> None:
        """Look again and again, until all is in force or it is given up."""
        slowest = max(verifier.pause for verifier in question.verifiers)
        pause = slowest * FIRST_PAUSE
        started = answered = self._clock.monotonic()
        with logs.bound(key=str(key)):
            while True:
                problem, failed = await self._look(key, question)
                now = self._clock.monotonic()
                answered = answered if failed else now
                given_up = failed and now - answered >= self._patience
                if not problem or given_up or now - started >= QUIET:
                    word = Verification(verified=not problem, message=problem, given_up=given_up)
                    if word != question.word:
                        question.word = word
                        self._wake(key)
                    if word.verified or word.given_up:
                        return
                await self._clock.sleep(pause)
                pause = min(2 * pause, slowest)

    async def _look(self, key: Key, question: _Question) -> tuple[str, bool]:
        """Return what is not in force, and whether that is because somebody could not be asked."""
        versions = {version for entry in question.wanted for _, version in entry.versions}
        for verifier in question.verifiers:
            for entry in question.wanted:
                if not verifier.covers(entry):
                    continue
                try:
                    problem = await verifier.differs(entry, lambda: self._pods(key, versions))
                except (ProviderError, CannotTell, errors.KubeError) as error:
                    return f"{verifier.name}: {error}", True
                except Exception:  # noqa: BLE001 - an answer of an odd shape must not stop other questions
                    _log.exception("%s gave an answer that our own code cannot read", verifier.name)
                    return f"{verifier.name}: an answer that cannot be read; the log has the details", True
                if problem:
                    return f"{verifier.name}: {problem}", False
        return "", False
