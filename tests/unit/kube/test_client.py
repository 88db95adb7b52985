"""The HTTP client against a scripted server on loopback."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web

from rollouts.kube import errors
from rollouts.kube.api import PatchKind
from rollouts.kube.client import HttpKubeApi
from rollouts.kube.objects import PODS, ROLLOUTS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[HttpKubeApi]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    api = await HttpKubeApi.at(f"http://127.0.0.1:{port}", **options)
    try:
        yield api
    finally:
        await api.close()
        await runner.cleanup()


def status(code: int, reason: str, **details: Any) -> web.Response:
    body = {
        "kind": "Status",
        "code": code,
        "reason": reason,
        "message": f"{reason} it is",
        "details": details,
    }
    return web.Response(status=code, body=orjson.dumps(body), content_type="application/json")


async def test_a_list_of_many_pages_comes_back_whole():
    asked: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        page = int(request.query.get("continue", "0"))
        meta = {"resourceVersion": "70", "continue": str(page + 1) if page < 2 else ""}
        return web.json_response({"metadata": meta, "items": [{"metadata": {"name": f"p{page}"}}]})

    async with serving(handler) as api:
        listing = await api.list(PODS, "default", label_selector="app=x")
    assert [i["metadata"]["name"] for i in listing.items] == ["p0", "p1", "p2"]
    assert listing.resource_version == "70"
    assert asked[0] == {"limit": "500", "labelSelector": "app=x"}


async def test_an_expired_continue_token_starts_the_list_anew():
    served: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        token = request.query.get("continue", "")
        served.append(token)
        if token and len(served) < 3:
            return status(410, "Expired")
        meta = {"resourceVersion": "5", "continue": "" if token else "next"}
        return web.json_response({"metadata": meta, "items": [{"metadata": {"name": token or "first"}}]})

    async with serving(handler) as api:
        listing = await api.list(PODS)
    assert [i["metadata"]["name"] for i in listing.items] == ["first", "next"]
    assert served == ["", "next", "", "next"]


async def test_a_watch_yields_lines_that_arrive_in_pieces_and_ends_with_the_server():
    lines = b"".join(
        orjson.dumps({"type": kind, "object": {"metadata": {"resourceVersion": str(rv)}}}) + b"\n"
        for kind, rv in [("ADDED", 1), ("MODIFIED", 2), ("BOOKMARK", 3)]
    )

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.query["allowWatchBookmarks"] == "true"
        answer = web.StreamResponse()
        await answer.prepare(request)
        for start in range(0, len(lines), 17):
            await answer.write(lines[start : start + 17])
            await asyncio.sleep(0)
        return answer

    async with serving(handler) as api:
        seen = [
            (e.type, e.object["metadata"]["resourceVersion"])
            async for e in api.watch(PODS, resource_version="0")
        ]
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("BOOKMARK", "3")]


@pytest.mark.parametrize("in_stream", [True, False], ids=["error event", "http status"])
async def test_a_watch_from_too_old_a_version_is_gone(in_stream: bool):
    async def handler(request: web.Request) -> web.StreamResponse:
        if not in_stream:
            return status(410, "Expired")
        event = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
        return web.Response(body=orjson.dumps(event) + b"\n")

    async with serving(handler) as api:
        with pytest.raises(errors.Gone):
            async for _ in api.watch(PODS, resource_version="1"):
                pass


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", errors.Invalid),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (422, "Invalid", errors.Invalid),
        (500, "InternalError", errors.ServerFailure),
        (504, "Timeout", errors.OutcomeUnknown),
    ],
)
async def test_each_answer_of_a_write_has_its_error(code: int, reason: str, expected: type[errors.KubeError]):
    async def handler(request: web.Request) -> web.Response:
        return status(code, reason)

    async with serving(handler) as api:
        with pytest.raises(expected, match="it is") as caught:
            await api.patch(PODS, "ns", "p", {})
    assert type(caught.value) is expected
    assert caught.value.status == code


async def test_a_write_whose_connection_breaks_after_sending_has_an_unknown_outcome_and_is_sent_once():
    sent = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal sent
        if request.method == "GET":
            return web.json_response({})
        sent += 1
        await request.read()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with serving(handler) as api:
        await api.version()  # so that the write takes a kept-alive connection
        with pytest.raises(errors.OutcomeUnknown, match=r"PUT .*answer lost"):
            await api.replace(PODS, "ns", "p", {})
    assert sent == 1


async def test_a_write_that_takes_too_long_has_an_unknown_outcome():
    async def handler(request: web.Request) -> web.Response:
        assert request.query["timeout"] == "1s"
        await asyncio.sleep(1)
        return web.Response()

    async with serving(handler, write_timeout=0.05) as api:
        with pytest.raises(errors.OutcomeUnknown):
            await api.create(PODS, "ns", {})


async def test_a_write_that_finds_no_server_was_not_sent():
    api = await HttpKubeApi.at("http://127.0.0.1:1")
    with pytest.raises(errors.Unreachable, match="not sent"):
        await api.delete(PODS, "ns", "p")
    await api.close()


async def test_a_read_on_a_dead_kept_alive_connection_is_tried_once_more():
    asked = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 1:
            assert request.transport is not None
            request.transport.close()
        return web.json_response({"metadata": {"name": "p"}})

    async with serving(handler) as api:
        assert (await api.get(PODS, "ns", "p"))["metadata"]["name"] == "p"


class WaitingClock:
    """Monotonic time that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


