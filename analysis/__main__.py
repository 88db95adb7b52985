"""``python -m analysis``."""

from __future__ import annotations

from analysis.cli import main

main()
