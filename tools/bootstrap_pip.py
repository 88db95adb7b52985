"""Fetches pip's wheel from the configured package index, for a Python that comes without ensurepip.

The index is the one that pip itself would use: PIP_INDEX_URL, else ``index-url`` of pip's configuration
files, else PyPI. The wheel is one fixed version, and it is refused when its digest differs.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib.util
import os
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

WHEEL = "pip-26.3-py3-none-any.whl"
DIGEST = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PYPI = "https://pypi.org/simple"
SECONDS = 60.0


class BootstrapFailed(Exception):
    """pip could not be fetched; the message says from where and why."""


def has_ensurepip() -> bool:
    """Return whether this Python can install its own pip (Debian keeps that in python3-venv)."""
    found = importlib.util.find_spec("ensurepip")
    return found is not None and found.loader is not None


def fetch_pip(folder: Path) -> Path:
    """Download pip's wheel into ``folder`` and return its path. Raises BootstrapFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    index = setting("index-url") or PYPI
    page = index.rstrip("/") + "/pip/"
    found = re.search(rf'href="([^"]*{re.escape(WHEEL)}[^"]*)"', _get(page).decode(errors="replace"))
    if found is None:
        raise BootstrapFailed(f"the index page {without_password(page)} does not list {WHEEL}")
    raw = _get(urllib.parse.urljoin(page, found[1].replace("&amp;", "&")))
    if hashlib.sha256(raw).hexdigest() != DIGEST:
        raise BootstrapFailed(
            f"{WHEEL} from {without_password(page)} has another digest than the one pinned here"
        )
    target = folder / WHEEL
    target.write_bytes(raw)
    return target


def setting(name: str) -> str:
    """Return pip's setting as pip looks it up: environment, the user's files, the machine's."""
    from_environment = os.environ.get("PIP_" + name.upper().replace("-", "_"), "")
    if from_environment:
        return from_environment
    for path in config_files():
        parser = configparser.RawConfigParser()
        parser.read(path)
        for section in ("install", "global"):
            if parser.has_option(section, name):
                return parser.get(section, name).strip()
    return ""


def config_files() -> list[Path]:
    """Return where pip keeps its configuration, the strongest first."""
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    files = [Path(named)] if named else []
    return [
        *files,
        config / "pip/pip.conf",
        home / ".pip/pip.conf",
        Path("/etc/pip.conf"),
        Path("/etc/xdg/pip/pip.conf"),
    ]


def without_password(url: str) -> str:
    """Return the URL fit for a message."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))


def _get(url: str) -> bytes:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("https", "http"):
        raise BootstrapFailed(f"the package index {without_password(url)} is neither https nor http")
    # User and password may stand in the URL of an index; urllib wants them in a header.
    plain = url if parts.username is None else without_password(url)
    request = urllib.request.Request(plain, headers={"Accept": "text/html, */*;q=0.1"})  # noqa: S310
    if parts.username is not None:
        secret = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(secret.encode()).decode())
    context = ssl.create_default_context(cafile=setting("cert") or None) if parts.scheme == "https" else None
    try:
        with urllib.request.urlopen(request, timeout=SECONDS, context=context) as answer:  # noqa: S310
            return bytes(answer.read())
    except (OSError, urllib.error.URLError) as error:
        raise BootstrapFailed(
            f"{without_password(url)} cannot be reached ({error}); set PIP_INDEX_URL to an index that can, "
            "or install the python3-venv package"
        ) from None
