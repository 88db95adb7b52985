"""Which version a series belongs to, and how a query asks for those two versions alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis.counts.errors import CountsError
from analysis.counts.vectors import LabelSet

SELECTOR = re.compile(r"\{\{\s*selector\s*\}\}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_COUNTER = re.compile(r"\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(\{[^{}]*\})?\s*")


class Arm(StrEnum):
    """The side of the comparison."""

    STABLE = "stable"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of one version. ``name`` is short: what follows the version's hash in the pod's name."""

    arm: Arm
    name: str


@dataclass(frozen=True, slots=True)
class Versions:
    """The two pod-template hashes, and where series show them.

    With ``hash_label`` that label is the hash; without it the hash is a part of the pod's name
    (``web-5d9c7b-x2f4k``), as Kubernetes builds it.
    """

    stable: str
    canary: str
    pod_label: str = "pod"
    hash_label: str = ""

    def selector(self) -> str:
        """Return the PromQL matcher of both versions."""
        return matcher_of((self.canary, self.stable), self.pod_label, self.hash_label)

    def put_into(self, query: str) -> str:
        """Return the query with its ``{{selector}}`` filled in.

        A counter's selector that does not say where gets it inside its braces.
        """
        if not SELECTOR.search(query) and _COUNTER.fullmatch(_STRING.sub('""', query)):
            return _with_matcher(query.strip(), self.selector())
        return SELECTOR.sub(lambda _: self.selector(), query)

    def pod_of(self, labels: LabelSet) -> Pod | None:
        """Return the pod of a series, None when it belongs to neither version.

        Raises CountsError when the series does not name its pod: aggregated counters cannot be judged.
        """
        values = dict(labels)
        name = values.get(self.pod_label, "")
        if not name:
            raise CountsError(
                f"a series has no label {self.pod_label!r} (its labels: {', '.join(values) or 'none'}):"
                " counts are needed per pod; keep the label, or name another one in podLabel"
            )
        for arm, wanted in ((Arm.CANARY, self.canary), (Arm.STABLE, self.stable)):
            before, found, after = name.rpartition(f"-{wanted}-")
            named = bool(found and before and after)
            if values.get(self.hash_label) == wanted if self.hash_label else named:
                return Pod(arm, after if named else name)
        return None


def _with_matcher(counter: str, matcher: str) -> str:
    if not counter.endswith("}"):
        return f"{counter}{{{matcher}}}"
    inside = counter[:-1].rstrip()
    comma = "" if inside.endswith(("{", ",")) else ","
    return f"{inside}{comma}{matcher}}}"


def matcher_of(hashes: Sequence[str], pod_label: str, hash_label: str = "") -> str:
    """Return the PromQL matcher of the pods of some versions."""
    either = "|".join(hashes)
    if hash_label:
        return f'{hash_label}=~"{either}"'
    return f'{pod_label}=~".+-({either})-[a-z0-9]+"'


def without(labels: LabelSet, names: Iterable[str]) -> LabelSet:
    """Return the labels less some names."""
    left_out = frozenset(names)
    return tuple(pair for pair in labels if pair[0] not in left_out)
