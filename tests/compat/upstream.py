"""Data of the upstream projects, for comparison: absent data skips a test with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "upstream"
FOLDER = Path(os.environ.get("ROLLOUTS_UPSTREAM_DATA") or _BESIDE)

needs_upstream_data = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no upstream data in {FOLDER}; set ROLLOUTS_UPSTREAM_DATA"
)


def files(pattern: str) -> list[Path]:
    """Return the upstream files that match a glob, in a fixed order; none when the data is absent."""
    return sorted(FOLDER.glob(pattern)) if FOLDER.is_dir() else []
