"""``spec.ignoreDifferences``: which differences do not count, and what they leave in an apply. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from rollouts.api.argoproj.application import IgnoreDifference
from rollouts.gitops.diff.compare import Path
from rollouts.gitops.diff.tracking import group_of
from rollouts.kube.objects import Manifest, ReadOnly, name_of, namespace_of

Pointer = tuple[str, ...]


def pointers_for(obj: ReadOnly, rules: Iterable[IgnoreDifference]) -> tuple[Pointer, ...]:
    """Return the JSON pointers whose differences do not count in an object."""
    return tuple(
        parse_pointer(pointer) for rule in rules if _concerns(rule, obj) for pointer in rule.json_pointers
    )


def unsupported(rules: Sequence[IgnoreDifference]) -> tuple[str, ...]:
    """Return the paths of rules that are set and not acted on."""
    found = []
    for index, rule in enumerate(rules):
        if rule.jq_path_expressions:
            found.append(f"spec.ignoreDifferences[{index}].jqPathExpressions")
        if rule.managed_fields_managers:
            found.append(f"spec.ignoreDifferences[{index}].managedFieldsManagers")
    return tuple(found)


def without_ignored(paths: Iterable[Path], pointers: Sequence[Pointer]) -> tuple[Path, ...]:
    """Return the differences that are not below an ignored pointer."""
    return tuple(path for path in paths if not any(_below(path, pointer) for pointer in pointers))


def adopted(desired: Manifest, live: ReadOnly, pointers: Iterable[Pointer]) -> Manifest:
    """Return the desired object with the live values at the pointers: RespectIgnoreDifferences."""
    result = copy.deepcopy(desired)
    for pointer in pointers:
        _adopt(result, live, pointer)
    return result


def parse_pointer(pointer: str) -> Pointer:
    """Return the parts of a JSON pointer (RFC 6901)."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("/").split("/"))


def _below(path: Path, pointer: Pointer) -> bool:
    return tuple(str(part) for part in path[: len(pointer)]) == pointer


def _adopt(target: Any, live: Any, pointer: Pointer) -> None:
    *parents, last = pointer
    for part in parents:
        target, live = _child(target, part), _child(live, part)
    if isinstance(target, list) and isinstance(live, list) and last.isdecimal():
        index = int(last)
        if index < len(target) and index < len(live):
            target[index] = copy.deepcopy(live[index])
    elif isinstance(target, dict):
        if isinstance(live, dict) and last in live:
            target[last] = copy.deepcopy(live[last])
        else:
            target.pop(last, None)


def _child(value: Any, part: str) -> Any:
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return value.get(part) if isinstance(value, dict) else None


def _concerns(rule: IgnoreDifference, obj: ReadOnly) -> bool:
    return (
        fnmatchcase(group_of(obj), rule.group)
        and fnmatchcase(str(obj.get("kind", "")), rule.kind)
        and (not rule.name or rule.name == name_of(obj))
        and (not rule.namespace or rule.namespace == namespace_of(obj))
    )
