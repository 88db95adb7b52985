"""From what was measured about series to words for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from analysis.doctor.selectors import Selector
from analysis.doctor.subjects import Subject
from analysis.slo.burn import requests_to_certify

OLD_SCRAPES = 3
"""Scrapes after which the newest sample counts as old."""
GOOD_SCRAPES = 4
"""Scrapes that a range should hold, so that one that failed does not empty it."""
OFTEN_RESETS = 20
"""Decreases of one series in an hour; a counter only decreases when its process starts anew."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, about one subject."""

    level: Level
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Series:
    """What was measured about the series of one selector. Times are in seconds, None where nothing was told.

    ``found_without`` has, for a selector without series, each matcher whose removal finds some, and how many;
    ``named`` is how many series have the name at all. ``missing`` counts the series without a wanted label.
    """

    selector: Selector
    count: int
    named: int = 0
    found_without: Sequence[tuple[str, int]] = ()
    age: float | None = None
    interval: float | None = None
    resets: float | None = None
    missing: Sequence[tuple[str, int]] = ()
    edges: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Examined:
    """What was measured about a subject. ``answer`` are the values of its own query, None when not asked."""

    subject: Subject
    series: Sequence[Series] = ()
    answer: Sequence[float] | None = None
    requests_per_second: float | None = None
    weight: float = field(default=0.05)


def diagnose(examined: Examined) -> Iterator[Finding]:
    """Return what is to be said about a subject, the good too."""
    title = examined.subject.title
    tolerated = examined.subject.optional or bool(examined.answer)
    for series in examined.series:
        for level, message in _of_series(series, examined.subject, tolerated):
            yield Finding(level, title, f"{series.selector}: {message}")
    for level, message in (*_of_answer(examined), *_of_traffic(examined)):
        yield Finding(level, title, message)


def _of_series(series: Series, subject: Subject, tolerated: bool) -> Iterator[tuple[Level, str]]:
    if not series.count:
        hint = "; right if such an event never happened" if tolerated else ""
        yield (Level.NOTE if tolerated else Level.PROBLEM), f"{_absent(series)}{hint}"
        return
    yield from _freshness(series)
    yield from _range(series, subject)
    for label, missing in series.missing:
        if missing:
            yield (
                Level.PROBLEM,
                f"{missing} of {series.count} series have no label {label!r}, by which versions are told"
                " apart: keep it when scraping and recording, or name another one",
            )
    if series.resets is not None and series.resets > OFTEN_RESETS and series.selector.window is not None:
        yield (
            Level.PROBLEM,
            f"decreases {series.resets:.0f} times an hour: rate() and increase() are for counters, which only"
            " decrease when a process starts anew",
        )
    yield from _edges(series, subject)


def _absent(series: Series) -> str:
    if not series.named:
        return "there is no series of this name: is it scraped, and spelt like this?"
    told = [f"without {matcher} there are {count}" for matcher, count in series.found_without]
    if not told:
        return f"no series, though {series.named} have the name: more than one matcher fits nothing"
    return f"no series, though {series.named} have the name: {', '.join(told)}"


def _freshness(series: Series) -> Iterator[tuple[Level, str]]:
    interval, age = series.interval, series.age
    told = f"{series.count} series"
    if interval is not None:
        told += f", sampled every {interval:.0f} s"
    if age is not None:
        told += f", the stalest last seen {age:.0f} s ago"
    if interval is not None and age is not None and age > max(OLD_SCRAPES * interval, 60):
        yield (
            Level.PROBLEM,
            f"{told}: a target is not scraped any more, and its last value stands for now; look at up and at"
            " the scrape's errors",
        )
        return
    yield Level.OK, told


def _range(series: Series, subject: Subject) -> Iterator[tuple[Level, str]]:
    interval, window = series.interval, series.selector.window
    if interval is None:
        return
    if window is not None:
        seconds = window.total_seconds()
        if seconds < 2 * interval:
            yield (
                Level.PROBLEM,
                f"a range of {seconds:.0f} s holds fewer than two samples, and gives nothing: take"
                f" {GOOD_SCRAPES * interval:.0f} s or more",
            )
        elif seconds < GOOD_SCRAPES * interval:
            yield (
                Level.NOTE,
                f"a range of {seconds:.0f} s is short for samples every {interval:.0f} s: one failed scrape"
                f" and there is no data; {GOOD_SCRAPES * interval:.0f} s is better",
            )
    if subject.lag is not None and subject.lag < interval:
        yield (
            Level.NOTE,
            f"lag is {subject.lag:.0f} s, less than the {interval:.0f} s between samples: the newest interval"
            " is asked for before it was scraped",
        )


def _edges(series: Series, subject: Subject) -> Iterator[tuple[Level, str]]:
    if not subject.edges:
        return
    finite = sorted(edge for edge in series.edges if edge != float("inf"))
    if not finite:
        yield Level.PROBLEM, "has no bucket edges (label le): it is no classic histogram"
        return
    for edge in subject.edges:
        if edge in finite:
            yield Level.OK, f"{edge:g} s is one of its {len(finite)} bucket edges"
            continue
        below = [f"{e:g}" for e in finite if e < edge][-1:]
        above = [f"{e:g}" for e in finite if e > edge][:1]
        near = " and ".join(below + above)
        yield (
            Level.PROBLEM,
            f"{edge:g} s is no bucket edge, so nobody counted what is slower; the nearest are {near}:"
            " take one of them, or add the edge to the histogram",
        )


def _of_answer(examined: Examined) -> Iterator[tuple[Level, str]]:
    answer = examined.answer
    if answer is None:
        return
    if not answer:
        yield (
            Level.PROBLEM,
            "the query gives nothing at the moment: a condition on result[0] would be an error; say what no"
            " data means, such as `len(result) == 0 || result[0] < 0.05`",
        )
    elif any(value != value for value in answer):
        yield (
            Level.PROBLEM,
            "the query gives NaN, as a division by zero does when nobody asks: compare with isNaN(result[0])",
        )
    elif len(answer) > 1:
        yield (
            Level.NOTE,
            f"the query gives {len(answer)} series in no certain order; result[0] is one of them by chance:"
            " aggregate it, or judge all of them",
        )
    else:
        yield Level.OK, f"the query gives {answer[0]:g}"


def _of_traffic(examined: Examined) -> Iterator[tuple[Level, str]]:
    rps, objective = examined.requests_per_second, examined.subject.objective
    if rps is None:
        return
    if rps <= 0:
        yield Level.PROBLEM, "nobody asks at the moment: without requests there is nothing to judge"
        return
    if objective is None:
        yield Level.OK, f"{rps:.3g} requests a second"
        return
    needed = requests_to_certify(objective)
    canary = needed / (rps * examined.weight)
    level = Level.OK if canary <= 3_600 else Level.NOTE
    hint = "" if level is Level.OK else ": raise the weight, or look at more than this service"
    yield (
        level,
        f"{rps:.3g} requests a second: {needed} without a bad one show {objective * 100:.6g}%, which takes"
        f" {_time(needed / rps)} of all traffic and {_time(canary)} of a canary's"
        f" {examined.weight:.0%}{hint}",
    )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
