"""Commands about the judge: compute a verdict again from a saved run, and plan a step."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import click
import yaml

from analysis.judges.profiles import Profile
from analysis.judges.sums import StateUnreadable
from analysis.planner import RUNS, Plan, Step, plan
from analysis.providers.canary.replay import STATE_KEY, Replay, replay
from analysis.spec.duration import format_duration, parse_duration


@click.command(name="replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--all", "every", is_flag=True, help="Print every tick of the record, not only the last.")
def replay_command(file: Path, every: bool) -> None:
    """Compute the verdicts of a saved AnalysisRun again, from the counts that it holds.

    Exit code 0 when every number is the saved one to the last digit, 1 when one is not, 2 when the file
    holds no record of a judge.
    """
    same, found = True, False
    for name, metadata in _recorded(file):
        found = True
        try:
            again = replay(metadata)
        except StateUnreadable as error:
            _fail(f"{name}: {error}")
        for line in _told(name, again, every):
            click.echo(line)
        same = same and again.same
    if not found:
        _fail(f"{file}: no metric with a record ({STATE_KEY}) in status.metricResults[].metadata")
    sys.exit(0 if same else 1)


@click.command(name="plan")
@click.option("--rps", type=float, required=True, help="Requests per second of both versions together.")
@click.option("--weight", type=float, required=True, help="The step's weight in percent.")
@click.option("--base", type=float, required=True, help="The usual share of bad requests, in percent.")
@click.option("--step", "length", default="5m", show_default=True, help="How long the step lasts.")
@click.option("--canary-pods", type=int, default=2, show_default=True)
@click.option("--stable-pods", type=int, default=10, show_default=True)
@click.option("--profile", type=click.Choice([p.value for p in Profile]), default=None)
@click.option("--runs", type=click.IntRange(20, 10_000), default=RUNS, show_default=True)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def plan_command(
    rps: float,
    weight: float,
    base: float,
    length: str,
    canary_pods: int,
    stable_pods: int,
    profile: str | None,
    runs: int,
    output: str,
) -> None:
    """Say what a step can detect, how long it takes, and how many bad requests it costs."""
    try:
        usual = Profile.FAST if rps >= 20 else Profile.CAREFUL
        step = Step(
            parse_duration(length).total_seconds(),
            rps,
            weight / 100.0,
            base / 100.0,
            canary_pods,
            stable_pods,
            Profile(profile) if profile else usual,
        )
    except ValueError as error:
        _fail(str(error))
    # A fixed seed: the same question has the same answer.
    planned = plan(step, random.Random(1), runs=runs)  # noqa: S311 - a simulation, not a secret
    if output == "json":
        click.echo(json.dumps(asdict(planned), indent=2))
        return
    for line in _table(step, planned):
        click.echo(line)


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(2)


def _recorded(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        documents = list(yaml.safe_load_all(file.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        _fail(f"{file} is not YAML or JSON: {error}")
    for document in documents:
        status = (document.get("status") or {}) if isinstance(document, dict) else {}
        for result in status.get("metricResults") or ():
            metadata = result.get("metadata") or {}
            if STATE_KEY in metadata:
                yield str(result.get("name", "")), metadata


def _told(name: str, again: Replay, every: bool) -> Iterator[str]:
    levels = again.terms.levels
    for step in again.steps if every else again.steps[-1:]:
        found = step.judgement.evidence
        yield (
            f"{name} at {step.end:.0f}: {step.trial.call.value}, ln e {found.total!r}"
            f" (level {levels.total:g}), without one group {found.one_left_out!r} ({levels.one_left_out:g}),"
            f" without two {found.two_left_out!r} ({levels.two_left_out:g}), D {found.dispersion!r}"
        )
    if again.steps:
        answer = again.steps[-1].judgement.answer
        yield f"{name}: {answer.decision.value}: {answer.reason}"
    yield f"{name}: {len(again.steps)} ticks computed again, {'equal' if again.same else 'DIFFERENT'}"


def _table(step: Step, planned: Plan) -> Iterator[str]:
    length = format_duration_of(step.seconds)
    yield (
        f"{length} at {step.requests:g} requests/s, weight {step.weight:.4g}, usual bad share"
        f" {step.base:.4g}, {step.canary_pods} canary pods, profile {step.profile.value}"
        " (calm fleet, simulated)"
    )
    yield f"{'regression':>10}  {'found':>6}  {'after':>7}  {'bad served':>16}  {'if missed':>9}"
    for d in planned.detections:
        after = format_duration_of(d.seconds) if d.seconds is not None else "-"
        high = f"{d.bad_high:.0f}" if d.bad_high is not None else "-"
        bad = f"{d.bad:.0f} (90 %: {high})" if d.bad is not None else "-"
        yield f"{d.ratio:>9g}x  {d.found:>6.0%}  {after:>7}  {bad:>16}  {d.missed_cost:>9.0f}"
    for warning in planned.warnings:
        yield f"note: {warning}"


def format_duration_of(seconds: float) -> str:
    """Return seconds as people write them, such as ``2m30s``."""
    return format_duration(parse_duration(f"{seconds:g}s"))
