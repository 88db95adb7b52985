"""Every object of an Application beside its live state: in step or not, to prune or not. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from rollouts.api.argoproj.application import IgnoreDifference
from rollouts.gitops.diff.compare import Path, differences, removed_fields, was_applied_by_us
from rollouts.gitops.diff.ignore import Pointer, adopted, pointers_for, without_ignored
from rollouts.gitops.diff.normalise import LAST_APPLIED
from rollouts.gitops.health.kinds import health_of
from rollouts.gitops.health.model import Health, Level, worst
from rollouts.gitops.plan.options import Options, of_object
from rollouts.gitops.plan.order import hooks_of, wave_of
from rollouts.gitops.targets import Target, Targets
from rollouts.gitops.transplant import NOTHING, Owned, transplanted
from rollouts.kube.objects import (
    Manifest,
    ObjectKey,
    ReadOnly,
    annotations_of,
    controller_owner,
    is_deleting,
    uid_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One object. ``target`` is None for one that Git no longer has.

    ``differences`` is what people see: Git against live. ``pending`` is what an apply of ``effective`` would
    change; it is smaller where others own fields. ``blocked`` says why the object is not applied.
    """

    key: ObjectKey
    target: Target | None
    live: Manifest | None
    effective: Manifest | None = None
    differences: tuple[Path, ...] = ()
    pending: tuple[Path, ...] = ()
    guarded: bool = False
    """Whether an apply must carry the live resourceVersion."""
    blocked: str = ""
    options: Options = field(default_factory=Options)
    health: Health | None = None

    @property
    def wave(self) -> int:
        """Return the sync wave."""
        return self.target.wave if self.target else wave_of(self.live or {})

    @property
    def is_hook(self) -> bool:
        """Tell whether it only exists to run at some moment of a sync."""
        return bool(hooks_of(self.target.manifest if self.target else self.live or {}))

    @property
    def missing(self) -> bool:
        """Tell whether it should exist and does not."""
        return self.target is not None and self.live is None and not self.is_hook

    @property
    def in_step(self) -> bool:
        """Tell whether the live object says all that Git says."""
        return self.target is not None and self.live is not None and not self.differences

    @property
    def needs_apply(self) -> bool:
        """Tell whether an apply would change something and is allowed."""
        if self.target is None or self.is_hook or self.blocked:
            return False
        return self.live is None or bool(self.pending)

    @property
    def to_prune(self) -> bool:
        """Tell whether Git no longer has it."""
        return self.target is None and self.live is not None and not self.is_hook

    @property
    def may_prune(self) -> bool:
        """Tell whether nothing on the object forbids to prune it."""
        return self.to_prune and not self.options.no("Prune") and self.options.get("Prune") != "confirm"


