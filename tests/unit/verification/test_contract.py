"""What every verifier promises, against servers that answer as the real ones do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web

from analysis.providers.errors import ProviderError
from rollouts.verification.verifier import CannotTell, Verifier, Wanted
from rollouts.verification.wanted import wanted
from tests.unit.verification.planes import (
    INTENT,
    SERVERS,
    AlbPlane,
    EnvoyPlane,
    Plane,
    Rules,
    TraefikPlane,
    answering,
    closing,
    pods,
)

SPLIT = {"stable": 80, "canary": 20}
TO_CANARY = {"canary": 1}


@pytest.fixture(params=[TraefikPlane, EnvoyPlane, AlbPlane], ids=["traefik", "envoy", "alb"])
def plane(request: pytest.FixtureRequest) -> Plane:
    kind: Callable[[], Plane] = request.param
    return kind()


async def asked(plane: Plane, written: Rules, have: Rules) -> str:
    """Return what differs between the written rules and those that the data plane has."""
    plane.rules = have
    async with answering(plane) as (verifier, _):
        return await differs(verifier, plane, written)


async def differs(verifier: Verifier, plane: Plane, written: Rules) -> str:
    (want,) = wanted([plane.live(written)], INTENT)
    assert verifier.covers(want)
    return await verifier.differs(want, pods)


@pytest.mark.parametrize(
    ("written", "have"),
    [
        ([SPLIT], [SPLIT]),
        ([{"stable": 8, "canary": 2}], [SPLIT]),
        ([{"stable": 100, "canary": 0}], [{"stable": 100, "canary": 0}]),
        ([{"stable": 0, "canary": 1}], [{"stable": 0, "canary": 100}]),
        ([SPLIT, TO_CANARY], [SPLIT, TO_CANARY]),
        ([SPLIT | {"third": 50}], [SPLIT | {"third": 50}]),
        ([{"third": 1}, SPLIT], [{"third": 1}, SPLIT]),
    ],
    ids=["same", "scaled", "none", "all", "header-rule", "another-service", "another-rule"],
)
async def test_what_the_data_plane_has_is_in_force(plane: Plane, written: Rules, have: Rules) -> None:
    assert await asked(plane, written, have) == ""


@pytest.mark.parametrize(
    ("written", "have"),
    [
        ([SPLIT], [{"stable": 100, "canary": 0}]),
        ([{"stable": 100, "canary": 0}], [SPLIT]),
        ([{"stable": 0, "canary": 1}], [SPLIT]),
        ([SPLIT, TO_CANARY], [SPLIT]),
        ([SPLIT], [{"stable": 79, "canary": 21}]),
        ([SPLIT, SPLIT], [SPLIT, {"stable": 50, "canary": 50}]),
    ],
    ids=["rises", "falls", "rises-to-all", "header-rule-missing", "by-one", "second-rule"],
)
async def test_what_it_does_not_have_yet_is_not(plane: Plane, written: Rules, have: Rules) -> None:
    assert "written" in await asked(plane, written, have)


async def test_the_right_weights_are_not_enough_while_a_service_leads_to_pods_of_another_version(
    plane: Plane,
) -> None:
    plane.servers = SERVERS | {"canary": ("10.0.0.1", "10.0.0.2")}
    text = await asked(plane, [SPLIT], [SPLIT])
    assert "shop/canary still leads to 10.0.0.1, a pod of version v1 instead of v2" in text


async def test_pods_behind_a_service_without_a_share_do_not_matter(plane: Plane) -> None:
    plane.servers = SERVERS | {"canary": ("10.0.0.1",)}
    none = {"stable": 100, "canary": 0}
    assert await asked(plane, [none], [none]) == ""


async def test_addresses_that_are_no_pods_say_nothing(plane: Plane) -> None:
    plane.servers = {"stable": ("192.0.2.7",), "canary": ("192.0.2.7",)}
    assert await asked(plane, [SPLIT], [SPLIT]) == ""


async def test_both_shares_are_told(plane: Plane) -> None:
    text = await asked(plane, [SPLIT], [{"stable": 50, "canary": 50}])
    assert "shop/canary 20 %, shop/stable 80 %" in text
    assert "shop/canary 50 %, shop/stable 50 %" in text


async def test_a_rule_that_is_unknown_there_is_never_in_force(plane: Plane) -> None:
    try:
        said = await asked(plane, [SPLIT], [{"third": 1}])
    except CannotTell as error:
        said = str(error)
    assert "shop" in said


@pytest.mark.parametrize(
    "fault",
    [
        lambda: web.Response(status=500, text="boom"),
        lambda: web.Response(status=403, text="no"),
        lambda: web.Response(text="<html>", content_type="text/html"),
        lambda: web.Response(text="7", content_type="application/json"),
    ],
    ids=["error", "forbidden", "page", "number"],
)
async def test_an_answer_of_no_use_is_an_error(plane: Plane, fault: Callable[[], web.Response]) -> None:
    plane.fault = fault()
    with pytest.raises((ProviderError, CannotTell)):
        await asked(plane, [SPLIT], [SPLIT])


async def test_a_server_that_is_gone_is_an_error(plane: Plane) -> None:
    async with answering(plane) as (_, backend):
        address = backend.url
    async with closing(plane.verifier(address)) as verifier:
        with pytest.raises(ProviderError):
            await differs(verifier, plane, [SPLIT])


def test_objects_of_others_are_not_its_concern(plane: Plane) -> None:
    want = Wanted(kind="VirtualService", namespace="shop", name="web", services=("shop/stable",), rules=())
    assert not plane.verifier("http://127.0.0.1:1").covers(want)
