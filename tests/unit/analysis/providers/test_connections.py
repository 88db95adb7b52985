"""What the operator sets for a backend: trust, a client's certificate, a token; bound to one origin."""

import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from analysis.providers.authentication import Credentials
from analysis.providers.aws import AwsCredentials
from analysis.providers.connections import Connection, Connections
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.sigv4 import AwsKeys, Signing, signed_headers
from analysis.providers.web import WebProvider
from tests.unit.analysis.providers.backend import NOW, Asked, question, serving
from tests.unit.analysis.providers.vendors import AWS_KEYS, TOKEN


def one(_: Asked) -> web.Response:
    result = [{"metric": {}, "value": [1, "1"]}]
    return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


async def measured(
    http: GuardedHttp, url: str, entries: list[dict[str, str]], hidden: Hidden | None = None, **fields: Any
) -> str:
    """Ask Prometheus at ``url`` with the operator's entries; return the value that status shows."""
    found = [Connection.model_validate({"address": url, **entry}) for entry in entries]
    credentials = Credentials(http, lambda: NOW, connections=Connections(found, hidden))
    provider = PrometheusProvider(http, credentials)
    return (await provider.measure(question(prometheus={"address": url, "query": "up", **fields}))).text


# -- tokens -------------------------------------------------------------------------------------------------


async def test_a_bearer_token_is_read_anew_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    hidden = Hidden()
    async with serving(one) as backend, GuardedHttp() as http:
        for token in ("first-token", "second-token"):
            file.write_text(token + "\n")
            assert await measured(http, backend.url, [{"bearerTokenFile": str(file)}], hidden) == "[1]"
        sent = [asked.headers["Authorization"] for asked in backend.asked]
    assert sent == ["Bearer first-token", "Bearer second-token"]
    assert set(hidden.values()) == {"first-token", "second-token"}


async def test_the_metrics_own_authentication_wins_over_the_operators_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("operators-token")
    async with serving(one) as backend, GuardedHttp() as http:
        own = {
            "headers": [
                {"key": "authorization", "value": "Bearer mine"},
                {"key": "X-Scope-OrgID", "value": "a"},
            ]
        }
        await measured(http, backend.url, [{"bearerTokenFile": str(file)}], **own)
        headers = backend.asked[0].headers
    assert (headers["Authorization"], headers["X-Scope-OrgID"]) == ("Bearer mine", "a")


