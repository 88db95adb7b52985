"""The rules of ``metadata`` for every kind: names, labels, finalizers, what a writer may set. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rollouts.embedded.failures import Cause, bad_request
from rollouts.kube.objects import Manifest

KNOWN = frozenset(
    {
        "name",
        "generateName",
        "namespace",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
        "resourceVersion",
        "uid",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)
SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "name")
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_PATH_SEGMENT_FORBIDDEN = re.compile(r"[/%]|^\.{1,2}$")

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def generated_name(prefix: str, digits: Sequence[int]) -> str:
    """Return ``prefix`` with a suffix of one safe character for each number."""
    suffix = "".join(SUFFIX_ALPHABET[d % len(SUFFIX_ALPHABET)] for d in digits)
    return prefix[: 63 - len(suffix)] + suffix


def sane(meta: Any) -> Manifest:
    """Return writable metadata with unknown fields dropped. Raises 400 when it is no object."""
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise bad_request("metadata is not an object")
    out = {k: v for k, v in meta.items() if k in KNOWN and v is not None}
    for name in ("labels", "annotations"):
        held = out.get(name)
        if held is None:
            continue
        if not isinstance(held, dict) or not all(isinstance(v, str) for v in held.values()):
            raise bad_request(f"metadata.{name} must map strings to strings")
        if not held:
            del out[name]
    for name in ("finalizers", "ownerReferences"):
        if name in out and not out[name]:
            del out[name]
    return out


def check(meta: Mapping[str, Any], name_rule: str = "subdomain") -> list[Cause]:
    """Return what is wrong with an object's metadata."""
    causes = _check_name(str(meta.get("name", "")), name_rule)
    for key, value in (meta.get("labels") or {}).items():
        causes += _check_label(key, value)
    for key in meta.get("annotations") or {}:
        causes += _check_key(key, "metadata.annotations")
    for finalizer in meta.get("finalizers") or ():
        causes += _check_key(finalizer, "metadata.finalizers")
    causes += _check_owners(meta.get("ownerReferences") or ())
    return causes


def _check_name(name: str, rule: str) -> list[Cause]:
    if not name:
        why = "Required value: name or generateName is required"
        return [Cause("metadata.name", why, "FieldValueRequired")]
    if rule == "path":
        bad = _PATH_SEGMENT_FORBIDDEN.search(name) is not None
        text = "may not contain '/' or '%', or be '.' or '..'"
    elif rule == "service":
        bad = len(name) > 63 or not _SERVICE_NAME.fullmatch(name)
        text = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with a letter"
        )
    elif rule == "label":
        bad = len(name) > 63 or not _LABEL_NAME.fullmatch(name)
        text = _LABEL_RULE
    else:
        bad = len(name) > 253 or not _SUBDOMAIN.fullmatch(name)
        text = _SUBDOMAIN_RULE
    return [Cause("metadata.name", f'Invalid value: "{name}": {text}')] if bad else []


def _check_key(key: str, field: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    ok = len(name) <= 63 and bool(_QUALIFIED.fullmatch(name))
    if slash:
        ok = ok and len(prefix) <= 253 and bool(_SUBDOMAIN.fullmatch(prefix.lower()))
    if ok:
        return []
    why = (
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character"
    )
    return [Cause(field, f'Invalid value: "{key}": {why}')]


def _check_label(key: str, value: str) -> list[Cause]:
    causes = _check_key(key, "metadata.labels")
    if value and (len(value) > 63 or not _QUALIFIED.fullmatch(value)):
        why = (
            "must be no more than 63 bytes"
            if len(value) > 63
            else "a valid label must be empty or consist of alphanumeric characters, '-', '_' or '.'"
        )
        causes.append(Cause("metadata.labels", f'Invalid value: "{value}": {why}'))
    return causes


def _check_owners(owners: Sequence[Mapping[str, Any]]) -> list[Cause]:
    causes: list[Cause] = []
    for index, owner in enumerate(owners):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                field = f"metadata.ownerReferences[{index}].{name}"
                causes.append(Cause(field, 'Invalid value: "": must not be empty'))
    controllers = [o for o in owners if o.get("controller")]
    if len(controllers) > 1:
        shown = " and ".join(f'"{o.get("kind")}/{o.get("name")}"' for o in controllers)
        why = f"Only one reference can have Controller set to true. Found {shown}"
        causes.append(Cause("metadata.ownerReferences", f"Invalid value: {why}"))
    return causes


def check_update(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cause]:
    """Return what an update of metadata may not do."""
    if not old.get("deletionTimestamp"):
        return []
    added = [f for f in new.get("finalizers") or () if f not in (old.get("finalizers") or ())]
    if not added:
        return []
    why = (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        f"{added}"
    )
    return [Cause("metadata.finalizers", why, "FieldValueForbidden")]