@dataclass(frozen=True, slots=True)
class Settled:
    """Differences that remained right after an apply: the API server itself (or a webhook) made them.

    They hold for the desired object with this digest, while the live values are the ones noted.
    """

    digest: str
    values: Mapping[Path, Any]

    def covers(self, path: Path, digest: str, live: ReadOnly) -> bool:
        """Tell whether a difference is one of those."""
        return digest == self.digest and path in self.values and value_at(live, path) == self.values[path]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a comparison is to respect.

    ``owned`` and ``blocked`` are by object, ``held`` those of which people should see the difference that
    others' fields make.
    """

    options: Options = field(default_factory=Options)
    ignore: Sequence[IgnoreDifference] = ()
    owned: Mapping[ObjectKey, Owned] = field(default_factory=dict)
    blocked: Mapping[ObjectKey, str] = field(default_factory=dict)
    held: frozenset[ObjectKey] = frozenset()
    settled: Mapping[ObjectKey, Settled] = field(default_factory=dict)


def compare(targets: Targets, live: Mapping[ObjectKey, Manifest], rules: Rules) -> tuple[Compared, ...]:
    """Return every object that is wanted or tracked, wanted ones first in the order of the targets."""
    wanted = [_compared(target, live.get(target.key), rules) for target in targets.objects]
    extra = sorted((key for key in live if key not in targets.by_key), key=_order)
    gone = [
        Compared(
            key=key,
            target=None,
            live=live[key],
            options=of_object(live[key], rules.options),
            health=health_of(live[key]),
        )
        for key in extra
        if controller_owner(live[key]) is None
    ]
    return (*wanted, *gone)


def _compared(target: Target, live: Manifest | None, rules: Rules) -> Compared:
    options = of_object(target.manifest, rules.options)
    blocked = target.problem or rules.blocked.get(target.key, "")
    if live is None:
        effective = None if blocked else target.manifest
        return Compared(
            key=target.key, target=target, live=None, effective=effective, blocked=blocked, options=options
        )
    pointers = pointers_for(target.manifest, rules.ignore)
    settled = rules.settled.get(target.key)
    owned = rules.owned.get(target.key, NOTHING)
    effective = transplanted(target.manifest, live, owned)
    if options.yes("RespectIgnoreDifferences") and pointers:
        effective = adopted(effective, live, pointers)
    pending = _found(effective, live, pointers, settled)
    held = target.key in rules.held
    return Compared(
        key=target.key,
        target=target,
        live=live,
        effective=effective,
        differences=_found(target.manifest, live, pointers, settled) if held else pending,
        pending=pending,
        guarded=owned != NOTHING,
        blocked=blocked,
        options=options,
        health=health_of(live),
    )


def _found(
    desired: ReadOnly, live: ReadOnly, pointers: Sequence[Pointer], settled: Settled | None
) -> tuple[Path, ...]:
    paths = differences(desired, live)
    if not was_applied_by_us(live):
        paths += removed_fields(desired, live, _last_applied(live))
    kept = without_ignored(paths, pointers)
    if settled is None or not kept:
        return kept
    digest = digest_of(desired)
    return tuple(path for path in kept if not settled.covers(path, digest, live))


def settle(desired: ReadOnly, answer: ReadOnly) -> Settled | None:
    """Return what an apply's answer shows that the API server changed; None when it kept everything."""
    paths = differences(desired, answer)
    if not paths:
        return None
    return Settled(digest_of(desired), {path: value_at(answer, path) for path in paths})


def digest_of(desired: ReadOnly) -> str:
    """Return a digest of a whole desired object; it stays in this process."""
    return hashlib.sha256(orjson.dumps(desired, option=orjson.OPT_SORT_KEYS)).hexdigest()


def value_at(obj: Any, path: Path) -> Any:
    """Return what stands at a path, None when there is nothing."""
    for part in path:
        if isinstance(obj, Mapping):
            obj = obj.get(part)
        elif isinstance(obj, list) and isinstance(part, int) and part < len(obj):
            obj = obj[part]
        else:
            return None
    return obj


def _last_applied(live: ReadOnly) -> ReadOnly:
    text = annotations_of(live).get(LAST_APPLIED, "")
    try:
        value = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _order(key: ObjectKey) -> tuple[str, str, str, str]:
    return key.resource.group, key.resource.kind, key.namespace, key.name


def aggregate_health(objects: Iterable[Compared]) -> Health:
    """Return the Application's health: the worst of its objects.

    Hooks do not count. Missing objects count only when nothing else is live, as at the peer.
    """
    ordinary = [one for one in objects if not one.is_hook and not one.to_prune]
    live = [one for one in ordinary if one.live is not None]
    if ordinary and not live:
        return Health(Level.MISSING)
    found = []
    for one in live:
        if one.health is None:
            continue
        child = one.key.resource.kind == "Application" and one.health.level in (Level.MISSING, Level.UNKNOWN)
        if not child:
            found.append(Health(one.health.level, _named(one, one.health)))
    return worst(found)


def _named(one: Compared, health: Health) -> str:
    return f"{one.key}: {health.message}" if health.message else ""


def in_sync(objects: Iterable[Compared]) -> bool:
    """Tell whether Git and the cluster agree."""
    return not any(
        one.to_prune or (one.target is not None and not one.is_hook and not one.in_step) for one in objects
    )


def uid(one: Compared) -> str:
    """Return the live object's uid."""
    return uid_of(one.live or {})


def going(one: Compared) -> bool:
    """Tell whether the live object is being deleted."""
    return one.live is not None and is_deleting(one.live)
