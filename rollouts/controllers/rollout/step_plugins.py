"""Calling step plugins: Python packages that register under the entry point ``rollouts.step_plugins``."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from typing import Any, Protocol, get_args

import yaml

from rollouts.controllers.rollout.plugin_calls import Phase, PluginAnswer, PluginCall
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import ReadOnly

log = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "rollouts.step_plugins"
CONFIG_MAP = "argo-rollouts-config"
CALL_SECONDS = 60
CONFIG_AGE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a plugin returns: phase, words for people, data to be given back, when to call again.

    ``state`` is a mapping of JSON values: the schema of a Rollout's status allows nothing else.
    """

    phase: Phase
    message: str = ""
    state: Mapping[str, Any] | None = None
    requeue_after: timedelta | None = None


class StepPlugin(Protocol):
    """A step that somebody else wrote. A call may be repeated; ``state`` is what the last one returned."""

    async def run(self, rollout: ReadOnly, config: Any, state: Any) -> StepResult:
        """Do the step, or look how it is going."""
        ...

    async def terminate(self, rollout: ReadOnly, config: Any, state: Any) -> StepResult:
        """Stop what ``run`` started: the Rollout was fully promoted meanwhile."""
        ...

    async def abort(self, rollout: ReadOnly, config: Any, state: Any) -> StepResult:
        """Undo what ``run`` did: the update is aborted."""
        ...


class StepPlugins:
    """The registered plugins, and what the ConfigMap ``argo-rollouts-config`` says of them."""

    def __init__(self, namespace: str, plugins: Mapping[str, StepPlugin] | None = None) -> None:
        self._namespace = namespace
        self._plugins = dict(load_plugins() if plugins is None else plugins)
        self._configured: Mapping[str, ReadOnly] = {}
        self._read_at: datetime | None = None

    async def call(
        self, calls: Sequence[PluginCall], rollout: ReadOnly, api: KubeApi, now: datetime
    ) -> tuple[PluginAnswer, ...]:
        """Make the calls one after the other and return their answers."""
        if calls:
            await self._read_config(api, now)
        return tuple([await self._one(call, rollout) for call in calls])

    async def _one(self, call: PluginCall, rollout: ReadOnly) -> PluginAnswer:
        configured = self._configured.get(call.name) or {}
        if configured.get("disabled"):
            return PluginAnswer(call=call, disabled=True, message="the plugin is disabled")
        plugin = self._plugins.get(call.name)
        if plugin is None:
            return PluginAnswer(call=call, phase="Error", problem=self._unknown(call.name, configured))
        verbs = {"Run": plugin.run, "Abort": plugin.abort, "Terminate": plugin.terminate}
        try:
            async with asyncio.timeout(CALL_SECONDS):
                result = await verbs[call.operation](rollout, call.config, call.state)
            return _answer(call, result)
        except Exception as error:
            log.warning("step plugin %s: %s failed", call.name, call.operation, exc_info=error)
            text = str(error) or type(error).__name__
            return PluginAnswer(call=call, phase="Error", message=text, state=call.state)

    def _unknown(self, name: str, configured: ReadOnly) -> str:
        known = ", ".join(sorted(self._plugins)) or "none"
        if configured.get("location"):
            what = f"is a Go binary at {configured['location']}, which this controller cannot host"
        else:
            what = "is not configured"
        return (
            f"step plugin {name} {what}. Install a Python package that registers it as entry point "
            f"{ENTRY_POINT_GROUP} (registered: {known}), or promote the Rollout to skip the step"
        )

    async def _read_config(self, api: KubeApi, now: datetime) -> None:
        if self._read_at is not None and now - self._read_at < CONFIG_AGE:
            return
        self._read_at = now
        try:
            found = await api.get(objects.CONFIGMAPS, self._namespace, CONFIG_MAP)
            listed = yaml.safe_load((found.get("data") or {}).get("stepPlugins") or "") or []
        except (errors.NotFound, errors.Forbidden, yaml.YAMLError):
            listed = []
        self._configured = {
            str(item.get("name")): item for item in listed if isinstance(item, dict) and item.get("name")
        }


def _answer(call: PluginCall, result: StepResult) -> PluginAnswer:
    """Return what goes into the status. Raises TypeError, ValueError for what has no place there."""
    if result.phase not in get_args(Phase):
        raise ValueError(
            f"phase {result.phase!r} is not valid; a plugin answers {', '.join(get_args(Phase))}"
        )
    if result.state is not None and not isinstance(result.state, Mapping):
        raise TypeError(f"state is a {type(result.state).__name__}; it must be a mapping of JSON values")
    return PluginAnswer(
        call=call, phase=result.phase, message=str(result.message),
        state=json.loads(json.dumps(result.state, allow_nan=False)), requeue_after=result.requeue_after,
    )  # fmt: skip


def load_plugins() -> Mapping[str, StepPlugin]:
    """Load the registered plugins; one that cannot be loaded is logged and left out."""
    found: dict[str, StepPlugin] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            loaded = point.load()
            found[point.name] = loaded() if isinstance(loaded, type) else loaded
        except (ImportError, AttributeError, TypeError) as error:
            log.warning("step plugin %s (%s) cannot be loaded: %s", point.name, point.value, error)
    return found
