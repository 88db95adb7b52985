"""The egress guard, with plain values and with real connections."""

import ipaddress

import pytest
from aiohttp import web

from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import BackendError, EgressRefused
from analysis.providers.http import GuardedHttp, HttpRequest
from tests.unit.analysis.providers.backend import serving


def get(url: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url, headers={}, timeout=2, repeatable=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fd00:ec2::254",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "100.100.100.200",
        "::",
        "224.0.0.1",
    ],
)
def test_metadata_and_link_local_addresses_are_refused_in_every_spelling(address: str) -> None:
    with pytest.raises(EgressRefused, match="is refused"):
        EgressPolicy().check_address("innocent.example", address)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "93.184.216.34", "2001:db8::1", "192.168.1.1"])
def test_everything_else_is_allowed_without_an_allowlist(address: str) -> None:
    EgressPolicy().check_address("host", address)


ALLOWLIST = EgressPolicy.allowing(["prometheus.monitoring", "*.example.com", "10.1.0.0/16", " "])


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("prometheus.monitoring", "10.9.9.9", True),
        ("PROMETHEUS.monitoring.", "10.9.9.9", True),
        ("api.example.com", "1.2.3.4", True),
        ("example.com", "1.2.3.4", False),
        ("evil-example.com", "1.2.3.4", False),
        ("other", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("other", "10.2.0.1", False),
        ("api.example.com", "169.254.169.254", False),
    ],
)
def test_an_allowlist_names_hosts_and_networks(host: str, address: str, allowed: bool) -> None:
    try:
        ALLOWLIST.check_address(host, address)
        passed = True
    except EgressRefused:
        passed = False
    assert passed is allowed


def test_a_network_on_the_allowlist_lifts_the_default_refusal() -> None:
    EgressPolicy.allowing(["169.254.169.254/32"]).check_address("", "169.254.169.254")


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "a/b", "*", "[::1"])
def test_an_entry_that_is_neither_host_nor_network_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        EgressPolicy.allowing([entry])


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0:1/"]
)
async def test_a_literal_address_is_checked_when_connecting(url: str) -> None:
    async with GuardedHttp() as http:
        with pytest.raises(EgressRefused, match="is refused: link-local, metadata or unspecified"):
            await http.send(get(url))


async def test_a_name_is_checked_by_the_address_it_resolves_to() -> None:
    policy = EgressPolicy(refused=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))
    async with serving(lambda _: web.Response(text="secret")) as backend, GuardedHttp(policy) as http:
        with pytest.raises(EgressRefused, match=r"egress to localhost \((127\.0\.0\.1|::1)\) is refused"):
            await http.send(get(backend.url.replace("127.0.0.1", "localhost")))
        assert backend.asked == []


async def test_a_host_outside_the_allowlist_is_not_even_resolved() -> None:
    async with GuardedHttp(EgressPolicy.allowing(["prometheus"])) as http:
        with pytest.raises(EgressRefused, match="the operator's allowlist does not name it"):
            await http.send(get("http://no-such-host.invalid/"))


async def test_a_host_on_the_allowlist_is_reached() -> None:
    policy = EgressPolicy.allowing(["127.0.0.1/32"])
    async with serving(lambda _: web.Response(text="hi")) as backend, GuardedHttp(policy) as http:
        assert (await http.send(get(backend.url))).body == b"hi"


async def test_a_name_that_does_not_resolve_is_a_backend_error() -> None:
    async with GuardedHttp() as http:
        with pytest.raises(BackendError, match=r"GET http://no-such-host\.invalid/"):
            await http.send(get("http://no-such-host.invalid/"))


async def test_connections_to_hosts_that_are_not_used_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.providers.http.MOST_HOSTS", 1)
    async with serving(lambda _: web.Response(text="hi")) as backend, GuardedHttp() as http:
        for host in ("127.0.0.1", "localhost", "127.0.0.1"):
            assert (await http.send(get(backend.url.replace("127.0.0.1", host)))).body == b"hi"
        assert list(http._hosts) == ["127.0.0.1"]
