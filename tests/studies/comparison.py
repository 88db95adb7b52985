"""Four rules on the same releases: `python -m tests.studies.comparison` prints tables, writes a picture."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.judges.kayenta.classify import Direction, MetricTerms, classify
from analysis.judges.kayenta.run import Course
from analysis.judges.kayenta.score import Thresholds, Verdict, score
from tests.studies.study import wilson
from tests.studies.tables import NULL, POWER
from tests.studies.vectorised import over, play
from tests.studies.worlds import Array, Batch, World

PLACE = Path(__file__).resolve().parents[2] / "analysis" / "providers" / "canary"
RUNS = 1_000
SEED = 31_000
RULES = ("fixed threshold", "naive ratio", "Kayenta's judge", "rollouts.dev/canary")
COLOURS = ("#b8b8b8", "#e0a458", "#7a9cc6", "#2f6f4f")
WELL = (
    "iid",
    "shared wave .8 % +-90 %/600 s",
    "client bursts size 5, 50 %",
    "pod AR s1 r.9",
    "flap 1/h 60 s 5 %",
    "sick 2 % of pods +5 %",
    "cold x3 30 s",
    "arm AR s.3 r.9",
    "2 rps",
)
BAD = (
    "2x",
    "3x",
    "5x, 2 canary pods",
    "10x",
    "5x, wave .8 %",
    "5x, sick stable pod +5 %",
    "5x from minute 12 (50 %)",
    "5x, 10 rps",
)
MINUTE = 4
"""Ticks."""


@dataclass(frozen=True)
class Found:
    """Share that was aborted in percent, median minutes over all releases (None: fewer than half)."""

    share: float
    minutes: float | None
    errors: float


def minutes_of(batches: Sequence[Batch]) -> tuple[Array, Array]:
    """Return bad shares of canary and stable by minute and release; NaN without requests."""
    counts = np.array(
        [[b.canary[0].sum(1), b.canary[1].sum(1), b.stable[0].sum(1), b.stable[1].sum(1)] for b in batches]
    )
    counts *= np.array([~b.void for b in batches])[:, None, :]
    whole = counts[: len(batches) // MINUTE * MINUTE].reshape(-1, MINUTE, 4, counts.shape[2]).sum(1)
    nothing = np.full(whole[:, 0].shape, np.nan)
    canary = np.divide(whole[:, 0], whole[:, 1], out=nothing.copy(), where=whole[:, 1] > 0)
    stable = np.divide(whole[:, 2], whole[:, 3], out=nothing.copy(), where=whole[:, 3] > 0)
    return canary, stable


def fourth(hits: Array) -> Array:
    """Return the tick at whose end the fourth minute was over; -1 for never."""
    reached = np.cumsum(hits, 0) >= 4
    return np.where(reached.any(0), (reached.argmax(0) + 1) * MINUTE - 1, -1)


def kayenta(canary: Array, stable: Array) -> Array:
    """Return the tick at whose end a judgement fails: every five minutes, over all minutes so far."""
    course, limits = Course(len(canary), 5), Thresholds(95, 75)
    terms = MetricTerms("errors", ("all",), Direction.INCREASE)
    ended = np.full(canary.shape[1], -1)
    for run in range(canary.shape[1]):
        scores: list[float] = []
        for number in range(course.judgements):
            end = round(course.window(number)[1])
            metric = classify(terms, list(canary[:end, run]), list(stable[:end, run]))
            scores.append(score([metric], {}).score)
            verdict = course.verdict(scores, limits)
            if verdict is not None:
                ended[run] = end * MINUTE - 1 if verdict is Verdict.FAIL else -1
                break
    return ended


def measured(world: World, seed: int) -> list[Found]:
    """Return what each rule does with the same releases."""
    batches: list[Batch] = []
    ours = play(world, RUNS, seed, ("fast",), keep=batches)["fast"].aborted
    canary, stable = minutes_of(batches)
    ratio = over(np.nan_to_num(canary), np.nan_to_num(stable))
    twice = (ratio > 2) | ((np.nan_to_num(stable) == 0) & (np.nan_to_num(canary) > 0))
    ticks = [fourth(np.nan_to_num(canary) > 0.01), fourth(twice), kayenta(canary, stable), ours]
    served = np.cumsum(np.array([batch.served for batch in batches])[world.onset :], 0)
    return [_found(found, served, world.onset) for found in ticks]


def _found(ticks: Array, served: Array, onset: int) -> Found:
    runs = np.arange(len(ticks))
    after = np.where(ticks >= 0, ticks + 1.0 - onset, np.inf)
    middle = float(np.median(after)) / MINUTE
    at = np.clip(np.where(ticks >= 0, ticks - onset, len(served) - 1), 0, len(served) - 1).astype(int)
    return Found(
        100 * float((ticks >= 0).mean()),
        None if np.isinf(middle) else middle,
        float(np.median(served[at, runs])),
    )


def table(well: dict[str, list[Found]], bad: dict[str, list[Found]]) -> str:
    """Return both tables as Markdown."""
    head = " | ".join(RULES)
    lines = [f"| nothing is wrong | {head} |", "|---|" + "---|" * len(RULES)]
    for name, found in well.items():
        cells = []
        for one in found:
            low, high = wilson(round(one.share * RUNS / 100), RUNS)
            cells.append(f"{one.share:.1f} [{low:.1f}, {high:.1f}]")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"| the canary is worse | {head} |", "|---|" + "---|" * len(RULES)]
    for name, found in bad.items():
        cells = [
            f"{one.share:.0f} %, {'-' if one.minutes is None else f'{one.minutes:.2f} min'}, {one.errors:.0f}"
            for one in found
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def picture(well: dict[str, list[Found]], bad: dict[str, list[Found]]) -> str:
    """Return two panels of bars: false aborts, and minutes to the abort."""
    parts = [_legend(), _panel(20, "False aborts: share of releases with nothing wrong", well, "share")]
    width, height = 1_180, 90 + 62 * max(len(well), len(bad))
    parts.append(_panel(610, "Minutes until half of the bad releases are aborted", bad, "minutes"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _legend() -> str:
    cells = [
        f'<rect x="{20 + 180 * i}" y="12" width="14" height="14" fill="{colour}"/>'
        f'<text x="{40 + 180 * i}" y="24">{rule}</text>'
        for i, (rule, colour) in enumerate(zip(RULES, COLOURS, strict=True))
    ]
    return "\n".join(cells)


def _panel(left: int, title: str, rows: dict[str, list[Found]], what: str) -> str:
    parts = [f'<text x="{left}" y="56" font-weight="bold">{title}</text>']
    for number, (name, found) in enumerate(rows.items()):
        top = 72 + 62 * number
        shown = name.replace("+-", "±")
        parts.append(f'<text x="{left + 195}" y="{top + 32}" text-anchor="end">{shown}</text>')
        for i, one in enumerate(found):
            value, text = one.share / 100, f"{one.share:.1f} %"
            if what == "minutes":
                value = 1.0 if one.minutes is None else one.minutes / 20
                text = "never" if one.minutes is None else f"{one.minutes:g}"
            y, long = top + 13 * i, max(1.0, 290 * value)
            faded = ' fill-opacity="0.25"' if text == "never" else ""
            parts.append(
                f'<rect x="{left + 202}" y="{y}" width="{long:.0f}" height="11" fill="{COLOURS[i]}"{faded}/>'
                f'<text x="{left + 208 + long:.0f}" y="{y + 10}" font-size="10">{text}</text>'
            )
    return "\n".join(parts)


def main() -> None:
    """Measure and write."""
    well = {name: measured(NULL[name].world, SEED + i) for i, name in enumerate(WELL)}
    bad = {name: measured(POWER[name].world, SEED + 100 + i) for i, name in enumerate(BAD)}
    (PLACE / "comparison.svg").write_text(picture(well, bad))
    sys.stdout.write(table(well, bad) + "\n")


if __name__ == "__main__":
    main()
