"""Write the CustomResourceDefinitions: ``python -m rollouts.api.crdgen [--check] [--out crds]``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from rollouts.api.argoproj.kinds import KINDS, VERSION, Column, Kind, Scale
from rollouts.api.rolloutsdev.kinds import OWN_KINDS
from rollouts.api.schema import kind_schema

ALL_KINDS = (*KINDS.values(), *OWN_KINDS.values())
_HEADER = (
    "# Written by `python -m rollouts.api.crdgen` from the models in rollouts/api; change those instead.\n"
)


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": kind.group,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": list(kind.short_names),
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [_version(kind)],
        },
    }


def _version(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": kind_schema(kind.model)},
        "subresources": _subresources(kind.status, kind.scale),
    }
    if kind.columns:
        version["additionalPrinterColumns"] = [_column(column) for column in kind.columns]
    return version


def _subresources(status: bool, scale: Scale | None) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}} if status else {}
    if scale is not None:
        subresources["scale"] = {
            "specReplicasPath": scale.spec_replicas,
            "statusReplicasPath": scale.status_replicas,
            "labelSelectorPath": scale.label_selector,
        }
    return subresources


def _column(column: Column) -> dict[str, Any]:
    written: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        written["description"] = column.description
    if column.priority:
        written["priority"] = column.priority
    return written


class _Dumper(yaml.SafeDumper):
    """Writes every value out: no anchors, and list items under their key are indented."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def render(kind: Kind) -> str:
    """Return the text of a kind's file."""
    return _HEADER + yaml.dump(definition(kind), Dumper=_Dumper, width=110, allow_unicode=True)


def file_name(kind: Kind) -> str:
    """Return the name of a kind's file."""
    return f"{kind.group}_{kind.plural}.yaml"


def _files(folder: Path) -> Iterator[Path]:
    for group in sorted({kind.group for kind in ALL_KINDS}):
        yield from folder.glob(f"{group}_*.yaml")


def stale_files(folder: Path) -> tuple[str, ...]:
    """Return the names of files that are missing, differ, or belong to no kind."""
    wanted = {file_name(kind): render(kind) for kind in ALL_KINDS}
    present = {path.name: path.read_text("utf-8") for path in _files(folder)}
    names = sorted(wanted.keys() | present.keys())
    return tuple(name for name in names if wanted.get(name) != present.get(name))


def write(folder: Path) -> None:
    """Write all files, and remove those of kinds that no longer exist."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {file_name(kind): render(kind) for kind in ALL_KINDS}
    for path in list(_files(folder)):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, "utf-8")


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is not up to date.")
@click.option(
    "--out",
    "folder",
    default="crds",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the files.",
)
def main(check: bool, folder: Path) -> None:
    """Write the CustomResourceDefinitions from the models."""
    if not check:
        write(folder)
        return
    stale = stale_files(folder)
    if stale:
        names = ", ".join(stale)
        raise click.ClickException(f"not up to date in {folder}: {names}; run python -m rollouts.api.crdgen")


if __name__ == "__main__":
    main()
