"""The wire: URLs and queries to requests, answers to JSON, watches to streams of lines."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from aiohttp import web

from rollouts.api.yamlio import YamlError, load_all
from rollouts.embedded import discovery, openapi, tables
from rollouts.embedded.apiserver import VERSION, ApiServer
from rollouts.embedded.deletion import DeleteOptions
from rollouts.embedded.failures import (
    ApiFailure,
    bad_request,
    method_not_allowed,
    unauthorized,
    unsupported_media_type,
)
from rollouts.embedded.reads import ListOptions, Page, list_metadata, predicate
from rollouts.embedded.requests import Query, Target, parse_target
from rollouts.embedded.resources import ResourceType
from rollouts.embedded.store import Entry
from rollouts.embedded.watching import Seen, WatchOptions
from rollouts.embedded.writes import Written, manager_required
from rollouts.kube.api import PatchKind
from rollouts.kube.objects import Manifest

MAX_BODY = 3 * 2**20
DEFAULT_WATCH_SECONDS = 1800.0
TOKEN_PREFIX = "/as/"  # noqa: S105  a path, not a token
"""URLs below ``/as/<token>`` need no header: kubectl sends none over plain HTTP."""

_HEALTH = frozenset({"/healthz", "/readyz", "/livez"})
_JSON_TYPES = ("application/json", "application/yaml")
_PATCH_TYPES = {kind.value: kind for kind in PatchKind}

Users = Callable[[str], str | None]
"""Returns the user of a bearer token, None for an unknown one."""


class HttpServer:
    """Serves an ``ApiServer`` to whoever has a token."""

    def __init__(self, api: ApiServer, users: Users) -> None:
        self._api = api
        self._users = users

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; a refusal becomes a ``Status`` body."""
        try:
            return await self._route(request)
        except ApiFailure as failure:
            headers = {"Retry-After": "1"} if failure.code == 429 else None
            return _json(failure.status(), failure.code, headers)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if request.path in _HEALTH:
            return web.Response(text="ok")
        path = self._authenticated_path(request)
        if path == "/version":
            return _json(VERSION)
        if path.startswith("/openapi/"):
            return _json(openapi.document(self._api.registry, path))
        found = parse_target(self._api.registry, path)
        if found is None:
            accept = request.headers.get("Accept", "")
            body, content_type = discovery.document(self._api.registry, path, accept)
            return web.Response(body=orjson.dumps(body), headers={"Content-Type": content_type})
        return await self._dispatch(request, found, Query(request.query))

    def _authenticated_path(self, request: web.Request) -> str:
        """Return the API path of a request with a good token in its header or in its URL. Raises 401."""
        path = request.path
        if path.startswith(TOKEN_PREFIX):
            token, _, rest = path.removeprefix(TOKEN_PREFIX).partition("/")
            path = f"/{rest}"
        else:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            token = token.strip() if scheme.lower() == "bearer" else ""
        if not token or self._users(token) is None:
            raise unauthorized()
        return path

    async def _dispatch(self, request: web.Request, target: Target, query: Query) -> web.StreamResponse:
        match request.method:
            case "GET":
                return await self._read(request, target, query)
            case "POST":
                return await self._create(request, target, query)
            case "PUT" if target.name:
                return await self._replace(request, target, query)
            case "PATCH" if target.name:
                return await self._patch(request, target, query)
            case "DELETE" if not target.subresource:
                return await self._delete(request, target, query)
        raise method_not_allowed(request.method)

    # --- reads

    async def _read(self, request: web.Request, target: Target, query: Query) -> web.StreamResponse:
        kind = target.kind
        if "get" not in kind.verbs:
            raise method_not_allowed("GET")
        table = tables.wanted(request.headers.get("Accept", ""))
        if query.flag("watch"):
            return await self._watch(request, target, query, table)
        if not target.name:
            return self._list(target, query, table)
        if target.subresource:
            return _entry(kind, self._api.get_subresource(kind, target.key, target.subresource), target)
        entry = self._api.get(kind, target.key)
        if table:
            page = Page([entry], entry.version)
            return _json(tables.render(kind, page, self._api.clock.now(), query.text("includeObject")))
        return _entry(kind, entry, target)

    def _list(self, target: Target, query: Query, table: bool) -> web.Response:
        kind = target.kind
        page = self._api.page(kind, _list_options(target, query))
        if table:
            return _json(tables.render(kind, page, self._api.clock.now(), query.text("includeObject")))
        return web.Response(body=encode_list(kind, page), content_type="application/json")

    async def _watch(
        self, request: web.Request, target: Target, query: Query, table: bool
    ) -> web.StreamResponse:
        kind = target.kind
        if query.text("sendInitialEvents"):
            raise ApiFailure(
                422,
                "Invalid",
                "ListOptions.meta.k8s.io is invalid: sendInitialEvents: Forbidden: sendInitialEvents is "
                "forbidden for watch unless the WatchList feature gate is enabled",
            )
        by_name = f"metadata.name={target.name}" if target.name else ""
        selector = predicate(kind, query.text("labelSelector"), query.text("fieldSelector") or by_name)
        options = WatchOptions(
            namespace=target.namespace,
            resource_version=query.version(),
            selector=selector,
            timeout_seconds=query.number("timeoutSeconds") or DEFAULT_WATCH_SECONDS,
            bookmarks=query.flag("allowWatchBookmarks"),
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            async with aclosing(self._api.watch(kind, options)) as batches:
                async for batch in batches:
                    await response.write(b"".join(self._line(kind, seen, table) for seen in batch))
        except ApiFailure as failure:
            await response.write(orjson.dumps({"type": "ERROR", "object": failure.status()}) + b"\n")
        except ConnectionError:
            return response
        return response

    def _line(self, kind: ResourceType, seen: Seen, table: bool) -> bytes:
        if table and seen.type != "BOOKMARK":
            page = Page([seen.entry], seen.entry.version)
            body = orjson.dumps(tables.render(kind, page, self._api.clock.now()))
        else:
            body = seen.entry.encode(kind.api_version, kind.kind)
        return b'{"type":"%s","object":%s}\n' % (seen.type.encode(), body)

    # --- writes

    async def _create(self, request: web.Request, target: Target, query: Query) -> web.Response:
        body = await _body(request)
        options = query.write_options(request.headers.get("User-Agent", ""))
        kind = target.kind
        if target.subresource:
            written = self._api.create_subresource(kind, target.key, target.subresource, body, options)
            return _json(written.entry.object, 201)
        if target.name:
            raise method_not_allowed("POST")
        if kind.namespaced and target.namespace is None:
            raise bad_request("an object of a namespaced resource is created in a namespace")
        written = self._api.create(kind, target.namespace or "", body, options)
        return self._written(request, target, written)

    async def _replace(self, request: web.Request, target: Target, query: Query) -> web.Response:
        body = await _body(request)
        options = query.write_options(request.headers.get("User-Agent", ""))
        written = self._api.replace(target.kind, target.key, body, options, target.subresource)
        return self._written(request, target, written)

    async def _patch(self, request: web.Request, target: Target, query: Query) -> web.Response:
        content = _PATCH_TYPES.get(request.content_type)
        if content is None:
            raise unsupported_media_type(request.content_type, tuple(_PATCH_TYPES))
        if content is PatchKind.APPLY and not query.text("fieldManager"):
            raise manager_required()
        patch = _decode(await request.read(), yaml_allowed=content is PatchKind.APPLY)
        options = query.write_options(request.headers.get("User-Agent", ""))
        written = self._api.patch(target.kind, target.key, patch, content, options, target.subresource)
        return self._written(request, target, written)

    async def _delete(self, request: web.Request, target: Target, query: Query) -> web.Response:
        body = await _body(request, optional=True)
        options = _delete_options(body, query)
        kind = target.kind
        if not target.name:
            entries = self._api.delete_all(kind, _list_options(target, query), options)
            page = Page(entries, self._api.store.version)
            return web.Response(body=encode_list(kind, page), content_type="application/json")
        entry, gone = self._api.delete(kind, target.key, options)
        if not gone or kind.kind in ("Pod", "Service"):
            return _entry(kind, entry, target)
        group = {"group": kind.group} if kind.group else {}
        details = {"name": target.name, **group, "kind": kind.plural, "uid": entry.object["metadata"]["uid"]}
        return _json(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )

    def _written(self, request: web.Request, target: Target, written: Written) -> web.Response:
        code = 201 if written.created else 200
        if tables.wanted(request.headers.get("Accept", "")):
            page = Page([written.entry], written.entry.version)
            return _json(tables.render(target.kind, page, self._api.clock.now()), code)
        response = _entry(target.kind, written.entry, target, code)
        for warning in written.warnings:
            quoted = warning.replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response


def _json(body: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=code, content_type="application/json", headers=headers
    )


def _entry(kind: ResourceType, entry: Entry, target: Target, code: int = 200) -> web.Response:
    if target.subresource == "scale":
        return _json(entry.object, code)
    body = entry.encode(kind.api_version, kind.kind)
    return web.Response(body=body, status=code, content_type="application/json")


def encode_list(kind: ResourceType, page: Page) -> bytes:
    """Return a list as JSON; built-in items carry no kind and apiVersion, as on a real server."""
    if kind.custom:
        items = [entry.encode(kind.api_version, kind.kind) for entry in page.entries]
    else:
        items = [entry.bare for entry in page.entries]
    return b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[%s]}' % (
        kind.list_kind.encode(),
        kind.api_version.encode(),
        orjson.dumps(list_metadata(page)),
        b",".join(items),
    )


