"""One Application under test: a Git repository that a person commits to, and what the cluster makes of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.background import Background
from tests.cluster.control_plane import RealCluster
from tests.cluster.harness import ControllerProcess, Load, Machinery
from tests.cluster.history import History
from tests.cluster.install import GIT_SYNC, SYSTEM_NAMESPACE
from tests.cluster.rest import RestError
from tests.cluster.samples import Object
from tests.gitops.repository import GitRepository
from tests.gitops.server import PASSWORD, USER, serving

FOLDER = "app"
SECONDS = 120.0
_ARGO = f"/apis/argoproj.io/v1alpha1/namespaces/{SYSTEM_NAMESPACE}"


class GitServer:
    """``git http-backend`` over a folder, on loopback, with a password that a Secret holds."""

    def __init__(self, background: Background, cluster: RealCluster, folder: Path) -> None:
        self.folder = folder
        self._background = background
        self._serving = serving(folder)
        self.url, self.requests = background.call(self._serving.__aenter__())
        secret = {
            "metadata": {
                "name": "served-repositories",
                "labels": {"argocd.argoproj.io/secret-type": "repo-creds"},
            },
            "data": {
                key: base64.b64encode(value.encode()).decode()
                for key, value in {"url": self.url, "username": USER, "password": PASSWORD}.items()
            },
        }
        cluster.admin.create(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets", secret)

    def stop(self) -> None:
        """Stop serving."""
        self._background.call(self._serving.__aexit__(None, None, None))


class GitSync:
    """The Git sync role as a process under its shipped account, the project ``default``, and a Git server."""

    def __init__(self, machinery: Machinery, folder: Path) -> None:
        self.machinery = machinery
        self.cluster = machinery.cluster
        self.folder = folder
        self.controller = ControllerProcess(
            machinery.cluster,
            folder,
            "git-sync",
            account=GIT_SYNC,
            roles="git",
            control_namespace=SYSTEM_NAMESPACE,
            git_protocols="file,http",
            git_poll_seconds="0.5",
            git_cache=str(folder / "cache"),
        )
        self._stack = ExitStack()

    def start(self) -> GitSync:
        """Start all three."""
        project = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default"},
            "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "e2e-*"}]},
        }
        self.cluster.admin.create(f"{_ARGO}/appprojects", project)
        (self.folder / "served").mkdir()
        self.server = GitServer(self.machinery.background, self.cluster, self.folder / "served")
        self._stack.callback(self.server.stop)
        self._stack.callback(self.controller.stop)
        self.controller.start()
        return self

    def stop(self) -> None:
        """End the process and the server."""
        self._stack.close()


class Synced:
    """An Application of one repository, and the namespace of its own that it fills."""

    def __init__(self, sync: GitSync, *, over_http: bool = False) -> None:
        self.cluster = sync.cluster
        self.namespace = self.cluster.new_namespace("e2e")
        self.host = f"shop.{self.namespace}.test"
        self._machinery = sync.machinery
        parent = sync.server.folder if over_http else sync.folder
        self.repository = GitRepository(parent / f"{self.namespace}.git")
        self.url = f"{sync.server.url}/{self.namespace}.git" if over_http else self.repository.url
        self.history = History(self.cluster, f"{_ARGO}/applications", self.namespace).start()
        self._loads: list[Load] = []

    def create(self, **more: Any) -> None:
        """Create the Application, which prunes and heals by itself."""
        spec = {
            "project": "default",
            "source": {"repoURL": self.url, "path": FOLDER, "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": self.namespace},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
            **more,
        }
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": self.namespace},
            "spec": spec,
        }
        self.cluster.admin.create(f"{_ARGO}/applications", body)

    def commit(self, message: str, files: Mapping[str, Object | None]) -> str:
        """Write manifests, remove those that are None, and return the commit."""
        for name, manifest in files.items():
            text = None if manifest is None else yaml.safe_dump(manifest)
            self.repository.put(f"{FOLDER}/{name}.yaml", text)
        return self.repository.commit(message)

    def wait_synced(self, commit: str) -> Object:
        """Return the first state in which ``commit`` is applied and nothing differs from it."""

        def reached(state: Object) -> bool:
            status = state.get("status") or {}
            sync, operation = status.get("sync") or {}, status.get("operationState") or {}
            done = sync.get("revision") == commit and sync.get("status") == "Synced"
            return bool(done and operation.get("phase") == "Succeeded")

        return self.history.wait(reached, seconds=SECONDS, what=f"sync of {commit[:7]}")

    def wait_condition(self, kind: str) -> str:
        """Return the message of the first condition of this type."""
        state = self.history.wait(
            lambda state: bool(_condition(state, kind)), seconds=SECONDS, what=f"condition {kind}"
        )
        return _condition(state, kind)

    def get(self, path: str) -> Object | None:
        """Return an object of the namespace, like ``api/v1/configmaps/x``; None when it is not there."""
        version, plural, name = path.rsplit("/", 2)
        try:
            return self.cluster.admin.get(f"/{version}/namespaces/{self.namespace}/{plural}/{name}")
        except RestError as error:
            if error.status == 404:
                return None
            raise

    def merge(self, path: str, body: Object) -> None:
        """Change an object behind Git's back."""
        version, plural, name = path.split("?")[0].rsplit("/", 2)
        place, _, sub = name.partition("#")
        target = f"/{version}/namespaces/{self.namespace}/{plural}/{place}"
        self.cluster.admin.merge(target + (f"/{sub}" if sub else ""), body)

    def watch(self, version: str, plural: str, name: str) -> History:
        """Return every state from now on of an object of the namespace."""
        return History(self.cluster, f"/{version}/namespaces/{self.namespace}/{plural}", name).start()

    def load(self) -> Load:
        """Send requests to the namespace's host."""
        load = self._machinery.load(self.host)
        self._loads.append(load)
        return load

    def end(self, histories: Sequence[History] = ()) -> None:
        """Stop load and watches, and give the namespace back; the Application goes without its objects."""
        for load in self._loads:
            load.stop()
        for history in (self.history, *histories):
            history.stop()
        self.cluster.admin.request("DELETE", f"{_ARGO}/applications/{self.namespace}")
        self.cluster.delete_namespace(self.namespace)


def _condition(state: Object, kind: str) -> str:
    conditions = (state.get("status") or {}).get("conditions") or ()
    return next((str(c["message"]) for c in conditions if c["type"] == kind), "")