async def test_a_token_goes_to_no_other_origin(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("operators-token")
    async with serving(one) as backend, serving(one) as other, GuardedHttp() as http:
        entry = Connection.model_validate({"address": backend.url, "bearerTokenFile": str(file)})
        provider = PrometheusProvider(http, Credentials(http, lambda: NOW, connections=Connections([entry])))
        await provider.measure(question(prometheus={"address": other.url, "query": "up"}))
        assert "Authorization" not in other.asked[0].headers


async def test_a_token_that_cannot_be_read_names_the_file_and_the_backend(tmp_path: Path) -> None:
    async with GuardedHttp() as http:
        with pytest.raises(
            ConfigurationError, match=r"connection http://p:9: bearerTokenFile .* No such file"
        ):
            await measured(http, "http://p:9", [{"bearerTokenFile": str(tmp_path / "gone")}])


# -- certificates -------------------------------------------------------------------------------------------


class Pki:
    """A certificate authority in a folder, and what it has signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run("req", "-x509", *self._new("ca"), "-out", "ca.crt", "-subj", "/CN=ca", "-days", "2")

    def sign(self, name: str) -> None:
        self._run("req", "-new", *self._new(name), "-out", f"{name}.csr", "-subj", f"/CN={name}")
        names = "subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        (self.folder / "extensions").write_text(names)
        ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions")
        self._run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *ca)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def _new(self, name: str) -> tuple[str, ...]:
        return (
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            f"{name}.key",
        )

    def _run(self, *command: str) -> None:
        subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)

    def server(self, *, asks_for_certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.path("ca.crt"))
        context.load_cert_chain(self.path("server.crt"), self.path("server.key"))
        context.verify_mode = ssl.CERT_REQUIRED if asks_for_certificate else ssl.CERT_NONE
        return context


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    if shutil.which("openssl") is None:
        pytest.skip("certificates for this test are made by openssl, which is not installed")
    made = Pki(tmp_path_factory.mktemp("pki"))
    for name in ("server", "client"):
        made.sign(name)
    return made


async def test_an_own_authority_is_trusted_where_the_operator_says_so(pki: Pki) -> None:
    async with serving(one, pki.server()) as backend, GuardedHttp() as http:
        assert await measured(http, backend.url, [{"caFile": pki.path("ca.crt")}]) == "[1]"
        with pytest.raises(BackendError, match=r"self-signed certificate|unable to get local issuer"):
            await measured(http, backend.url, [])


async def test_a_client_comes_with_its_certificate(pki: Pki) -> None:
    certificate = {"certFile": pki.path("client.crt"), "keyFile": pki.path("client.key")}
    async with serving(one, pki.server(asks_for_certificate=True)) as backend:
        async with GuardedHttp() as http:
            assert await measured(http, backend.url, [{"caFile": pki.path("ca.crt"), **certificate}]) == "[1]"
        async with GuardedHttp() as http:
            with pytest.raises(BackendError):
                await measured(http, backend.url, [{"caFile": pki.path("ca.crt")}])


async def test_a_renewed_certificate_is_used_without_a_restart(pki: Pki, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(Path(pki.path("client.crt")).read_bytes())
    entry = Connection.model_validate({"address": "https://127.0.0.1:1", "caFile": str(authority)})
    connections = Connections([entry])

    def context() -> ssl.SSLContext | None:
        request = HttpRequest(method="GET", url="https://127.0.0.1:1/x", headers={}, timeout=1)
        return connections.applied(request).tls

    first = context()
    assert context() is first
    authority.write_bytes(Path(pki.path("ca.crt")).read_bytes())
    stat = authority.stat()
    os.utime(authority, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert context() is not first


async def test_a_metric_cannot_switch_off_what_the_operator_verifies(pki: Pki) -> None:
    async with GuardedHttp() as http:
        entry = {"caFile": pki.path("ca.crt")}
        with pytest.raises(ConfigurationError, match="insecure: true is refused for https://p:9"):
            await measured(http, "https://p:9", [entry], insecure=True)


async def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text("nonsense")
    async with GuardedHttp() as http:
        with pytest.raises(ConfigurationError, match="connection https://p:9: caFile, certFile or keyFile"):
            await measured(http, "https://p:9", [{"caFile": str(file)}])


# -- the operator's file ------------------------------------------------------------------------------------


def test_the_file_is_read_and_an_empty_path_gives_no_entries(tmp_path: Path) -> None:
    file = tmp_path / "connections.yaml"
    entry = {"address": "https://prometheus.monitoring", "bearerTokenFile": str(tmp_path / "token")}
    file.write_text(yaml.safe_dump({"connections": [entry]}))
    (tmp_path / "token").write_text("from-the-file")
    request = HttpRequest(
        method="GET", url="https://prometheus.monitoring:443/api/v1/query", headers={}, timeout=1
    )
    applied = Connections.read(str(file), Hidden()).applied(request)
    assert applied.headers == {"Authorization": "Bearer from-the-file"}
    assert Connections.read("", Hidden()).applied(request) is request


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("connections: [{address: 'prometheus:9090'}]", r"connections\.0\.address: "),
        ("connections: [{address: 'https://u:p@x'}]", r"connections\.0\.address: "),
        ("connections: [{address: 'https://x', caBundle: y}]", r"connections\.0\.caBundle: Extra inputs"),
        ("connections: [{address: 'https://x', keyFile: y}]", "keyFile needs a certFile"),
        ("connections: [{address: 'http://x', caFile: y}]", "caFile and certFile need an https"),
        ("connections: [", "is not YAML"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_names_what_is_wrong(
    tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "connections.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=f"ROLLOUTS_ANALYSIS_CONNECTIONS: .*{message}"):
        Connections.read(str(file), Hidden())


# -- signatures ---------------------------------------------------------------------------------------------


def signing_credentials(http: GuardedHttp) -> Credentials:
    return Credentials(http, lambda: NOW, aws=AwsCredentials(http, lambda: NOW, AWS_KEYS, Hidden()))


async def test_prometheus_is_asked_with_a_signature_for_aps() -> None:
    def respond(asked: Asked) -> web.Response:
        return web.Response(status=405) if asked.method == "POST" else one(asked)

    sigv4 = {"authentication": {"sigv4": {"region": "eu-west-1"}}}
    async with serving(respond) as backend, GuardedHttp() as http:
        provider = PrometheusProvider(http, signing_credentials(http))
        headers = [{"key": "X-Scope-OrgID", "value": "team"}]
        metric = {"address": backend.url, "query": "sum(up) or 1", "headers": headers, **sigv4}
        assert (await provider.measure(question(prometheus=metric))).text == "[1]"
        post, get = backend.asked
    signing = Signing(keys=AwsKeys("AKIDEXAMPLE", TOKEN), region="eu-west-1", service="aps", at=NOW)
    content = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{backend.url}/api/v1/query"
    assert post.headers["X-Scope-OrgID"] == "team"
    assert (
        post.headers["Authorization"]
        == signed_headers("POST", url, content, post.body.encode(), signing)["Authorization"]
    )
    query = f"query=sum%28up%29%20or%201&time={NOW.timestamp():.3f}"
    assert (
        get.headers["Authorization"]
        == signed_headers("GET", f"{url}?{query}", {}, b"", signing)["Authorization"]
    )


async def test_the_web_provider_does_not_sign() -> None:
    async with GuardedHttp() as http:
        provider = WebProvider(http, signing_credentials(http))
        metric = {"url": "http://x", "authentication": {"sigv4": {"region": "eu"}}}
        with pytest.raises(ConfigurationError, match=r"sigv4 is supported by provider\.prometheus only"):
            await provider.measure(question(web=metric))
