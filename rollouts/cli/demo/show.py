"""How the demo is shown: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live

from rollouts.cli.demo.frame import Frame
from rollouts.cli.demo.lines import Lines
from rollouts.cli.demo.options import DemoResult, Outcome
from rollouts.cli.demo.screen import render

Places = Sequence[tuple[str, str]]


class Show(Protocol):
    """Is told what happens; must return quickly."""

    def begin(self, places: Places) -> None:
        """Everything but the controller runs."""
        ...

    def chapter(self, title: str, commit: str) -> None:
        """A commit was pushed."""
        ...

    def frame(self, frame: Frame) -> None:
        """The present picture, a few times a second."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A chapter ended."""
        ...

    def finish(self, result: DemoResult) -> None:
        """All chapters ended."""
        ...

    def keep(self, places: Places) -> None:
        """Everything stays up."""
        ...

    def close(self) -> None:
        """The run is over, however it ended; may come more than once."""
        ...


class PlainShow:
    """Lines on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = Lines(self._write)

    def _write(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self, places: Places) -> None:
        """See Show."""
        for name, value in places:
            self._write(f"{name}: {value}")

    def chapter(self, title: str, commit: str) -> None:
        """See Show."""
        self._write(f"== {title} (commit {commit[:7]})")

    def frame(self, frame: Frame) -> None:
        """See Show."""
        self._lines.show(frame)

    def ended(self, outcome: Outcome) -> None:
        """See Show."""
        for check in outcome.checks:
            self._write(f"   {'ok  ' if check.met else 'FAIL'} {check.name}: {check.seen}")

    def finish(self, result: DemoResult) -> None:
        """See Show."""
        self._write(verdict(result))

    def keep(self, places: Places) -> None:
        """See Show."""
        for line in what_to_try(places):
            self._write(line)

    def close(self) -> None:
        """See Show."""


class LiveShow:
    """One table that is drawn anew in place, on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plain = PlainShow(console)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._places: Places = ()
        self._outcomes: list[Outcome] = []

    def begin(self, places: Places) -> None:
        """See Show."""
        self._places = places
        self._live.start()

    def chapter(self, title: str, commit: str) -> None:
        """See Show."""

    def frame(self, frame: Frame) -> None:
        """See Show."""
        self._live.update(render(frame, self._outcomes, self._places), refresh=True)

    def ended(self, outcome: Outcome) -> None:
        """See Show."""
        self._outcomes.append(outcome)

    def finish(self, result: DemoResult) -> None:
        """See Show."""
        self._live.transient = False
        self._live.stop()
        for outcome in result.outcomes:
            self._plain.chapter(outcome.chapter, outcome.commit)
            self._plain.ended(outcome)
        self._plain.finish(result)

    def keep(self, places: Places) -> None:
        """See Show."""
        self._plain.keep(places)

    def close(self) -> None:
        """See Show."""
        self._live.stop()


def verdict(result: DemoResult) -> str:
    """Return how the whole run ended, in one line."""
    total = sum(number for codes in result.requests.values() for number in codes.values())
    seen = ", ".join(
        f"{version} {'+'.join(f'{number}×{code}' for code, number in codes.items())}"
        for version, codes in result.requests.items()
    )
    word = "As it must be" if result.succeeded else "NOT as it must be"
    return f"{word}: {len(result.outcomes)} commits in {result.seconds:.0f} s, {total} requests ({seen})"


def what_to_try(places: Places) -> list[str]:
    """Return commands for a cluster that stays up."""
    at = dict(places)
    shop = at["shop"].split(" ")[0]
    rollouts = "rollouts" if shutil.which("rollouts") else str(Path(sys.executable).with_name("rollouts"))
    return [
        "",
        "Everything stays up until Ctrl-C. Try, in another terminal:",
        f"  export KUBECONFIG={at['kubeconfig']}",
        "  kubectl -n shop get rollout,replicaset,pod,analysisrun",
        f"  {rollouts} get rollout shop -n shop",
        f"  {rollouts} explain shop -n shop   # why it is where it is, and what you can do",
        f"  {rollouts} retry shop -n shop     # the bad version fails again",
        f"  curl -H 'Host: shop.example' {shop}",
        f"  curl {at['metrics']}/api/v1/query -d 'query=sum by (code) (rate(http_requests_total[5s]))'",
        "or fix the shop in Git, and watch v4 go to 100 %:",
        f"  cd {at['repository']}",
        "  sed -i 's/v3/v4/; s/0.25/0/; s/400/10/' shop/rollout.yaml",
        "  git commit --all --message 'Shop v4' && git push",
        f"  {rollouts} get rollout shop -n shop --watch",
    ]