def _list_options(target: Target, query: Query) -> ListOptions:
    return ListOptions(
        namespace=target.namespace,
        label_selector=query.text("labelSelector"),
        field_selector=query.text("fieldSelector"),
        limit=int(query.number("limit")),
        continue_token=query.text("continue"),
        resource_version=query.text("resourceVersion"),
        exact=query.text("resourceVersionMatch") == "Exact",
    )


def _delete_options(body: Mapping[str, Any], query: Query) -> DeleteOptions:
    """Return what a delete asks for; as on a real server, a body makes the query count for nothing."""
    if not body:
        grace = query.text("gracePeriodSeconds")
        return DeleteOptions(
            propagation=query.text("propagationPolicy"),
            grace_period_seconds=int(query.number("gracePeriodSeconds")) if grace else None,
            dry_run=query.dry_run(),
        )
    preconditions = body.get("preconditions") or {}
    policy = str(body.get("propagationPolicy") or "")
    if not policy and body.get("orphanDependents") is not None:
        policy = "Orphan" if body["orphanDependents"] else "Background"
    return DeleteOptions(
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        propagation=policy,
        grace_period_seconds=body.get("gracePeriodSeconds"),
        dry_run=bool(body.get("dryRun")),
    )


async def _body(request: web.Request, *, optional: bool = False) -> Manifest:
    raw = await request.read()
    if not raw and optional:
        return {}
    given = request.content_type if "Content-Type" in request.headers else "application/json"
    if given not in _JSON_TYPES:
        raise unsupported_media_type(given, _JSON_TYPES)
    body = _decode(raw, yaml_allowed=given == "application/yaml")
    if not isinstance(body, dict):
        raise bad_request("the body of the request is not an object")
    return body


def _decode(raw: bytes, *, yaml_allowed: bool) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as wrong:
        if not yaml_allowed:
            raise bad_request(f"the body of the request is not JSON: {wrong}") from None
    try:
        documents = load_all(raw)
    except YamlError as wrong:
        raise bad_request(f"the body of the request is neither JSON nor YAML: {wrong}") from None
    if len(documents) != 1:
        raise bad_request(f"the body of the request has {len(documents)} YAML documents instead of one")
    return documents[0]


def same_token(a: str, b: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())
