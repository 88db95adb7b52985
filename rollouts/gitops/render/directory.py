"""Plain manifests: which files of a folder are read, and what is in them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rollouts.api.argoproj.source import ApplicationSource, DirectorySource
from rollouts.api.yamlio import YamlError, load_all
from rollouts.gitops.render.errors import RenderError, UnsupportedSource
from rollouts.gitops.render.globs import matches
from rollouts.gitops.source.tree import File, Tree
from rollouts.kube.objects import Manifest

EXTENSIONS = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a manifest was read."""

    file: str
    index: int

    def __str__(self) -> str:
        return f"{self.file} (object {self.index + 1})"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One object as its file has it. Shared between Applications: never change it in place."""

    manifest: Manifest
    origin: Origin


def check_supported(source: ApplicationSource, tree: Tree, folder: str) -> None:
    """Raise UnsupportedSource when the source is not a plain directory."""
    explicit = {
        "chart": bool(source.chart),
        "helm": source.helm is not None,
        "kustomize": source.kustomize is not None,
        "plugin": source.plugin is not None,
        "ref": bool(source.ref),
        "directory.jsonnet": source.directory is not None and source.directory.jsonnet is not None,
    }
    for name, asked in explicit.items():
        if asked:
            raise _unsupported(f"source.{name} is set")
    if source.directory is not None:
        return
    prefix = f"{folder}/" if folder else ""
    if tree.get(f"{prefix}Chart.yaml"):
        raise _unsupported(f"{prefix}Chart.yaml makes this a Helm chart")
    for name in _KUSTOMIZATIONS:
        if tree.get(f"{prefix}{name}"):
            raise _unsupported(f"{prefix}{name} makes this a kustomization")


def _unsupported(what: str) -> UnsupportedSource:
    return UnsupportedSource(
        f"{what}, which this controller cannot render yet: only plain directories are supported. Commit the "
        "rendered manifests, or set source.directory to read the files as they are"
    )


def selected(tree: Tree, folder: str, directory: DirectorySource | None) -> Sequence[File]:
    """Return the files that the source reads, in order.

    Raises RenderError when the folder does not exist, or one of the files is a link.
    """
    options = directory or DirectorySource()
    below = tree.under(folder)
    if not below:
        single = tree.get(folder)
        found = f"{folder!r} is a file" if single else f"there is no folder {folder!r}"
        raise RenderError(
            f"app path does not exist: {found} in commit {tree.commit[:12]}; correct source.path, or commit "
            "the folder"
        )
    start = len(folder) + 1 if folder else 0
    chosen = [file for file in below if _is_chosen(file.path[start:], options)]
    for file in chosen:
        if file.is_link or file.is_submodule:
            kind = "symbolic link" if file.is_link else "submodule"
            raise RenderError(f"{file.path} is a {kind}, which is never followed; commit the file itself")
    return chosen


def _is_chosen(path: str, options: DirectorySource) -> bool:
    parts = path.split("/")
    if len(parts) > 1 and not options.recurse:
        return False
    if not path.endswith(EXTENSIONS) and not options.disable_extension_filter:
        return False
    try:
        if options.exclude and matches(options.exclude, path):
            return False
        return not options.include or matches(options.include, path)
    except ValueError as error:
        raise RenderError(f"source.directory: {error}; correct include or exclude") from None


def parse(path: str, content: bytes) -> tuple[Rendered, ...]:
    """Return the objects of a file; the items of a List each count as one.

    Raises RenderError with file and line when it does not parse, or holds something that is no object.
    """
    documents = _documents(path, content)
    found: list[Manifest] = []
    for document in documents:
        found += _items(path, document)
    return tuple(Rendered(manifest, Origin(path, index)) for index, manifest in enumerate(found))


def _documents(path: str, content: bytes) -> list[dict[str, Any]]:
    if not path.endswith(".json"):
        try:
            return load_all(content)
        except YamlError as error:
            where = f"{path}:{error.line}:{error.column}" if error.line else path
            raise RenderError(f"{where}: {error.message}; correct the file") from None
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RenderError(f"{path}:{error.lineno}:{error.colno}: {error.msg}; correct the file") from None
    values = value if isinstance(value, list) else [value]
    for entry in values:
        if not isinstance(entry, dict):
            raise RenderError(f"{path}: an object was wanted, seen {type(entry).__name__}; correct the file")
    return values


def _items(path: str, document: dict[str, Any]) -> list[Manifest]:
    kind = document.get("kind")
    if not isinstance(kind, str) or not kind or not isinstance(document.get("apiVersion"), str):
        raise RenderError(
            f"{path}: a document without apiVersion or kind (its fields: {', '.join(sorted(document)[:8])}); "
            "complete it, or leave the file out with source.directory.exclude"
        )
    if kind.endswith("List") and isinstance(document.get("items"), list):
        found = []
        for item in document["items"]:
            if not isinstance(item, dict):
                raise RenderError(f"{path}: items of a {kind} must be objects; correct the file")
            found += _items(path, item)
        return found
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise RenderError(
            f"{path}: {kind} has no metadata.name (metadata.generateName cannot be kept in sync); name it"
        )
    return [document]