async def test_a_429_is_sent_again_after_the_pause_that_the_server_asked_for():
    answers = [web.Response(status=429, headers={"Retry-After": "3"}), web.json_response({"ok": True})]
    clock = WaitingClock()

    async def handler(request: web.Request) -> web.Response:
        return answers.pop(0)

    async with serving(handler, clock=clock) as api:
        assert await api.patch(PODS, "ns", "p", {}) == {"ok": True}
    assert clock.slept == [3.0]


async def test_a_429_longer_than_the_time_out_is_handed_up_with_its_pause():
    clock = WaitingClock()

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "30"})

    async with serving(handler, clock=clock) as api:
        with pytest.raises(errors.TooManyRequests) as caught:
            await api.patch(PODS, "ns", "p", {})
    assert caught.value.retry_after == 30.0
    assert clock.slept == []


async def test_a_write_goes_out_with_its_content_type_preconditions_and_lower_case_booleans():
    asked: list[tuple[str, str, dict[str, str], Any]] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(
            (request.method, request.content_type, dict(request.query), orjson.loads(await request.read()))
        )
        assert request.headers["User-Agent"].startswith("rollouts/")
        assert request.headers["Authorization"] == "Bearer t0ken"
        return web.json_response({})

    async with serving(handler, token="t0ken") as api:
        await api.patch(
            ROLLOUTS, "ns", "r", {"a": 1}, kind=PatchKind.APPLY, field_manager="us", force=True, dry_run=True
        )
        await api.delete(ROLLOUTS, "ns", "r", uid="u1", resource_version="7", propagation="Foreground")
    apply, delete = asked
    assert apply[1] == "application/apply-patch+yaml"
    assert apply[2] == {"timeout": "10s", "fieldManager": "us", "force": "true", "dryRun": "All"}
    assert delete[3]["preconditions"] == {"uid": "u1", "resourceVersion": "7"}
    assert delete[3]["propagationPolicy"] == "Foreground"


async def test_the_guard_stops_a_write_before_it_reaches_the_socket():
    reached: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.method)
        return web.json_response({})

    def refuse(seconds: float) -> None:
        raise errors.Fenced(f"{seconds:.0f} s are not left")

    async with serving(handler, before_write=refuse) as api:
        with pytest.raises(errors.Fenced, match="10 s"):
            await api.patch(PODS, "ns", "p", {})
        await api.get(PODS, "ns", "p")
    assert reached == ["GET"]


