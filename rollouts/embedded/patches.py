"""Patches: JSON merge (RFC 7386), JSON patch (RFC 6902) and strategic merge.

Pure. Nothing is changed in place, and what a patch does not touch is shared with the original: the schema
pass and the comparison for managed fields skip shared subtrees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollouts.embedded.failures import ApiFailure, bad_request, unprocessable
from rollouts.embedded.shapes import Shape


def merge(target: Any, patch: Any) -> Any:
    """Return ``target`` after a JSON merge patch: null deletes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merge(out.get(name), value)
    return out


def json_patch(document: Any, operations: Any) -> Any:
    """Return ``document`` after a JSON patch. Raises 422 where it does not apply, 400 when malformed."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    for index, operation in enumerate(operations):
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise bad_request(f"error decoding patch: operation {index} has no path")
        document = _operate(document, operation)
    return document


def _operate(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation["path"])
    match operation.get("op"):
        case "add":
            return _edit(document, path, _adding(_value(operation)), operation)
        case "replace":
            return _edit(document, path, _replacing(_value(operation)), operation)
        case "remove":
            return _edit(document, path, _removing, operation)
        case "test":
            if _look_up(document, path, operation) != operation.get("value"):
                raise _does_not_apply(operation, "testing value failed")
            return document
        case "copy":
            found = _look_up(document, _source(operation), operation)
            return _edit(document, path, _adding(found), operation)
        case "move":
            source = _source(operation)
            found = _look_up(document, source, operation)
            without = _edit(document, source, _removing, operation)
            return _edit(without, path, _adding(found), operation)
    raise bad_request(f"error decoding patch: unknown operation {operation.get('op')!r}")


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise bad_request(f"error decoding patch: {operation['op']} of {operation['path']} has no value")
    return operation["value"]


def _source(operation: Mapping[str, Any]) -> list[str]:
    if not isinstance(operation.get("from"), str):
        raise bad_request(f"error decoding patch: {operation['op']} to {operation['path']} has no from")
    return _pointer(operation["from"])


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise unprocessable(f"JSON pointer {text!r} does not start with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _does_not_apply(operation: Mapping[str, Any], why: str) -> ApiFailure:
    return unprocessable(f"{operation.get('op')} operation of {operation['path']} does not apply: {why}")


def _index(part: str, size: int) -> int:
    if not part.isascii() or not part.isdigit() or int(part) >= size:
        raise LookupError(f"no list index {part!r} (length {size})")
    return int(part)


def _look_up(document: Any, path: Sequence[str], operation: Mapping[str, Any]) -> Any:
    try:
        for part in path:
            document = document[_index(part, len(document))] if isinstance(document, list) else document[part]
    except (LookupError, TypeError) as wrong:
        raise _does_not_apply(operation, f"missing value ({wrong})") from None
    return document


Edit = Callable[[Any, str], Any]


def _edit(document: Any, path: Sequence[str], edit: Edit, operation: Mapping[str, Any]) -> Any:
    """Copy the containers along ``path`` and let ``edit`` change the last one."""
    if not path:
        if operation.get("op") == "remove":
            raise _does_not_apply(operation, "the document itself cannot be removed")
        return edit({}, "")[""]
    try:
        return _edit_below(document, path, edit)
    except (LookupError, TypeError) as wrong:
        raise _does_not_apply(operation, f"missing value ({wrong})") from None


def _edit_below(node: Any, path: Sequence[str], edit: Edit) -> Any:
    if not isinstance(node, (dict, list)):
        raise LookupError(f"{path[0]!r} is inside a scalar")
    if len(path) == 1:
        return edit(node, path[0])
    out: Any = node.copy()
    step: Any = _index(path[0], len(node)) if isinstance(node, list) else path[0]
    out[step] = _edit_below(node[step], path[1:], edit)
    return out


def _adding(value: Any) -> Edit:
    def add(node: Any, last: str) -> Any:
        if isinstance(node, dict):
            return {**node, last: value}
        out = list(node)
        out.insert(len(out) if last == "-" else _index(last, len(out) + 1), value)
        return out

    return add


def _replacing(value: Any) -> Edit:
    def replace(node: Any, last: str) -> Any:
        out = node.copy()
        step: Any = _index(last, len(node)) if isinstance(node, list) else last
        if last or not isinstance(node, dict):
            out[step]
        out[step] = value
        return out

    return replace


def _removing(node: Any, last: str) -> Any:
    out = node.copy()
    del out[_index(last, len(node)) if isinstance(node, list) else last]
    return out


_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"
_DIRECTIVE = "$patch"


def strategic(target: Any, patch: Any, shape: Shape) -> Any:
    """Return ``target`` after a strategic merge patch, lists merged by the shape's merge keys."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {k: v for k, v in patch.items() if k != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown $patch directive {directive!r}")
    out = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        out = {k: v for k, v in out.items() if k in patch[_RETAIN]}
    for name, value in patch.items():
        if name in (_DIRECTIVE, _RETAIN) or name.startswith((_ORDER, _DELETE_PRIMITIVES)):
            continue
        if value is None:
            out.pop(name, None)
        else:
            out[name] = _strategic_value(out.get(name), value, shape.child(name))
    return _edit_lists(out, patch, shape)


def _edit_lists(out: dict[str, Any], patch: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """Follow the directives that delete primitives from lists and put lists in order."""
    for name, value in patch.items():
        if name.startswith(_DELETE_PRIMITIVES):
            field = name.removeprefix(_DELETE_PRIMITIVES)
            out[field] = [item for item in out.get(field) or [] if item not in value]
    for name, value in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            out[field] = _ordered(out.get(field) or [], value, shape.child(field).merge_key)
    return out


def _strategic_value(target: Any, value: Any, shape: Shape) -> Any:
    if not isinstance(value, list):
        return strategic(target, value, shape)
    held = target if isinstance(target, list) else []
    if shape.merge_key is None:
        return [item for item in value if not (isinstance(item, dict) and _DIRECTIVE in item)]
    if shape.merge_key == "":
        return held + [item for item in value if item not in held]
    return _merge_list(held, value, shape.merge_key, shape.element())


def _merge_list(held: Sequence[Any], patch: Sequence[Any], key: str, item: Shape) -> list[Any]:
    out = list(held)
    if any(isinstance(entry, dict) and entry.get(_DIRECTIVE) == "replace" for entry in patch):
        return [entry for entry in patch if _DIRECTIVE not in entry]
    for entry in patch:
        if not isinstance(entry, dict) or key not in entry:
            raise bad_request(f"map: {entry} does not contain declared merge key: {key}")
        at = next((i for i, old in enumerate(out) if old.get(key) == entry[key]), None)
        if entry.get(_DIRECTIVE) == "delete":
            out = [old for old in out if old.get(key) != entry[key]]
        elif at is None:
            out.append(strategic({}, entry, item))
        else:
            out[at] = strategic(out[at], entry, item)
    return out


def _ordered(held: Sequence[Any], order: Sequence[Any], key: str | None) -> list[Any]:
    """Sort the listed items as ``order`` says; items that it does not list keep their place before them."""

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    listed = sorted((i for i in held if identity(i) in wanted), key=lambda i: wanted.index(identity(i)))
    return [i for i in held if identity(i) not in wanted] + listed
