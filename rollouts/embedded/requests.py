"""Reading a request: what its path names and what its query asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from rollouts.embedded.failures import bad_request, no_such_path
from rollouts.embedded.resources import Registry, ResourceType
from rollouts.embedded.store import Name
from rollouts.embedded.writes import FieldValidation, Options

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FIELD_VALIDATION = ("Ignore", "Warn", "Strict")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names; ``name`` "" is the collection, ``namespace`` None all namespaces."""

    kind: ResourceType
    namespace: str | None
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Name:
        """Return the key of the named object."""
        return Name(self.namespace or "", self.name)


def parse_target(registry: Registry, path: str) -> Target | None:
    """Return what an API path names, None where it is a discovery path. Raises 404."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["api", version, first, *rest]:
            return _in_version(registry, "", version, [first, *rest])
        case ["apis", group, version, first, *rest]:
            return _in_version(registry, group, version, [first, *rest])
        case [("api" | "apis"), *_]:
            return None
    if not parts:
        return None
    raise no_such_path()


def _in_version(registry: Registry, group: str, version: str, parts: list[str]) -> Target:
    namespace: str | None = None
    if parts[0] == "namespaces" and len(parts) > 2 and (group or parts[2] not in ("status", "finalize")):
        namespace, parts = parts[1], parts[2:]
    if len(parts) > 3:
        raise no_such_path()
    plural, name, subresource = (*parts, "", "")[:3]
    kind = registry.find(group, version, plural)
    if (namespace is not None and not kind.namespaced) or (name and kind.namespaced and not namespace):
        raise no_such_path()
    return Target(kind, namespace, name, subresource)


class Query:
    """The query parameters of one request."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return a parameter, "" when absent."""
        return self._values.get(name, "")

    def flag(self, name: str) -> bool:
        """Return a boolean parameter, spelled in any way that Go accepts."""
        return self._values.get(name, "") in _TRUE

    def number(self, name: str) -> float:
        """Return a number, 0 when absent. Raises 400."""
        text = self._values.get(name, "")
        if not text:
            return 0.0
        try:
            return float(text)
        except ValueError:
            raise bad_request(f"{name}: {text!r} is not a number") from None

    def version(self) -> str:
        """Return the resourceVersion. Raises 400 unless it is a number."""
        text = self.text("resourceVersion")
        if text and not text.isdigit():
            raise bad_request(f'resourceVersion: Invalid value: "{text}": must be a number')
        return text

    def dry_run(self) -> bool:
        """Tell whether nothing is to be stored. Raises 400 for anything but ``All``."""
        asked = self.text("dryRun")
        if asked not in ("", "All"):
            raise bad_request(f'dryRun: Unsupported value: "{asked}": supported values: "All"')
        return bool(asked)

    def write_options(self, user_agent: str) -> Options:
        """Return the options of a write; without a fieldManager the client's name is the manager."""
        validation = self.text("fieldValidation") or "Warn"
        if validation not in _FIELD_VALIDATION:
            allowed = ", ".join(_FIELD_VALIDATION)
            raise bad_request(f'fieldValidation: Unsupported value: "{validation}": {allowed}')
        manager = self.text("fieldManager") or user_agent.partition("/")[0] or "unknown"
        strictness: Any = validation
        return Options(
            manager=manager[:128],
            dry_run=self.dry_run(),
            force=self.flag("force"),
            field_validation=cast("FieldValidation", strictness),
        )
