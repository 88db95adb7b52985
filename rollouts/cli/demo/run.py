"""The demo from beginning to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from rollouts.cli.demo.controller_process import ControllerEnded
from rollouts.cli.demo.frame import frame
from rollouts.cli.demo.options import Check, DemoOptions, DemoResult, Outcome
from rollouts.cli.demo.show import Show
from rollouts.cli.demo.sight import Sight
from rollouts.cli.demo.story import History, bad_checks, good_checks, initial_checks
from rollouts.cli.demo.versions import BAD, FIRST, GOOD, Version
from rollouts.cli.demo.world import World, temporary_world

INTERRUPTED = "the demo was interrupted"
_REFRESH_SECONDS = 0.25
_STEADY_SECONDS = 1.5
"""How long every check must hold, so that no passing state counts as an end."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One commit and what must come of it, within ``limit`` seconds."""

    title: str
    version: Version
    limit: float
    judge: Callable[[Sight, str, History], Sequence[Check]]


CHAPTERS = (
    Chapter(
        "v1 is committed: it is installed and takes all traffic",
        FIRST,
        25.0,
        lambda sight, commit, history: initial_checks(sight, FIRST, commit),
    ),
    Chapter(
        "v2 is committed: a good version goes to 100 % in steps",
        GOOD,
        45.0,
        lambda sight, commit, history: good_checks(sight, GOOD, commit, history),
    ),
    Chapter(
        "v3 is committed: a bad version is found out and goes back",
        BAD,
        30.0,
        lambda sight, commit, history: bad_checks(sight, BAD, GOOD, commit),
    ),
)


@dataclass(slots=True)
class _Progress:
    began: float
    history: History = field(default_factory=History)
    outcomes: list[Outcome] = field(default_factory=list)


async def run_demo(options: DemoOptions, show: Show, stop: asyncio.Event | None = None) -> DemoResult:
    """Run all chapters, stopping at the first that does not end as it must, or when ``stop`` is set.

    With ``keep``, everything stays up until ``stop``. Raises DemoUnavailable when something is missing.
    """
    stop = stop or asyncio.Event()
    result = DemoResult(outcomes=(), seconds=0.0, problem=INTERRUPTED)
    problem = ""
    try:
        async with temporary_world(options.rate, stop) as world:
            result = await _tell(world, show, stop)
            show.finish(result)
            if options.keep and not stop.is_set():
                show.keep(world.places)
                await stop.wait()
    except* ControllerEnded as group:
        problem = "; ".join(str(error) for error in group.exceptions)
    finally:
        show.close()
    return replace(result, problem=problem) if problem else result


async def _tell(world: World, show: Show, stop: asyncio.Event) -> DemoResult:
    progress = _Progress(world.clock.monotonic())
    show.begin(world.places)
    world.start_controller(stop)
    await world.apply_application()
    for chapter in CHAPTERS:
        outcome = await _play(world, chapter, progress, show, stop)
        progress.outcomes.append(outcome)
        show.ended(outcome)
        if not outcome.met:
            break
    return DemoResult(
        outcomes=tuple(progress.outcomes),
        seconds=world.clock.monotonic() - progress.began,
        requests=world.requests(),
        timeline=tuple(progress.history.timeline),
        problem=INTERRUPTED if stop.is_set() else "",
    )


async def _play(
    world: World, chapter: Chapter, progress: _Progress, show: Show, stop: asyncio.Event
) -> Outcome:
    began = world.clock.monotonic()
    commit = await world.repository.commit(chapter.version)
    show.chapter(chapter.title, commit)
    steady_since: float | None = None
    while True:
        sight = world.look()
        now = world.clock.monotonic()
        if sight.status.get("phase") == "Healthy":
            world.start_load(stop)
        progress.history.add(sight, now - progress.began)
        show.frame(frame(sight, seconds=now - progress.began, chapter=chapter.title, commit=commit))
        checks = chapter.judge(sight, commit, progress.history)
        steady_since = (steady_since or now) if all(check.met for check in checks) else None
        steady = steady_since is not None and now - steady_since >= _STEADY_SECONDS
        if steady or stop.is_set() or now - began >= chapter.limit:
            return Outcome(
                chapter=chapter.title,
                version=chapter.version.name,
                commit=commit,
                seconds=round(now - began, 1),
                checks=tuple(checks),
            )
        await world.clock.sleep(_REFRESH_SECONDS)
