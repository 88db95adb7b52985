"""Tests that share something costly stay in one process; all others may run anywhere."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lanes.sharing import SHARED_CLUSTER, group_of


def given_back() -> Iterator[int]:
    yield 1


def kept() -> int:
    return 1


def item(*fixtures: tuple[str, str, str, Callable[..., Any]], **parameters: str) -> Any:
    definitions = {
        name: [SimpleNamespace(scope=scope, baseid=baseid, func=func)]
        for name, scope, baseid, func in fixtures
    }
    return SimpleNamespace(
        _fixtureinfo=SimpleNamespace(name2fixturedefs=definitions),
        callspec=SimpleNamespace(params=parameters),
    )


WORLD = ("world", "package", "tests/cluster", given_back)
SYNC = ("sync", "package", "tests/cluster", given_back)
DELIVERIES = ("deliveries", "module", "tests/cluster/test_x.py", given_back)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(item(), "", id="nothing-shared"),
        pytest.param(item(("one", "function", "tests/x", given_back)), "", id="a-fixture-of-each-test"),
        pytest.param(item(("tools", "session", "tests/x", kept)), "", id="a-value-that-costs-nothing"),
        pytest.param(item(("tmp", "session", "", given_back)), "", id="a-fixture-of-a-plugin"),
        pytest.param(item(WORLD, world="ours"), "world-ours", id="each-variant-by-itself"),
        pytest.param(item(SYNC, WORLD, world="ours"), "world-ours", id="the-one-with-variants-leads"),
        pytest.param(item(DELIVERIES, WORLD, world="ours"), "world-ours", id="the-widest-leads"),
        pytest.param(item(DELIVERIES), "cluster-test_x.py-deliveries", id="a-module-by-its-path"),
    ],
)
def test_the_group_is_the_widest_fixture_that_must_be_given_back(subject: Any, expected: str) -> None:
    assert group_of(subject, "unit") == expected


def test_the_contract_on_the_real_server_joins_the_shared_cluster() -> None:
    assert group_of(item(), "contract-real") == SHARED_CLUSTER
