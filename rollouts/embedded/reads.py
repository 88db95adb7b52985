"""Lists: selectors, consistent pages, continue tokens."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from rollouts.embedded import selectors
from rollouts.embedded.failures import ApiFailure, bad_request, expired
from rollouts.embedded.resources import METADATA_FIELDS, ResourceType
from rollouts.embedded.selectors import Predicate
from rollouts.embedded.store import Collection, Entry, Name, Store


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Query parameters of a list; ``limit`` 0 asks for everything."""

    namespace: str | None = None
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list at ``version``; ``remaining`` is None where a selector makes it unknown."""

    entries: list[Entry]
    version: int
    continue_token: str = ""
    remaining: int | None = None


def predicate(kind: ResourceType, label_selector: str, field_selector: str) -> Predicate:
    """Return what both selectors together accept. Raises 400."""
    by_label: Predicate = selectors.labels(label_selector) if label_selector else selectors.everything
    by_field: Predicate = selectors.everything
    if field_selector:
        by_field = selectors.fields(field_selector, kind.selectable, plain=_is_plain(kind))
    return selectors.both(by_label, by_field)


def _is_plain(kind: ResourceType) -> bool:
    return not kind.custom and kind.selectable == METADATA_FIELDS


def list_page(store: Store, kind: ResourceType, options: ListOptions) -> Page:
    """Return one page. Raises 410 for a continue token whose version is compacted away."""
    collection = store.collection(kind.group, kind.plural)
    matches = predicate(kind, options.label_selector, options.field_selector)
    version, after = _start(store, collection, options)
    at_present = version == store.version
    found = (
        collection.entries(options.namespace, after)
        if at_present
        else collection.entries_at(version, options.namespace, after)
    )
    chosen = ((key, entry) for key, entry in found if matches(entry.object))
    if not options.limit:
        return Page([entry for _, entry in chosen], version)
    return _cut(chosen, options, version, selective=matches is not selectors.everything)


def _cut(
    chosen: Iterable[tuple[Name, Entry]], options: ListOptions, version: int, *, selective: bool
) -> Page:
    taken: list[Entry] = []
    last = Name("", "")
    rest = iter(chosen)
    for key, entry in rest:
        if len(taken) == options.limit:
            remaining = None if selective else 1 + sum(1 for _ in rest)
            return Page(taken, version, _token(version, last), remaining)
        taken.append(entry)
        last = key
    return Page(taken, version)


def _start(store: Store, collection: Collection, options: ListOptions) -> tuple[int, Name | None]:
    if options.continue_token:
        version, after = _read_token(options.continue_token)
        if version < collection.floor:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You must start a new list without the continue parameter."
            )
        return version, after
    asked = options.resource_version
    if asked in ("", "0"):
        return store.version, None
    if not asked.isdigit():
        raise bad_request(f'resourceVersion: Invalid value: "{asked}": must be a number')
    if int(asked) > store.version:
        raise ApiFailure(504, "Timeout", f"Too large resource version: {asked}, current: {store.version}")
    if not options.exact:
        return store.version, None
    if int(asked) < collection.floor:
        raise expired(f"The resourceVersion for the provided list is too old: {asked}")
    return int(asked), None


def _token(version: int, last: Name) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([version, last.namespace, last.name])).decode()


def _read_token(token: str) -> tuple[int, Name]:
    try:
        version, namespace, name = orjson.loads(base64.urlsafe_b64decode(token))
        return int(version), Name(str(namespace), str(name))
    except ValueError:
        raise bad_request("continue key is not valid") from None


def list_metadata(page: Page) -> dict[str, Any]:
    """Return the ``metadata`` of a list object."""
    meta: dict[str, Any] = {"resourceVersion": str(page.version)}
    if page.continue_token:
        meta["continue"] = page.continue_token
        if page.remaining is not None:
            meta["remainingItemCount"] = page.remaining
    return meta
