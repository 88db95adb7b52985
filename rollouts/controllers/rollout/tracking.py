"""Which copies of their ConfigMaps the pods of a Rollout mount (opt-in). Pure but for what is remembered.

The annotation ``rollouts.dev/track-config`` is "true" or a list of names. The wanted template then names
copies (``rollouts.workloads.configcopies``) and everything else follows from it. Several edits in a row make
one revision: while the content is younger than ``QUIET`` the present version stays the wanted one, at most
for ``LONGEST``. A version that has a ReplicaSet already does not wait. The moment of a change is when this
process first saw it, so a restart only makes it later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rollouts.api.argoproj.validation import invalid_spec_message
from rollouts.api.fielderrors import invalid
from rollouts.controllers.rollout.snapshot import ConfigCopy, RolloutSnapshot, TrackedConfig
from rollouts.kube import objects
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Key, Manifest, ReadOnly, Resource
from rollouts.traffic.router import Need
from rollouts.workloads import configcopies, labels, replicaset

QUIET = timedelta(seconds=3)
LONGEST = timedelta(seconds=30)

FindResource = Callable[[str, str], Resource | None]


class Changes:
    """Remembers since when each Rollout's config is another one than its pods mount."""

    def __init__(self) -> None:
        self._seen: dict[Key, tuple[Mapping[str, str], datetime, datetime]] = {}

    def settles_at(self, key: Key, changed: Mapping[str, str], now: datetime) -> datetime | None:
        """Return when the change counts, None when it does by now or when nothing changed."""
        if not changed:
            self.forget(key)
            return None
        before, first, last = self._seen.get(key, ({}, now, now))
        if before != changed:
            last = now
        self._seen[key] = changed, first, last
        due = min(last + QUIET, first + LONGEST)
        return due if now < due else None

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a Rollout."""
        self._seen.pop(key, None)


@dataclass(frozen=True, slots=True)
class _Sight:
    """The ConfigMaps of one namespace as the cache has them."""

    cache: Cache
    resource: Resource
    namespace: str

    def get(self, name: str) -> Manifest | None:
        return self.cache.get(self.resource, self.namespace, name)

    def source_of(self, name: str) -> str:
        """Return of what the ConfigMap with this name is a copy, "" when of none."""
        found = self.get(name)
        return configcopies.source_of(found) if found is not None else ""


def follow(
    snapshot: RolloutSnapshot, cache: Cache, find_resource: FindResource, changes: Changes
) -> tuple[RolloutSnapshot, tuple[Need, ...]]:
    """Return the snapshot whose template names copies, and the ConfigMaps that it rests on."""
    key = Key(snapshot.namespace, snapshot.name)
    asked = objects.annotations_of(snapshot.manifest).get(labels.TRACK_CONFIG, "false").strip()
    if asked == "false" or snapshot.invalid or not snapshot.template:
        changes.forget(key)
        return snapshot, ()
    resource = find_resource("", objects.CONFIGMAPS.kind)
    if resource is None:
        text = "ConfigMaps cannot be read; add manifests/components/track-config to the installation"
        return replace(snapshot, invalid=_message(snapshot, asked, text)), ()
    sight = _Sight(cache, resource, snapshot.namespace)
    refs = configcopies.references(snapshot.template)
    tracked, strangers = _tracked(asked, refs, sight)
    mounted = _mounted(snapshot, sight)
    copies, missing = _copies(tracked, mounted, sight)
    needs = tuple(_need(snapshot.namespace, name) for name in sorted({*tracked, *copies.values()}))
    problem = ""
    if strangers:
        problem = f"the pod template names no ConfigMap {', '.join(strangers)}; it names {_list(refs)}"
    elif missing:
        problem = f'configmaps "{missing[0]}" not found'
    template = configcopies.with_copies(snapshot.template, copies)
    changed = {} if _is_there(snapshot, template) else _changed(copies, mounted)
    known = replace(
        snapshot,
        template=template,
        config=TrackedConfig(
            copies=tuple(
                _view(name, source, sight) for source, name in sorted(_pinned(copies, tracked, sight))
            ),
            settles_at=changes.settles_at(key, changed, snapshot.now),
        ),
        invalid=_message(snapshot, asked, problem) if problem else "",
    )
    return known, needs


def _tracked(asked: str, refs: Mapping[str, bool], sight: _Sight) -> tuple[Mapping[str, bool], list[str]]:
    """Return the references to follow, and the names asked for that the template does not have.

    An undo writes the names of copies into the spec: there a copy stands for its source.
    """
    if asked == "true":
        return refs, []
    names = [name for part in asked.split(",") if (name := part.strip())]
    stands_for = {ref: sight.source_of(ref) or ref for ref in refs}
    tracked = {ref: optional for ref, optional in refs.items() if stands_for[ref] in names or ref in names}
    return tracked, sorted(set(names) - set(stands_for.values()) - set(refs))


def _mounted(snapshot: RolloutSnapshot, sight: _Sight) -> Mapping[str, str]:
    """Return the copies that the present version mounts, by source."""
    present = replicaset.find(snapshot.replica_sets, snapshot.status.current_pod_hash)
    if present is None or present.deleting:
        return {}
    refs = configcopies.references(replicaset.template_of(present))
    return {source: name for name in refs if (source := sight.source_of(name))}


def _copies(
    tracked: Mapping[str, bool], mounted: Mapping[str, str], sight: _Sight
) -> tuple[Mapping[str, str], list[str]]:
    """Return the copies to mount by source, and the sources that must be there and are not.

    A source that is deleted changes nothing: the version goes on with the copy that it has.
    """
    copies: dict[str, str] = {}
    missing: list[str] = []
    for name, optional in tracked.items():
        found = sight.get(name)
        if found is None and name in mounted:
            copies[name] = mounted[name]
        elif found is None:
            missing += [] if optional else [name]
        elif not configcopies.source_of(found):
            copies[name] = configcopies.copy_name(name, configcopies.digest_of(found))
    return copies, missing


def _is_there(snapshot: RolloutSnapshot, template: ReadOnly) -> bool:
    """Tell whether the version has a ReplicaSet: a way back, or what was begun before a restart."""
    live = [rs for rs in snapshot.replica_sets if not rs.deleting]
    return replicaset.find_by_template(live, template, snapshot.status.collision_count) is not None


def _changed(copies: Mapping[str, str], mounted: Mapping[str, str]) -> Mapping[str, str]:
    return {source: name for source, name in copies.items() if mounted.get(source, name) != name}


def _pinned(copies: Mapping[str, str], tracked: Mapping[str, bool], sight: _Sight) -> set[tuple[str, str]]:
    """Return (source, copy) for every copy that the template names."""
    return {*copies.items(), *((source, ref) for ref in tracked if (source := sight.source_of(ref)))}


def _view(name: str, source: str, sight: _Sight) -> ConfigCopy:
    origin, found = sight.get(source), sight.get(name)
    digest = configcopies.digest_of(origin) if origin is not None else ""
    view = ConfigCopy(name=name, source=source)
    if found is not None:
        owners = objects.metadata(found).get("ownerReferences") or ()
        version = objects.resource_version(found)
        theirs = configcopies.source_of(found) != source
        return replace(view, uid=objects.uid_of(found), version=version, owners=tuple(owners), foreign=theirs)
    return replace(view, digest=digest) if configcopies.copy_name(source, digest) == name else view


def _need(namespace: str, name: str) -> Need:
    return Need(group="", kind=objects.CONFIGMAPS.kind, namespace=namespace, name=name, optional=True)


def _list(refs: ReadOnly) -> str:
    return ", ".join(sorted(refs)) or "none"


def _message(snapshot: RolloutSnapshot, asked: str, text: str) -> str:
    return invalid_spec_message(
        snapshot.name, invalid(f"metadata.annotations[{labels.TRACK_CONFIG}]", asked, text)
    )
