"""`rollouts simulate FILE`: a story about a Rollout, played on virtual time, faults and all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollouts.cli.connection import emit, output_option

if TYPE_CHECKING:
    from rollouts.simulation.stories import Told

EXAMPLE = """\
\b
rollout:                        # a Rollout manifest
  metadata: {name: web}
  spec:
    replicas: 3
    selector: {matchLabels: {app: web}}
    template: {...}
    strategy:
      canary:
        steps: [{setWeight: 25}, {pause: {}}, {setWeight: 60}]
user:                           # what people do, one after the other
  - deploy: v2                  # a new image tag
  - wait: {phase: Paused}       # or {step: 1}, {seconds: 30}
  - promote: true               # or abort, retry, promoteFull, scale: 5, metrics: bad
faults:                         # optional
  storm: 0.08                   # share of writes that go wrong, in every way
  seeds: 20                     # as many histories as that
expect:
  phase: Healthy
  stable: v2
"""


@click.command("simulate", epilog=f"A story:\n\n{EXAMPLE}")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--seed", type=int, default=None, help="Play this one history of a storm.")
@click.option("--trace", "show_trace", is_flag=True, help="Print all that happened, line by line.")
@output_option
def simulate_command(files: tuple[str, ...], seed: int | None, show_trace: bool, output: str) -> None:
    """Play stories about a Rollout against the unchanged controller, in memory and on virtual time.

    A story says what people do and what has to come of it. Everything that must always hold is watched on
    the way: enough pods behind all traffic, weights that rise only within a step, an abort that ends on
    stable, no more pods than maxSurge allows. Hours pass in seconds; no cluster is touched. With a storm,
    writes are lost, refused or doubted, watches lag and the process is killed; the same seed gives the same
    history again. Exit code 1 when anything is not as it should be.

    \b
    rollouts simulate story.yaml
    rollouts simulate story.yaml --seed 7 --trace
    rollouts simulate docs/scenarios/*.yaml
    """
    from rollouts.simulation.stories import StoryError, play, read  # noqa: PLC0415 - keeps --help fast

    told: list[Told] = []
    for name in files:
        try:
            story = read(Path(name))
        except StoryError as error:
            raise click.ClickException(f"{name}: {error}") from error
        told += play(story, seed)
    if output != "table":
        emit({"stories": [asdict(one) for one in told]}, output)
    else:
        for one in told:
            _show(one, show_trace)
    if any(one.problems for one in told):
        raise click.exceptions.Exit(1)


def _show(told: Told, show_trace: bool) -> None:
    if show_trace or (told.problems and told.trace):
        lines = told.trace if show_trace else told.trace[-40:]
        click.echo("\n".join(lines))
    verdict = "FAILED" if told.problems else "ok"
    click.echo(f"{verdict}  {told.story}, seed {told.seed}: {told.phase}, stable {told.stable}")
    for problem in told.problems:
        click.echo(f"    {problem}")
