"""What every vendor's provider promises, whatever the vendor: errors that tell what to do, and no secret."""

from typing import Any

import pytest
from aiohttp import web

from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import BackendError, ConfigurationError, CredentialsRefused, EgressRefused
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from tests.unit.analysis.providers.backend import Asked, never
from tests.unit.analysis.providers.vendors import VENDORS, Impatient, ask

every_vendor = pytest.mark.parametrize("vendor", VENDORS)


def refused(vendor: str, status: int) -> Any:
    """Answer as the vendor refuses credentials, echoing what it was sent, as some gateways do."""

    def respond(asked: Asked) -> web.Response:
        echo = " ".join(asked.headers.values())
        if vendor == "cloudWatch":
            error = f"<Error><Code>AccessDenied</Code><Message>{echo}</Message></Error>"
            return web.Response(text=f"<ErrorResponse>{error}</ErrorResponse>", status=status)
        return web.json_response({"errors": [f"not allowed: {echo}"]}, status=status)

    return respond


@every_vendor
@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_told_apart(vendor: str, status: int) -> None:
    with pytest.raises(CredentialsRefused, match=rf"refuses the credentials \(({status}|AccessDenied)\)"):
        await ask(vendor, refused(vendor, status))


@every_vendor
async def test_a_rate_limit_says_how_long_to_wait(vendor: str) -> None:
    asked = 0

    def respond(_: Asked) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=429, headers={"Retry-After": "60"})

    with pytest.raises(BackendError, match=r"limits the rate of queries \(429\) and asks to wait 60 s"):
        await ask(vendor, respond)
    assert asked == 1


@every_vendor
async def test_a_short_rate_limit_is_waited_out_once(vendor: str) -> None:
    asked = 0

    def respond(_: Asked) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=429, headers={"Retry-After": "0"})

    with pytest.raises(BackendError, match="limits the rate"):
        await ask(vendor, respond)
    assert asked == 2


@every_vendor
async def test_a_slow_backend_ends_by_the_timeout(vendor: str) -> None:
    with pytest.raises(BackendError, match=r"no answer within 0\.05 s"):
        await ask(vendor, never, http=Impatient())


@every_vendor
async def test_a_broken_gateway_is_a_backend_error_with_its_status(vendor: str) -> None:
    with pytest.raises(BackendError, match="answered 502"):
        await ask(vendor, lambda _: web.Response(text="<html>bad gateway</html>", status=502))


@every_vendor
async def test_an_answer_in_another_language_is_a_backend_error(vendor: str) -> None:
    with pytest.raises(BackendError) as caught:
        await ask(vendor, lambda _: web.Response(text="<html>please log in</html>"))
    assert "please log in" not in str(caught.value)


@every_vendor
async def test_an_answer_of_another_shape_is_a_backend_error(vendor: str) -> None:
    shapes: list[Any] = [{"data": 5, "series": 5, "timeseries": 5}, [5], 5, "x", None]
    for shape in shapes:
        with pytest.raises(BackendError):
            await ask(vendor, lambda _, shape=shape: web.json_response(shape))


@every_vendor
async def test_the_egress_guard_stands_before_every_vendor(vendor: str) -> None:
    guarded = GuardedHttp(EgressPolicy.allowing(["10.0.0.0/8"]))
    with pytest.raises(EgressRefused, match="allowlist does not name it"):
        await ask(vendor, lambda _: web.Response(), http=guarded)


@every_vendor
async def test_secrets_that_are_sent_are_hidden_from_status(vendor: str) -> None:
    hidden = Hidden()
    with pytest.raises(CredentialsRefused) as caught:
        await ask(vendor, refused(vendor, 403), hidden=hidden)
    message = str(caught.value)
    for secret in hidden.values():
        message = message.replace(secret, "")
    assert "s3cr3t" not in message
    assert bool(tuple(hidden.values())) is (vendor not in ("graphite", "skywalking", "kayenta"))


@every_vendor
async def test_an_empty_metric_names_what_is_missing(vendor: str) -> None:
    empty = dict.fromkeys(VENDORS[vendor].metric(""), None if vendor == "cloudWatch" else "")
    if vendor == "kayenta":
        empty = {"canaryConfigName": ""}
    with pytest.raises(ConfigurationError, match=f"provider.{vendor}"):
        await ask(vendor, lambda _: web.Response(), **empty)
