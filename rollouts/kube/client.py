"""``KubeApi`` over HTTP: the one module that touches kubernetes_asyncio.

kubernetes_asyncio reads the configuration, refreshes tokens and builds the TLS connector; requests go over
our own session on that connector (``transport.py``), decoded by orjson.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import yaml

from rollouts.clock import Clock, SystemClock
from rollouts.kube import discovery, errors, wire
from rollouts.kube.api import Listing, PatchKind, Propagation, ServedResource, WatchEvent
from rollouts.kube.leanimport import lean
from rollouts.kube.objects import Manifest, Resource
from rollouts.kube.transport import Transport, environment_proxy

with lean():
    from kubernetes_asyncio import client as k8s
    from kubernetes_asyncio import config as k8s_config

PAGE_SIZE = 500


class HttpKubeApi:
    """The API server at the other end of a kubeconfig or of the pod's service account.

    Options are those of ``Transport``. ``write_timeout`` (seconds) bounds a write as a whole, with all
    waiting: that is what a fence may rely on.
    """

    def __init__(self, configuration: Any, *, clock: Clock | None = None, **options: Any) -> None:
        configuration.connection_pool_maxsize = 0
        configuration.proxy = configuration.proxy or environment_proxy(configuration.host)
        self.transport = Transport(
            configuration.host, k8s.ApiClient(configuration), clock or SystemClock(), **options
        )

    @classmethod
    async def from_kubeconfig(
        cls, path: str | None = None, context: str | None = None, **options: Any
    ) -> HttpKubeApi:
        """Return a client for a kubeconfig (default $KUBECONFIG or ~/.kube/config). Raises Misconfigured."""
        configuration = type.__call__(k8s.Configuration)
        source = path or os.environ.get("KUBECONFIG")
        try:
            loader = await k8s_config.load_kube_config(
                config_file=source, context=context, client_configuration=configuration, persist_config=False
            )
        except (k8s_config.ConfigException, OSError) as error:
            raise _unusable(source, str(error)) from error
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
            # Such an error can quote the file, and with it a token.
            raise _unusable(source, f"it is not a kubeconfig ({type(error).__name__})") from None
        refresh = _exec_refresh(loader, configuration) if "exec" in (loader._user or {}) else None
        return cls(configuration, refresh=refresh, **options)

    @classmethod
    async def in_cluster(cls, **options: Any) -> HttpKubeApi:
        """Return a client for the pod's own service account. Raises Misconfigured outside of a pod."""
        configuration = type.__call__(k8s.Configuration)
        try:
            k8s_config.load_incluster_config(client_configuration=configuration)
        except (k8s_config.ConfigException, OSError) as error:
            raise errors.Misconfigured(f"the pod's service account cannot be used: {error}") from error
        return cls(configuration, **options)

    @classmethod
    async def at(cls, host: str, *, token: str = "", **options: Any) -> HttpKubeApi:
        """Return a client for a plain URL such as the embedded cluster's."""
        configuration = type.__call__(k8s.Configuration)
        configuration.host = host
        if token:
            configuration.api_key["BearerToken"] = f"Bearer {token}"
        return cls(configuration, **options)

    @classmethod
    async def load(cls, kubeconfig: str = "", context: str = "", **options: Any) -> HttpKubeApi:
        """Return a client from the named kubeconfig, else the pod's service account, else the default."""
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
        if in_pod and not kubeconfig and not context:
            return await cls.in_cluster(**options)
        return await cls.from_kubeconfig(kubeconfig or None, context or None, **options)

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.close()

    # --- reads

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        """See KubeApi.get."""
        return await self.transport.read("get", resource, resource.path(namespace, name))

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[Listing]:
        """See PagedApi.pages."""
        params = {"limit": str(PAGE_SIZE), **wire.selectors(label_selector, field_selector)}
        following: str | None = ""
        while following is not None:
            token = {"continue": following} if following else {}
            body = await self.transport.read("list", resource, resource.path(namespace), {**params, **token})
            meta = body.get("metadata") or {}
            following = meta.get("continue") or None
            yield Listing(body.get("items") or [], str(meta.get("resourceVersion", "")))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """See KubeApi.list. An expired continue token starts the list anew, twice at most."""
        for last in (False, False, True):
            items: list[Manifest] = []
            version = ""
            try:
                async for page in self.pages(
                    resource, namespace, label_selector=label_selector, field_selector=field_selector
                ):
                    items.extend(page.items)
                    version = page.resource_version
            except errors.Gone:
                if last:
                    raise
                continue
            return Listing(items, version)
        raise AssertionError("unreachable")

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int = 290,
    ) -> AsyncIterator[WatchEvent]:
        """See KubeApi.watch. A connection that breaks raises Unreachable."""
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
            **wire.selectors(label_selector, field_selector),
        }
        lines = self.transport.lines(resource, resource.path(namespace), params, timeout_seconds)
        async with aclosing(lines):
            async for line in lines:
                yield wire.watch_event(line)

    async def served(self) -> Sequence[ServedResource]:
        """See KubeApi.served. A group whose server does not answer is left out."""
        return await discovery.served(lambda path: self.transport.read("get", None, path))

    async def version(self) -> Mapping[str, str]:
        """See KubeApi.version."""
        return await self.transport.read("get", None, "/version")

    # --- writes

    async def create(
        self,
        resource: Resource,
        namespace: str | None,
        body: Mapping[str, Any],
        *,
        name: str = "",
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """See KubeApi.create."""
        path = resource.path(namespace, name, subresource)
        params = wire.write_params(field_manager, dry_run, self.transport.write_timeout)
        return await self.transport.write("create", "POST", resource, path, params, body)

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Mapping[str, Any],
        *,
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """See KubeApi.replace."""
        path = resource.path(namespace, name, subresource)
        params = wire.write_params(field_manager, dry_run, self.transport.write_timeout)
        return await self.transport.write("update", "PUT", resource, path, params, body)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Any,
        *,
        kind: PatchKind = PatchKind.MERGE,
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> Manifest:
        """See KubeApi.patch."""
        path = resource.path(namespace, name, subresource)
        params = wire.write_params(field_manager, dry_run, self.transport.write_timeout)
        if kind is PatchKind.APPLY:
            params["force"] = wire.truth(force)
        return await self.transport.write("patch", "PATCH", resource, path, params, body, kind.value)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: Propagation = "Background",
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """See KubeApi.delete."""
        options: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        asked = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in asked.items() if value}
        if preconditions:
            options["preconditions"] = preconditions
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if dry_run:
            options["dryRun"] = ["All"]  # with a body, the server reads no option from the query
        params = wire.write_params("", False, self.transport.write_timeout)
        await self.transport.write(
            "delete", "DELETE", resource, resource.path(namespace, name), params, options
        )


def _unusable(source: str | None, why: str) -> errors.Misconfigured:
    return errors.Misconfigured(f"kubeconfig {source or '~/.kube/config'} cannot be used: {why}")


def _exec_refresh(loader: Any, configuration: Any) -> Callable[[], Awaitable[None]]:
    """Keep an exec plugin's token fresh: before it expires, and on demand after a 401."""
    running = asyncio.Lock()

    async def run() -> None:
        await loader.load_from_exec_plugin()
        if getattr(loader, "token", None):
            configuration.api_key["BearerToken"] = loader.token

    async def before_each_request(_: Any) -> None:
        if hasattr(loader, "exec_plugin_expiry"):
            async with running:
                await run()

    async def renew() -> None:
        async with running:
            if hasattr(loader, "exec_plugin_expiry"):
                del loader.exec_plugin_expiry
            await run()

    configuration.refresh_api_key_hook = before_each_request
    return renew