async def test_every_request_is_counted_with_verb_resource_and_status():
    counted: list[tuple[str, str, int]] = []

    async def handler(request: web.Request) -> web.Response:
        return status(404, "NotFound")

    async with serving(handler, observer=lambda v, r, s: counted.append((v, str(r), s))) as api:
        with pytest.raises(errors.NotFound):
            await api.get(PODS, "ns", "p")
    assert counted == [("get", "pods", 404)]


async def test_discovery_lists_preferred_versions_first_and_leaves_out_a_group_that_is_down():
    documents = {
        "/apis": {
            "groups": [
                {
                    "name": "apps",
                    "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                    "preferredVersion": {"version": "v1"},
                },
                {"name": "down", "versions": [{"version": "v1"}]},
            ]
        },
        "/api/v1": {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]}]},
        "/apis/apps/v1": {
            "resources": [
                {"name": "deployments", "kind": "Deployment", "namespaced": True, "shortNames": ["deploy"]},
                {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
            ]
        },
        "/apis/apps/v1beta1": {
            "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]
        },
    }

    async def handler(request: web.Request) -> web.Response:
        document = documents.get(request.path)
        return web.json_response(document) if document else status(503, "ServiceUnavailable")

    async with serving(handler) as api:
        rows = await api.served()
    assert [str(r.resource.api_version) for r in rows] == ["v1", "apps/v1", "apps/v1beta1"]
    assert rows[1].subresources == {"scale"}
    assert rows[1].short_names == ("deploy",)


async def test_a_watchs_connection_is_probed_by_the_kernel():
    probed: list[int] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b'{"type":"BOOKMARK","object":{}}\n')
        await asyncio.sleep(0.01)
        return answer

    async with serving(handler) as api:
        async for _ in api.watch(PODS, resource_version="0"):
            for acquired in api.transport._session.connector._acquired:  # type: ignore[union-attr]
                connected = acquired.transport.get_extra_info("socket")
                probed.append(connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    assert probed == [1]


PLUGIN = """
import json, pathlib, sys
counter = pathlib.Path(sys.argv[1])
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
answer = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
print(json.dumps({**answer, "status": {"token": f"token-{number}"}}))
"""


def kubeconfig(folder: Path, server: str, user: dict[str, Any]) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return os.fspath(path)


async def test_an_exec_plugins_token_is_used_until_the_server_refuses_it_and_then_fetched_anew(
    tmp_path: Path,
):
    seen: list[str] = []
    accepted = "Bearer token-1"

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response({}) if seen[-1] == accepted else status(401, "Unauthorized")

    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [os.fspath(plugin), os.fspath(tmp_path / "counter")],
        "interactiveMode": "Never",
    }
    async with serving(handler) as plain:
        path = kubeconfig(tmp_path, plain.transport._host, {"exec": command})
        api = await HttpKubeApi.from_kubeconfig(path)
        await api.version()
        await api.version()
        accepted = "Bearer token-2"
        await api.patch(PODS, "ns", "p", {})
        await api.close()
    assert seen == ["Bearer token-1"] * 3 + ["Bearer token-2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "nowhere"),
        ("just text", "cannot be used"),
        ("{apiVersion: v1, kind: Config}", "cannot be used"),
        ("users: [token: s3cret: x", "not a kubeconfig .[A-Za-z]+.$"),
    ],
    ids=["missing", "not a kubeconfig", "without a context", "not YAML"],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, message: str):
    path = tmp_path / "nowhere"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.Misconfigured, match=message):
        await HttpKubeApi.from_kubeconfig(os.fspath(path))


async def test_outside_of_a_pod_there_is_no_service_account(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(errors.Misconfigured, match="service account"):
        await HttpKubeApi.in_cluster()
