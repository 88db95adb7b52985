"""Why a source gives no manifests."""

from __future__ import annotations


class RenderError(Exception):
    """A person must change the source or its files. The message names the file and the line."""


class UnsupportedSource(RenderError):
    """A source type or option that this controller does not act on."""
