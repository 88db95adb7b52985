"""Which format a file is in, and its objectives."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.slo.formats.imported import Document, Imported
from analysis.slo.formats.openslo import is_openslo, read_openslo
from analysis.slo.formats.pyrra import is_pyrra, read_pyrra
from analysis.slo.formats.sloth import is_sloth, read_sloth
from analysis.slo.model import API_VERSION
from analysis.slo.validation import is_objective, read_objective
from analysis.spec.errors import SpecError

WANTED = f"{API_VERSION} ServiceLevelObjective, openslo/v1, Sloth prometheus/v1, pyrra.dev/v1alpha1"


def read_file(documents: Sequence[Document]) -> list[Imported]:
    """Return every objective of a file's documents, of whatever format. Raises SpecError.

    A document that is no objective of any format is an error.
    """
    openslo = [document for document in documents if is_openslo(document)]
    found: list[Imported] = []
    for index, document in enumerate(documents):
        if is_openslo(document):
            continue
        try:
            found += _read(document)
        except SpecError as error:
            where = f"document {index + 1}" if len(documents) > 1 else ""
            path = ": ".join(part for part in (where, error.path) if part)
            raise SpecError(path, error.message) from error
    return found + read_openslo(openslo)


def _read(document: Document) -> list[Imported]:
    if is_objective(document):
        metadata = document.get("metadata") or {}
        spec = read_objective(document.get("spec"))
        return [Imported(str(metadata.get("name", "")), spec, str(metadata.get("namespace", "")))]
    if is_sloth(document):
        return read_sloth(document)
    if is_pyrra(document):
        return read_pyrra(document)
    seen = " ".join(str(document.get(key)) for key in ("apiVersion", "kind") if document.get(key))
    raise SpecError("", f"{seen or 'a document without apiVersion'} is no objective; known are {WANTED}")
