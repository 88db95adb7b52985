"""The record of a trial: its start and its ticks, from which everything can be computed again. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.judges.sums import StateUnreadable
from analysis.judges.terms import Counted, Terms
from analysis.judges.trial import Judgement, Trial, advance, judge
from analysis.providers.canary.session import Session, pack, unpack

STATE_KEY = "canary.state"
RECORD_KEY = "canary.record"
LARGEST_RECORD = 24_000
"""Characters; beyond, the older half of the ticks is folded into the start."""


def opened_record(session: Session) -> str:
    """Return a record that starts at the session as it is."""
    return _head(session.terms, session.trial)


def extended(record: str, counted: Sequence[tuple[float, Counted]]) -> str:
    """Return the record with more ticks, one a line. Raises StateUnreadable."""
    for end, item in counted:
        record += "\n" + json.dumps([end, item.dump()], separators=(",", ":"))
    if len(record) <= LARGEST_RECORD:
        return record
    read = read_record(record)
    kept = len(read.ticks) // 2
    start, folded = read.start, read.ticks[: len(read.ticks) - kept]
    for _, item in folded:
        start = advance(start, item, read.terms)
    lines = record.split("\n")[1 + len(folded) :]
    return "\n".join([_head(read.terms, start), *lines])


def _head(terms: Terms, trial: Trial) -> str:
    return json.dumps({"terms": terms.dump(), "start": pack(trial.dump())}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Record:
    """A start, and the ticks since, each with the end of its interval."""

    terms: Terms
    start: Trial
    ticks: tuple[tuple[float, Counted], ...]


def read_record(text: str) -> Record:
    """Return a record. Raises StateUnreadable."""
    head, *lines = text.split("\n")
    try:
        read = json.loads(head)
        items = [json.loads(line) for line in lines]
        return Record(
            Terms.load(read["terms"]),
            Trial.load(unpack(read["start"])),
            tuple((float(end), Counted.load(item)) for end, item in items),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StateUnreadable(f"the record of the trial cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Step:
    """The trial after one recorded tick."""

    end: float
    trial: Trial
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Replay:
    """A trial computed again: after each tick, and whether its end is the saved one to the last digit."""

    terms: Terms
    steps: tuple[Step, ...]
    same: bool


def replay(metadata: Mapping[str, Any]) -> Replay:
    """Compute a trial again from a metric's metadata. Raises StateUnreadable."""
    if RECORD_KEY not in metadata or STATE_KEY not in metadata:
        raise StateUnreadable(f"the metric's metadata has no {RECORD_KEY} or no {STATE_KEY}")
    record, saved = read_record(metadata[RECORD_KEY]), Session.load(metadata[STATE_KEY])
    trial, steps = record.start, []
    for end, item in record.ticks:
        trial = advance(trial, item, record.terms)
        steps.append(Step(end, trial, judge(trial, record.terms)))
    return Replay(record.terms, tuple(steps), trial == saved.trial and record.terms == saved.terms)
