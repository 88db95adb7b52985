"""The pod-template hash, equal to the one that Argo Rollouts (from 1.9) writes.

FNV-1a (32 bit) over Go's ``json.Marshal`` of the PodTemplateSpec: struct field order, empty values left
out, map keys sorted, ``<>&`` and U+2028/9 escaped, quantities in canonical form; eight bytes of the
collision count follow when it is set. The decimal sum is spelled in an alphabet without vowels.
``podtemplate.json`` holds the field order, taken from the Kubernetes types by ``tools/podtemplate``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any

import orjson

from rollouts.api.scalars import ScalarError, canonical_quantity

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_FNV_OFFSET = 2166136261
_FNV_PRIME = 16777619
_SCALARS = {"string", "bool", "int32", "int64", "IntOrString", "Quantity", "Time", "FieldsV1", "bytes"}
_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)

Fields = tuple[tuple[str, str, bool], ...]


@cache
def _types() -> Mapping[str, Fields]:
    text = resources.files("rollouts.workloads").joinpath("podtemplate.json").read_text("utf-8")
    return {name: tuple((f[0], f[1], f[2]) for f in fields) for name, fields in json.loads(text).items()}


def pod_template_hash(template: Mapping[str, Any], collision_count: int | None = None) -> str:
    """Return the value of the label ``rollouts-pod-template-hash`` for a pod template."""
    key = _key(template, collision_count)
    known = _known.get(key)
    if known is None or not key:
        data = go_json(template).encode()
        if collision_count is not None:
            data += collision_count.to_bytes(4, "little") + bytes(4)
        known = safe_encode(str(fnv32a(data)))
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = known
    return known


MOST_KNOWN = 10_000
"""Hashes remembered by content: each decision asks for the same ones, and the sum goes byte by byte."""
_known: dict[bytes, str] = {}


def _key(template: Mapping[str, Any], collision_count: int | None) -> bytes:
    """Return a digest of the content; b"" for what is no JSON and is worked out each time."""
    try:
        content = orjson.dumps([template, collision_count])
    except TypeError:
        return b""
    return blake2b(content, digest_size=16).digest()


def steps_hash(steps: Any) -> str:
    """Return the value of ``status.currentStepHash`` for the canary steps as the user wrote them.

    A Go and a Python controller may spell it differently; a foreign value at first touch is adopted.
    """
    text = json.dumps(steps or None, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return safe_encode(str(fnv32a(text.encode())))


def fnv32a(data: bytes) -> int:
    """Return the 32-bit FNV-1a sum."""
    total = _FNV_OFFSET
    for byte in data:
        total = ((total ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return total


def safe_encode(text: str) -> str:
    """Spell a string in Kubernetes' alphabet that forms no words (``rand.SafeEncodeString``)."""
    return "".join(_ALPHABET[ord(char) % len(_ALPHABET)] for char in text)


def go_json(template: Mapping[str, Any]) -> str:
    """Return what Go's ``json.Marshal`` gives for the template decoded as a PodTemplateSpec.

    Fields that the type does not know, and values of the wrong type, are left out, as a tolerant decoder
    leaves them out.
    """
    return _struct(template, "PodTemplateSpec").translate(_ESCAPES)


def _struct(value: Mapping[str, Any], type_name: str) -> str:
    value = _with_schema_defaults(value, type_name)
    parts = []
    for name, kind, omit in _types()[type_name]:
        encoded = _encode(value.get(name), kind, omit)
        if encoded is not None:
            parts.append(f'"{name}":{encoded}')
    return "{" + ",".join(parts) + "}"


def _with_schema_defaults(value: Mapping[str, Any], type_name: str) -> Mapping[str, Any]:
    """Add the defaults that the upstream CRD's schema writes, so that our schema hashes the same."""
    match type_name:
        case "ContainerPort" if "protocol" not in value:
            return {**value, "protocol": "TCP"}
        case "GRPCAction" if "service" not in value:
            return {**value, "service": ""}
        case "FileKeySelector" if "optional" not in value:
            return {**value, "optional": False}
        case _:
            return value


def _encode(value: Any, kind: str, omit: bool) -> str | None:
    pointer = kind.startswith("*")
    kind = kind.removeprefix("*")
    if value is None or not _fits(value, kind):
        return None if omit else _zero(kind, pointer)
    if (
        omit
        and not pointer
        and not value
        and kind not in {"IntOrString", "Quantity"}
        and kind not in _types()
    ):
        return None
    return _encode_set(value, kind)


def _encode_set(value: Any, kind: str) -> str:
    if kind.startswith("[]"):
        items = (_encode(item, kind[2:], omit=False) for item in value)
        return "[" + ",".join(item for item in items if item is not None) + "]"
    if kind.startswith("{}"):
        pairs = ((key, _encode(value[key], kind[2:], omit=False)) for key in sorted(value))
        return "{" + ",".join(f"{_text(key)}:{item}" for key, item in pairs if item is not None) + "}"
    if kind in _SCALARS:
        return _scalar(value, kind)
    return _struct(value, kind)


def _fits(value: Any, kind: str) -> bool:
    if kind.startswith("[]"):
        return isinstance(value, list | tuple)
    if kind.startswith("{}") or kind in _types():
        return isinstance(value, Mapping)
    match kind:
        case "string" | "Time" | "bytes":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "int32" | "int64":
            return isinstance(value, int) and not isinstance(value, bool)
        case "Quantity":
            return _is_quantity(value)
        case _:
            return True


def _is_quantity(value: Any) -> bool:
    try:
        canonical_quantity(value)
    except (ScalarError, TypeError):
        return False
    return True


def _zero(kind: str, pointer: bool) -> str | None:
    """Return what Go writes for a value that is absent and not left out."""
    if pointer or kind.startswith(("[]", "{}")):
        return "null"
    match kind:
        case "string" | "bytes":
            return '""'
        case "bool":
            return "false"
        case "int32" | "int64" | "IntOrString":
            return "0"
        case "Time":
            return "null"
        case "Quantity":
            return '"0"'
        case _:
            return _struct({}, kind)


def _scalar(value: Any, kind: str) -> str:
    if kind == "Quantity":
        return _text(canonical_quantity(value))
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value, separators=(",", ":"))


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
