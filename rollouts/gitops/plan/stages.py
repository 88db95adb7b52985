"""The stages of a sync: what is written together, and what must be healthy before the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rollouts.gitops.comparison import Compared
from rollouts.gitops.plan.order import Phase, kind_rank
from rollouts.kube.objects import ObjectKey

_FIRST = ("Namespace", "CustomResourceDefinition")
_LAST_WAVE = 2**31

TaskKind = Literal["apply", "hook", "prune"]


@dataclass(frozen=True, slots=True)
class Task:
    """One object in one stage."""

    kind: TaskKind
    one: Compared
    phase: Phase = Phase.SYNC

    @property
    def key(self) -> ObjectKey:
        """Return the object's key."""
        return self.one.key

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """Return what tells the task from others in an operation's results."""
        resource = self.key.resource
        return resource.group, resource.kind, self.key.namespace, self.key.name, self.phase.wire


@dataclass(frozen=True, slots=True)
class Stage:
    """Tasks of one phase and wave, in the order of kinds."""

    phase: Phase
    wave: int
    tasks: tuple[Task, ...]


def stages(
    compared: Iterable[Compared], *, only: frozenset[tuple[str, str, str, str]] | None
) -> Sequence[Stage]:
    """Return the stages of a sync in order.

    ``only`` restricts it to objects given as (group, kind, namespace, name); hooks do not run then. Objects
    that Git no longer has go last, when everything that replaces them has been applied.
    """
    rows: dict[tuple[int, int, int], list[Task]] = {}
    listed = list(compared)
    early = any(one.target is not None and not one.target.served for one in listed)
    for one in listed:
        if only is not None and not _is_listed(one, only):
            continue
        for task in _tasks(one, hooks=only is None):
            wave = _LAST_WAVE - one.wave if task.kind == "prune" else one.wave
            first = not early or one.key.resource.kind in _FIRST
            rows.setdefault((task.phase, wave, 0 if first else 1), []).append(task)
    return tuple(
        Stage(Phase(phase), wave, tuple(sorted(rows[phase, wave, late], key=_rank)))
        for phase, wave, late in sorted(rows)
    )


def _tasks(one: Compared, *, hooks: bool) -> Sequence[Task]:
    if one.to_prune:
        return (Task("prune", one),)
    if one.target is None or one.blocked:
        return ()
    if one.target.is_hook:
        return tuple(Task("hook", one, phase) for phase in one.target.phases) if hooks else ()
    return (Task("apply", one),)


def _is_listed(one: Compared, only: frozenset[tuple[str, str, str, str]]) -> bool:
    resource = one.key.resource
    place = (resource.group, resource.kind, one.key.namespace, one.key.name)
    return place in only or (resource.group, resource.kind, "", one.key.name) in only


def _rank(task: Task) -> tuple[int, str, str, str]:
    resource = task.key.resource
    return kind_rank(resource.kind), resource.kind, task.key.namespace, task.key.name
