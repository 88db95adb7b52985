"""Which tests have to run in one process, when the tests run in several: those that share something costly.

A fixture that outlives a test and has to be given back (a cluster, a server) is costly. Tests that share one
stay together, so that it is started once; all others may run anywhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

_WIDTH = {"module": 1, "package": 2, "session": 3}
SHARED_CLUSTER = "bare_cluster"
"""The fixture over the run's one real cluster; the contract's tests get at it without that fixture."""


def group_of(item: pytest.Item, lane: str) -> str:
    """Return the name of the group in which the test has to run, "" when it may run anywhere."""
    if lane == "contract-real":
        return SHARED_CLUSTER
    return max(_shared(item), default=(0, 0, ""))[2]


def _shared(item: pytest.Item) -> Iterator[tuple[int, int, str]]:
    """Yield (width, whether it has a variant, name) of each costly fixture."""
    info = getattr(item, "_fixtureinfo", None)
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    for name, definitions in (info.name2fixturedefs if info else {}).items():
        fixture = definitions[-1]
        width = _WIDTH.get(fixture.scope, 0)
        if (
            not width
            or not fixture.baseid.startswith("tests")
            or not inspect.isgeneratorfunction(fixture.func)
        ):
            continue
        place = fixture.baseid.removeprefix("tests/").replace("/", "-") if width == 1 else ""
        variant = str(parameters.get(name, ""))
        yield width, bool(variant), "-".join(part for part in (place, name, variant) if part)
