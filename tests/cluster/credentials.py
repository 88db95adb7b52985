"""Users of the test cluster: static tokens and kubeconfig files."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MANAGER = "manager"
"""Alias of kube-controller-manager's own user."""


@dataclass(frozen=True, slots=True)
class User:
    """A user by its short ``alias`` in tests and its ``name`` in RBAC and in the audit log."""

    alias: str
    name: str
    groups: tuple[str, ...]
    token: str

    def __repr__(self) -> str:
        return f"User({self.name})"


def known_users() -> dict[str, User]:
    """Return the users with fresh tokens: only the set-up and the control plane itself are masters."""
    masters = ("system:masters",)
    rows = (
        ("admin", "test-setup", masters),
        (MANAGER, "system:kube-controller-manager", masters),
        ("simulator", "workload-simulator", ()),
        ("gateway", "gateway-controller", ()),
        ("controller", "rollouts-controller", ()),
        ("nobody", "nobody", ()),
    )
    return {alias: User(alias, name, groups, secrets.token_hex(16)) for alias, name, groups in rows}


def token_file(path: Path, users: Iterable[User]) -> None:
    """Write the static token file of kube-apiserver."""
    lines = (f'{user.token},{user.name},{user.alias},"{",".join(user.groups)}"' for user in users)
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")


def kubeconfig(path: Path, url: str, ca: Path, user: User) -> None:
    """Write a kubeconfig (JSON is valid YAML) that verifies the server by ``ca``."""
    authority = base64.b64encode(ca.read_bytes()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "real", "cluster": {"server": url, "certificate-authority-data": authority}}],
        "users": [{"name": user.name, "user": {"token": user.token}}],
        "contexts": [{"name": "real", "context": {"cluster": "real", "user": user.name}}],
        "current-context": "real",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))
