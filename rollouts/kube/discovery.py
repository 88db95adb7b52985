"""Which resources an API server serves, read from its discovery documents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from rollouts.kube import errors
from rollouts.kube.api import ServedResource
from rollouts.kube.objects import Manifest, Resource

Fetch = Callable[[str], Awaitable[Manifest]]

PARALLEL = 8


async def served(fetch: Fetch) -> Sequence[ServedResource]:
    """Return every served resource, preferred versions first within a group.

    A group whose document cannot be had (an aggregated API server that is down) is left out. Raises
    KubeError when the list of groups itself cannot be had.
    """
    groups = (await fetch("/apis")).get("groups") or []
    places = [("", "v1", "/api/v1"), *_places(groups)]
    slots = asyncio.Semaphore(PARALLEL)

    async def one(group: str, version: str, path: str) -> list[ServedResource]:
        async with slots:
            try:
                return list(_rows(group, version, await fetch(path)))
            except (errors.Transient, errors.NotFound):
                return []

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(*place)) for place in places]
    return [row for task in running for row in task.result()]


def _places(groups: Iterable[Manifest]) -> Iterable[tuple[str, str, str]]:
    for group in groups:
        preferred = (group.get("preferredVersion") or {}).get("version")
        versions = [str(v.get("version")) for v in group.get("versions") or ()]
        for version in sorted(versions, key=lambda v: v != preferred):
            yield str(group["name"]), version, f"/apis/{group['name']}/{version}"


def _rows(group: str, version: str, document: Manifest) -> Iterable[ServedResource]:
    entries: list[Manifest] = document.get("resources") or []
    subresources: dict[str, set[str]] = {}
    for entry in entries:
        plural, _, sub = str(entry["name"]).partition("/")
        subresources.setdefault(plural, set()).update([sub] if sub else [])
    for entry in entries:
        plural = str(entry["name"])
        if "/" in plural:
            continue
        resource = Resource(group, version, plural, str(entry["kind"]), bool(entry.get("namespaced")))
        yield ServedResource(
            resource,
            frozenset(entry.get("verbs") or ()),
            tuple(entry.get("shortNames") or ()),
            frozenset(subresources[plural]),
        )
