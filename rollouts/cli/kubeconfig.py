"""The few things that commands read of a kubeconfig themselves: contexts, namespace, server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml


@dataclass(frozen=True, slots=True)
class Contexts:
    """What a kubeconfig (several files merged, first one wins) says. Empty when there is none."""

    current: str = ""
    contexts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    servers: Mapping[str, str] = field(default_factory=dict)

    def namespace(self, context: str = "") -> str:
        """Return the namespace of a context, "" when it names none."""
        return str(self._context(context).get("namespace") or "")

    def server(self, context: str = "") -> str:
        """Return the host of a context's server without path, which may hold a token; "" when not known."""
        url = self.servers.get(str(self._context(context).get("cluster") or ""), "")
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}" if rest else ""

    def check(self, context: str) -> None:
        """Raise ClickException for a context that does not exist."""
        if context and self.contexts and context not in self.contexts:
            names = ", ".join(sorted(self.contexts))
            raise click.ClickException(f"no context {context!r} in the kubeconfig. There are: {names}")

    def _context(self, name: str) -> Mapping[str, Any]:
        return self.contexts.get(name or self.current) or {}


def missing_file(explicit: str) -> str:
    """Return why there is no kubeconfig to read, "" when there is one, or a pod's own account."""
    if explicit:
        return "" if Path(explicit).expanduser().is_file() else f"the kubeconfig {explicit} does not exist"
    named = os.environ.get("KUBECONFIG", "")
    paths = [path for path in (named.split(os.pathsep) if named else ["~/.kube/config"]) if path]
    if any(Path(path).expanduser().is_file() for path in paths) or "KUBERNETES_SERVICE_HOST" in os.environ:
        return ""
    return f"KUBECONFIG names {named}, which does not exist" if named else "there is no ~/.kube/config"


def read_contexts(explicit: str) -> Contexts:
    """Read the kubeconfig of the flag, else of $KUBECONFIG, else ~/.kube/config; empty when unreadable."""
    named = explicit or os.environ.get("KUBECONFIG", "")
    paths = named.split(os.pathsep) if named else ["~/.kube/config"]
    current = ""
    contexts: dict[str, Mapping[str, Any]] = {}
    servers: dict[str, str] = {}
    for path in paths:
        config = _read(Path(path).expanduser())
        current = current or str(config.get("current-context") or "")
        contexts = {**_named(config, "contexts", "context"), **contexts}
        clusters = _named(config, "clusters", "cluster")
        servers = {**{name: str(c.get("server") or "") for name, c in clusters.items()}, **servers}
    return Contexts(current, contexts, servers)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _named(config: Mapping[str, Any], field_name: str, inner: str) -> dict[str, Mapping[str, Any]]:
    entries = config.get(field_name)
    found = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    return {str(e.get("name")): e[inner] for e in found if isinstance(e.get(inner), dict)}
