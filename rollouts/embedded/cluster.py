"""One embedded cluster: the API server, its in-process clients, its address and its kubeconfig."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from rollouts.clock import Clock, Randomness
from rollouts.embedded.apiserver import ApiServer
from rollouts.embedded.failures import ApiFailure
from rollouts.embedded.local import LocalApi
from rollouts.embedded.server import TOKEN_PREFIX, HttpServer, same_token
from rollouts.embedded.store import HISTORY, Change, Collection, Name
from rollouts.embedded.writes import Options
from rollouts.kube.api import KubeApi, PatchKind
from rollouts.kube.objects import CRDS, Manifest

_SETUP = Options(manager="rollouts-embedded", force=True)
_SHUTDOWN_SECONDS = 1.0


class EmbeddedCluster:
    """A Kubernetes API in this process.

    ``history`` is how many changes of each resource a watch can catch up with before it gets 410.
    """

    def __init__(self, clock: Clock, randomness: Randomness, *, history: int = HISTORY) -> None:
        self._randomness = randomness
        self._api = ApiServer(clock, randomness, history=history)
        self._tokens: dict[str, str] = {}
        self._runner: web.AppRunner | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """Return the URL that is served, "" before ``serve``."""
        return self._address

    def api(self, user: str = "admin") -> KubeApi:
        """Return an in-process client; ``user`` manages the fields of writes that name no manager."""
        return LocalApi(self._api, user)

    def token(self, user: str = "admin") -> str:
        """Return the bearer token of a user, made on first use."""
        if user not in self._tokens:
            self._tokens[user] = self._randomness.token()
        return self._tokens[user]

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Answer HTTP on ``host`` and return the URL. Raises OSError when the port is taken."""
        server = HttpServer(self._api, self._user_of)
        runner = web.AppRunner(
            server.application(), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        self._runner = runner
        bound = runner.addresses[0][1]
        self._address = f"http://{host}:{bound}"
        return self._address

    def kubeconfig(self, user: str = "admin") -> Manifest:
        """Return a kubeconfig for the served address, with the user's token in it.

        The token is in the URL too, since kubectl sends no credentials over plain HTTP.
        """
        server = f"{self._address}{TOKEN_PREFIX}{self.token(user)}"
        context = {"cluster": "embedded", "user": user, "namespace": "default"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "embedded", "cluster": {"server": server}}],
            "users": [{"name": user, "user": {"token": self.token(user)}}],
            "contexts": [{"name": "embedded", "context": context}],
            "current-context": "embedded",
        }

    def install_crds(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Apply CustomResourceDefinitions; their APIs are served when this returns. Raises ValueError."""
        kind = self._api.registry.of(CRDS)
        for manifest in manifests:
            name = str((manifest.get("metadata") or {}).get("name", ""))
            try:
                self._api.patch(kind, Name("", name), dict(manifest), PatchKind.APPLY, _SETUP)
            except ApiFailure as failure:
                raise ValueError(
                    f"CustomResourceDefinition {name or '(no name)'}: {failure.message}"
                ) from None

    def observe(self, observer: Callable[[Collection, Change], None]) -> None:
        """Call ``observer`` with every change of the store, before the write returns."""
        self._api.store.observe(observer)

    def compact(self) -> None:
        """Forget all history, so that watches and pages from before now get 410."""
        self._api.compact()

    def end_watches(self) -> None:
        """End every open watch, as a server does that restarts."""
        self._api.watches.stop()

    async def close(self) -> None:
        """End all watches and stop serving."""
        self._api.watches.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _user_of(self, token: str) -> str | None:
        return next((user for user, held in self._tokens.items() if same_token(held, token)), None)
