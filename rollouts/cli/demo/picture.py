"""A picture of the live table, for documents: the moment at which the bad version is being judged."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from rollouts.cli.demo.frame import Frame
from rollouts.cli.demo.options import DemoResult, Outcome
from rollouts.cli.demo.screen import render
from rollouts.cli.demo.show import Places, Show

_WIDTH = 128


class PictureShow:
    """Shows by another ``Show`` and keeps the last frame in which a canary failed; writes it as SVG."""

    def __init__(self, inner: Show, path: Path) -> None:
        self._inner = inner
        self._path = path
        self._places: Places = ()
        self._outcomes: list[Outcome] = []
        self._chosen: Frame | None = None

    def begin(self, places: Places) -> None:
        """See Show."""
        self._places = places
        self._inner.begin(places)

    def chapter(self, title: str, commit: str) -> None:
        """See Show."""
        self._inner.chapter(title, commit)

    def frame(self, frame: Frame) -> None:
        """See Show."""
        if any(row.role == "canary" and row.errors and row.asked for row in frame.versions):
            self._chosen = frame
        self._inner.frame(frame)

    def ended(self, outcome: Outcome) -> None:
        """See Show."""
        self._outcomes.append(outcome)
        self._inner.ended(outcome)

    def finish(self, result: DemoResult) -> None:
        """See Show."""
        self._inner.finish(result)
        if self._chosen is not None:
            self._path.write_text(picture(self._chosen, self._outcomes[:-1], self._places))

    def keep(self, places: Places) -> None:
        """See Show."""
        self._inner.keep(places)

    def close(self) -> None:
        """See Show."""
        self._inner.close()


def picture(frame: Frame, outcomes: list[Outcome], places: Places) -> str:
    """Return a frame as SVG."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(render(frame, outcomes, places))
    return console.export_svg(title="rollouts demo")
