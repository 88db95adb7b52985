"""A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager, and its users.

``ControlPlane`` owns the three processes. ``RealCluster`` is what a test gets: addresses, kubeconfigs,
namespaces, the audit log. ``shared_cluster()`` starts one for the whole test run at its first use.
"""

from __future__ import annotations

import atexit
import itertools
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rollouts.kube.client import HttpKubeApi
from tests.cluster.audit import POLICY, AuditLog
from tests.cluster.binaries import built_control_plane
from tests.cluster.credentials import MANAGER, User, known_users, kubeconfig, token_file
from tests.cluster.processes import ServerFailed, ServerProcess, free_ports, wait_until
from tests.cluster.rest import Rest, RestError
from tests.cluster.roles import machinery_roles

SERVICE_RANGE = "10.96.0.0/16"
MISSING = (
    "the real control plane is not built; `make lanes` builds it from Go modules (about 4 minutes, once)"
)


class ControlPlane:
    """The three servers. They live in ``folder`` and nowhere else; ports are free ones on loopback."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._processes: list[ServerProcess] = []

    def start(self) -> RealCluster:
        """Start all three and return the cluster once the API answers. Raises ServerFailed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(self._binary), "keys", str(self._folder)], check=True)
        client, peer, secure = free_ports(3)
        users = known_users()
        token_file(self._folder / "tokens.csv", users.values())
        (self._folder / "audit-policy.json").write_text(json.dumps(POLICY))
        url = f"https://127.0.0.1:{secure}"
        for user in users.values():
            kubeconfig(self._path(user), url, self._folder / "ca.crt", user)
        cluster = RealCluster(url=url, ca=self._folder / "ca.crt", folder=self._folder, users=users)

        self._launch("etcd", self._etcd(client, peer))
        apiserver = self._launch("apiserver", self._apiserver(client, secure))
        apiserver.wait_ready(cluster.admin.ready, seconds=60)
        self._launch("controller-manager", self._manager(users[MANAGER]))
        wait_until(cluster.has_default_namespace, seconds=30, what="namespace default")
        cluster.prepare()
        return cluster

    def stop(self) -> None:
        """End the servers in reverse order."""
        # An API server that loses its etcd first waits for it; SIGKILL harms nobody, since nothing is kept.
        for process in reversed(self._processes):
            process.stop(first=signal.SIGKILL)
        self._processes.clear()

    def process(self, name: str) -> ServerProcess:
        """Return ``etcd``, ``apiserver`` or ``controller-manager``, for tests that pause or kill it."""
        return next(p for p in self._processes if p.name == name)

    def _path(self, user: User) -> Path:
        return self._folder / f"{user.alias}.kubeconfig"

    def _launch(self, name: str, flags: Mapping[str, str]) -> ServerProcess:
        command = [str(self._binary), name, *(f"--{flag}={value}" for flag, value in flags.items())]
        process = ServerProcess(name, command, self._folder)
        self._processes.append(process)
        process.start()
        return process

    def _etcd(self, client: int, peer: int) -> dict[str, str]:
        at, between = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        return {
            "data-dir": str(self._folder / "etcd"),
            "listen-client-urls": at,
            "advertise-client-urls": at,
            "listen-peer-urls": between,
            "initial-advertise-peer-urls": between,
            "initial-cluster": f"default={between}",
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }

    def _apiserver(self, etcd: int, secure: int) -> dict[str, str]:
        here = self._folder
        return {
            "etcd-servers": f"http://127.0.0.1:{etcd}",
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none",
            "secure-port": str(secure),
            "tls-cert-file": str(here / "apiserver.crt"),
            "tls-private-key-file": str(here / "apiserver.key"),
            "service-account-key-file": str(here / "sa.key"),
            "service-account-signing-key-file": str(here / "sa.key"),
            "service-account-issuer": "https://kubernetes.default.svc",
            "token-auth-file": str(here / "tokens.csv"),
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": SERVICE_RANGE,
            # Pods of the simulator mount no tokens, so a namespace needs no service account first.
            "disable-admission-plugins": "ServiceAccount",
            "audit-policy-file": str(here / "audit-policy.json"),
            "audit-log-path": str(here / "audit.log"),
            "audit-log-mode": "blocking",
            "profiling": "false",
        }

    def _manager(self, user: User) -> dict[str, str]:
        return {
            "kubeconfig": str(self._path(user)),
            "service-account-private-key-file": str(self._folder / "sa.key"),
            "root-ca-file": str(self._folder / "ca.crt"),
            "leader-elect": "false",
            "secure-port": "0",
            "controllers": "*,-nodeipam,-nodelifecycle,-cloud-node-lifecycle",
            # The defaults of 20 and 30 would set the pace of every test.
            "kube-api-qps": "500",
            "kube-api-burst": "1000",
            "concurrent-replicaset-syncs": "20",
        }


