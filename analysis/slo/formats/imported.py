"""What an import gives, and the small tools that every format needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.slo.model import API_VERSION, KIND, ServiceLevelObjectiveSpec
from analysis.slo.validation import read_objective
from analysis.spec.errors import SpecError

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ImportWarning:
    """A field that was not taken over."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Imported:
    """One objective of ours, and what of the original it does not say."""

    name: str
    spec: ServiceLevelObjectiveSpec
    namespace: str = ""
    warnings: tuple[ImportWarning, ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Return it as a Kubernetes object."""
        metadata = {"name": self.name, **({"namespace": self.namespace} if self.namespace else {})}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": self.spec.manifest()}


@dataclass(slots=True)
class Reader:
    """Reads one document's fields by path, and remembers which it was asked for."""

    document: Document
    prefix: str = ""
    warnings: list[ImportWarning] = field(default_factory=list)

    def warn(self, path: str, message: str) -> None:
        """Note a field that is not taken over."""
        self.warnings.append(ImportWarning(self.prefix + path, message))

    def error(self, path: str, message: str) -> SpecError:
        """Return the error of a field."""
        return SpecError(self.prefix + path, message)

    def get(self, path: str, default: Any = None) -> Any:
        """Return the value at a dotted path, ``default`` when it is not there."""
        value: Any = self.document
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return default if value is None else value

    def text(self, path: str, default: str | None = None) -> str:
        """Return a string. Raises SpecError when it is missing without a default, or is something else."""
        value = self.get(path, default)
        if not isinstance(value, str) or (not value and default is None):
            seen = "is missing" if value in (None, "") else f"is {_kind(value)}"
            raise self.error(path, f"{seen}; wanted text")
        return value

    def number(self, path: str) -> float | None:
        """Return a number, also one that is written as text; None when it is not there. Raises SpecError."""
        value = self.get(path)
        if value is None:
            return None
        try:
            if isinstance(value, bool):
                raise ValueError
            return float(value)
        except (TypeError, ValueError):
            raise self.error(path, f"is {_kind(value)}; wanted a number") from None

    def mapping(self, path: str) -> Document:
        """Return a map, {} when it is not there. Raises SpecError for something else."""
        value = self.get(path, {})
        if not isinstance(value, Mapping):
            raise self.error(path, f"is {_kind(value)}; wanted a map")
        return value

    def items(self, path: str) -> list[Any]:
        """Return a list, [] when it is not there. Raises SpecError for something else."""
        value = self.get(path, [])
        if not isinstance(value, list):
            raise self.error(path, f"is {_kind(value)}; wanted a list")
        return value

    def strings(self, path: str) -> dict[str, str]:
        """Return a map of texts. Raises SpecError."""
        found = self.mapping(path)
        for key, value in found.items():
            if not isinstance(value, str):
                raise self.error(f"{path}.{key}", f"is {_kind(value)}; wanted text")
        return {str(key): value for key, value in found.items()}

    def only(self, path: str, *known: str) -> None:
        """Warn about every field of the map at ``path`` ("" for the document) that is not among ``known``."""
        value = self.get(path) if path else self.document
        for name in value if isinstance(value, Mapping) else ():
            if name not in known:
                where = f"{path}.{name}" if path else str(name)
                self.warn(where, "is not taken over: nothing here stands for it")

    def copy(self) -> Reader:
        """Return a reader of the same document whose further warnings are its own."""
        return Reader(self.document, self.prefix, list(self.warnings))

    def below(self, path: str, value: Any) -> Reader:
        """Return a reader of a part, with the same warnings. Raises SpecError when it is no map."""
        if not isinstance(value, Mapping):
            raise self.error(path, f"is {_kind(value)}; wanted a map")
        return Reader(value, f"{self.prefix}{path}.", self.warnings)


def finished(reader: Reader, name: str, written: Document, namespace: str = "") -> Imported:
    """Return the import. Raises SpecError when what came out of it is no objective that can be used."""
    try:
        spec = read_objective(_without_empty(written))
    except SpecError as error:
        raise SpecError(reader.prefix.rstrip("."), f"objective {name!r} cannot be used as {error}") from error
    return Imported(name, spec, namespace, tuple(reader.warnings))


def share_of_percent(percent: float) -> float:
    """Return 0.999 for 99.9, without the noise of binary division."""
    return float(f"{percent / 100:.12g}")


def documents_of(kind: str, documents: list[Document]) -> Iterator[Document]:
    """Return the documents of a kind."""
    return (document for document in documents if document.get("kind") == kind)


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        cleaned = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item not in ("", {}, [], None)}
    return value


def _kind(value: Any) -> str:
    names = {dict: "a map", list: "a list", str: "text", bool: "true or false", type(None): "missing"}
    return names.get(type(value), "a number")
