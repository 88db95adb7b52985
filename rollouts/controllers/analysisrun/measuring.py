"""Measurements under way, beside the reconciles. They live in memory only.

After a restart a run continues from its status: what was under way is simply measured again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from analysis.run.machine import Due, Finished
from analysis.runner import RunIdentity, Runner
from analysis.spec.arguments import argument_values
from analysis.spec.objects import AnalysisRunSpec, Argument
from analysis.spec.status import Measurement, Phase
from rollouts import logs
from rollouts.kube import errors
from rollouts.kube.objects import Key

_log = logging.getLogger(__name__)

ReadSecret = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""``read(namespace, name)`` returns a Secret's decoded values. Raises KubeError."""


class Unresolvable(Exception):
    """An argument's Secret is not there, or not the key in it: the run ends with this message."""


@dataclass(slots=True)
class _Run:
    """What is under way, and what came of it, for one run."""

    in_flight: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    finished: list[Finished] = field(default_factory=list)
    rejection: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What has come for a run since it last let go of answers."""

    finished: tuple[Finished, ...] = ()
    in_flight: frozenset[str] = frozenset()
    rejection: str = ""


class Measuring:
    """Starts measurements, keeps their answers until a status holds them, and wakes their run."""

    def __init__(self, runner: Runner, read_secret: ReadSecret, wake: Callable[[Key], None]) -> None:
        self._runner = runner
        self._read_secret = read_secret
        self._wake = wake
        self._runs: dict[str, _Run] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Let measurements run until cancelled; then none is left."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = None
            self._runs.clear()

    def taken(self, uid: str) -> Taken:
        """Return the answers for a run and what is still under way."""
        run = self._runs.get(uid)
        if run is None:
            return Taken()
        return Taken(tuple(run.finished), frozenset(run.in_flight), run.rejection)

    def settle(self, uid: str, finished: Sequence[Finished]) -> None:
        """Let go of answers: a committed status holds them, or they are not wanted."""
        run = self._runs.get(uid)
        if run is not None:
            run.finished = [item for item in run.finished if item not in finished]
            if not (run.finished or run.in_flight or run.rejection):
                del self._runs[uid]

    def forget(self, uid: str) -> None:
        """Cancel everything of a run that is gone."""
        run = self._runs.pop(uid, None)
        for task in run.in_flight.values() if run is not None else ():
            task.cancel()

    def cancel(self, uid: str, metric: str) -> None:
        """Stop one measurement; no answer comes of it."""
        run = self._runs.get(uid)
        task = run.in_flight.pop(metric, None) if run is not None else None
        if task is not None:
            task.cancel()

    def start(self, key: Key, identity: RunIdentity, spec: AnalysisRunSpec, due: Due) -> None:
        """Begin a measurement, unless the metric is being measured already."""
        run = self._runs.setdefault(identity.uid, _Run())
        if self._group is None or due.metric.name in run.in_flight:
            return
        work = self._measure(key, identity, spec, due)
        run.in_flight[due.metric.name] = self._group.create_task(work, name=f"{key} {due.metric.name}")

    async def _measure(self, key: Key, identity: RunIdentity, spec: AnalysisRunSpec, due: Due) -> None:
        finished: Finished | None = None
        rejection = ""
        try:
            with logs.bound(key=str(key), uid=identity.uid):
                finished = await self._taken_one(identity, spec, due)
        except Unresolvable as error:
            rejection = f"Unable to resolve metric arguments: {error}"
        except errors.KubeError as error:
            finished = _failed(due, f"the arguments' Secret cannot be read: {error.message}")
        except Exception:  # noqa: BLE001 - a plugin's bug must not stop other runs' measurements
            _log.exception("measuring metric %r failed in our own code or a plugin's", due.metric.name)
            finished = _failed(due, "internal error while measuring; the controller's log has the details")
        run = self._runs.get(identity.uid)
        if run is None or run.in_flight.get(due.metric.name) is not asyncio.current_task():
            return
        del run.in_flight[due.metric.name]
        run.rejection = run.rejection or rejection
        if finished is not None:
            run.finished.append(finished)
        self._wake(key)

    async def _taken_one(self, identity: RunIdentity, spec: AnalysisRunSpec, due: Due) -> Finished:
        values, secrets = await self._arguments(identity.namespace, spec.args)
        template = next(metric for metric in spec.metrics if metric.name == due.metric.metric.name)
        return await self._runner.take(due, template, values, secrets, identity)

    async def _arguments(
        self, namespace: str, args: Sequence[Argument]
    ) -> tuple[Mapping[str, str], Sequence[str]]:
        """Return all arguments' values, and which of them are secret. Secrets are read anew each time."""
        secrets: dict[str, str] = {}
        for argument in args:
            reference = argument.value_from.secret_key_ref if argument.value_from else None
            if argument.value is None and reference is not None:
                secrets[argument.name] = await self._secret(namespace, reference.name, reference.key)
                logs.redact(secrets[argument.name])
        return argument_values(args, lambda argument: secrets[argument.name]), tuple(secrets.values())

    async def _secret(self, namespace: str, name: str, key: str) -> str:
        try:
            data = await self._read_secret(namespace, name)
        except errors.NotFound:
            raise Unresolvable(f"secret '{namespace}/{name}' not found") from None
        if key not in data:
            raise Unresolvable(f"key '{key}' does not exist in secret '{namespace}/{name}'")
        return data[key]


def _failed(due: Due, message: str) -> Finished:
    base = due.measurement or Measurement()
    measurement = base.model_copy(update={"phase": Phase.ERROR.value, "message": message, "resume_at": None})
    return Finished(due.metric.name, due.step, due.sequence, measurement)