@dataclass(frozen=True, eq=False)
class RealCluster:
    """A running control plane as a test sees it."""

    url: str
    ca: Path
    folder: Path
    users: Mapping[str, User]

    @property
    def admin(self) -> Rest:
        """Return access for set-up and assertions; nothing that is under test may use it."""
        return self.rest("admin")

    @property
    def audit(self) -> AuditLog:
        """Return the account of all requests but those of the control plane itself."""
        return AuditLog(self.folder / "audit.log")

    def token(self, user: str) -> str:
        """Return the bearer token of ``admin``, ``simulator``, ``gateway``, ``controller`` or ``nobody``."""
        return self.users[user].token

    def username(self, user: str) -> str:
        """Return the name under which RBAC and the audit log know ``user``."""
        return self.users[user].name

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return a kubeconfig with the verified CA and the token of ``user``."""
        return self.folder / f"{self.users[user].alias}.kubeconfig"

    def rest(self, user: str) -> Rest:
        """Return a small blocking client."""
        return Rest(self.url, self.ca, self.token(user))

    async def api(self, user: str = "controller") -> HttpKubeApi:
        """Return the product's client as ``user``; close it when done."""
        return await HttpKubeApi.from_kubeconfig(str(self.kubeconfig(user)))

    def kubectl(
        self, *arguments: str, user: str = "admin", stdin: str | None = None, check: bool = True
    ) -> str:
        """Run kubectl and return what it printed. Raises AssertionError unless ``check`` is off."""
        command = [kubectl_binary(), "--kubeconfig", str(self.kubeconfig(user)), *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=60, check=False)
        assert not check or answer.returncode == 0, f"kubectl {' '.join(arguments)}: {answer.stderr}"
        return answer.stdout

    def new_namespace(self, prefix: str = "test") -> str:
        """Create a namespace that no other test uses and return its name."""
        name = f"{prefix}-{next(_numbers)}"
        self.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def delete_namespace(self, name: str) -> None:
        """Ask for the deletion; the real controllers do it in their own time."""
        self.admin.request("DELETE", f"/api/v1/namespaces/{name}")

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig with a real token of an existing service account, valid for one hour."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        answer = self.admin.create(path, {"spec": {"expirationSeconds": 3600}})
        alias = f"{namespace}.{name}"
        full = f"system:serviceaccount:{namespace}:{name}"
        user = User(alias=alias, name=full, token=answer["status"]["token"], groups=())
        target = self.folder / f"{alias}.kubeconfig"
        kubeconfig(target, self.url, self.ca, user)
        return target

    def has_default_namespace(self) -> bool:
        """Return whether the API server has finished its own set-up."""
        try:
            self.admin.get("/api/v1/namespaces/default")
        except RestError as error:
            if error.status == 404:
                return False
            raise
        return True

    def prepare(self) -> None:
        """Give the simulated machinery its roles; the controller gets what the shipped manifests say."""
        for path, body in machinery_roles(self.username("simulator"), self.username("gateway")):
            self.admin.apply(path, body)


def kubectl_binary() -> str:
    """Return the venv's kubectl, else the PATH's. Raises ServerFailed when there is none."""
    beside = Path(sys.prefix) / "bin" / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise ServerFailed("there is no kubectl; `make setup` installs it into .venv")
    return found


def missing_reason() -> str:
    """Return why there can be no real cluster here, "" when there can."""
    return "" if built_control_plane() else MISSING


@cache
def shared_cluster() -> RealCluster | None:
    """Return the run's one cluster, started at the first call.

    None when it is not built; ``missing_reason`` then says how to get it.
    """
    binary = built_control_plane()
    if binary is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="rollouts-cluster-"))
    plane = ControlPlane(binary, folder)
    _shared.callback(shutil.rmtree, folder, ignore_errors=True)
    _shared.callback(plane.stop)
    return plane.start()


def stop_shared_cluster() -> None:
    """End the run's one cluster; whoever asks for it afterwards gets a new one."""
    shared_cluster.cache_clear()
    _shared.close()


_shared = ExitStack()
# The tests of the API's contract ask for it without a fixture that would give it back.
atexit.register(_shared.close)
_numbers = itertools.count(1)
