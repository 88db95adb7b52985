"""`rollouts get rollout|experiment|analysisrun NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.connection import Target, cluster_options, output_option, run_async, timeout_option
from rollouts.cli.kinds import KindGroup, ObjectName

if TYPE_CHECKING:
    from rollouts.cli.shown import Answer, Style
    from rollouts.kube.cache import Cache
    from rollouts.views.rollout import RolloutView


@click.group("get", cls=KindGroup)
def get_command() -> None:
    """Show one object in full: a Rollout (ro), an Experiment (exp) or an AnalysisRun (ar)."""


def _options(command: Any) -> Any:
    for option in (
        cluster_options,
        output_option,
        click.option("--no-color", is_flag=True, help="No colours even on a terminal."),
        timeout_option("--timeout", "--timeout-seconds"),
        click.option("-w/-W", "--watch/--no-watch", default=False, help="Follow changes until interrupted."),
    ):
        command = option(command)
    return command


@get_command.command("rollout")
@click.argument("name", type=ObjectName("rollout"))
@_options
def get_rollout(target: Target, name: str, watch: bool, **style: Any) -> None:
    """Show a Rollout: phase, step, weights, versions with their pods and analyses.

    \b
    rollouts get rollout web -n shop -w
    rollouts get ro web -o json | jq .phase
    """
    _run(target, "rollout", name, watch, style)


@get_command.command("experiment")
@click.argument("name", type=ObjectName("experiment"))
@_options
def get_experiment(target: Target, name: str, watch: bool, **style: Any) -> None:
    """Show an Experiment: its versions and its analyses.

    \b
    rollouts get experiment baseline-vs-canary -n shop
    """
    _run(target, "experiment", name, watch, style)


@get_command.command("analysisrun")
@click.argument("name", type=ObjectName("analysisrun"))
@_options
def get_analysisrun(target: Target, name: str, watch: bool, **style: Any) -> None:
    """Show an AnalysisRun: each metric's value against its condition, and what its limits leave.

    \b
    rollouts get analysisrun web-6f68b77677-2-1 -n shop -w
    """
    _run(target, "analysisrun", name, watch, style)


def _run(target: Target, kind: str, name: str, watch: bool, style: dict[str, Any]) -> None:
    from rollouts.cli.shown import Style  # noqa: PLC0415 - keeps --help fast

    raise click.exceptions.Exit(run_async(_get(target, kind, name, watch, Style(**style))))


def follow_object(target: Target, kind: str, name: str, *, no_color: bool = False) -> None:
    """Show an object again after each change, until interrupted."""
    _run(target, kind, name, True, {"output": "table", "no_color": no_color})


async def _get(target: Target, kind: str, name: str, watch: bool, style: Style) -> int:
    from rollouts.cli.livecache import live_cache  # noqa: PLC0415 - keeps --help fast
    from rollouts.cli.loading import EXPERIMENT_PARTS, ROLLOUT_PARTS  # noqa: PLC0415
    from rollouts.cli.shown import show_followed, show_once  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415

    resources = {
        "rollout": ROLLOUT_PARTS,
        "experiment": EXPERIMENT_PARTS,
        "analysisrun": (objects.ANALYSIS_RUNS,),
    }[kind]
    namespace = target.namespace

    async def load(cache: Cache) -> Answer | None:
        return _answer(cache, kind, namespace, name)

    async with target.connect() as api:
        await target.read(api, resources[0], name)
        if watch:
            return await show_followed(api, namespace, resources, load, style)
        answer = await load(await live_cache(api, namespace, resources))
    if answer is None:
        raise click.ClickException(f"{kind} {name} was deleted just now")
    show_once(answer, style)
    return 0


def _answer(cache: Cache, kind: str, namespace: str, name: str) -> Answer | None:
    from rollouts.cli import loading, render  # noqa: PLC0415 - keeps --help fast
    from rollouts.cli.shown import Answer  # noqa: PLC0415
    from rollouts.clock import SystemClock  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415
    from rollouts.views.analysis import run_row  # noqa: PLC0415

    now = SystemClock().now()
    if kind == "rollout":
        view = loading.load_rollout(cache, namespace, name, now)
        if view is None:
            return None
        line = rollout_line(view)
        data = view.data()
        same = line if line is not None else data
        return Answer(data=data, parts=tuple(render.rollout_parts(view)), line=line, same=same)
    if kind == "experiment":
        experiment = loading.load_experiment(cache, namespace, name, now)
        if experiment is None:
            return None
        parts = tuple(render.experiment_parts(experiment))
        line = f"{experiment.phase} {experiment.message}".rstrip()
        return Answer(data=experiment.data(), parts=parts, line=line, same=line)
    run = cache.get(objects.ANALYSIS_RUNS, namespace, name)
    if run is None:
        return None
    row = run_row(run, now)
    standing = [f"{m.metric}: {m.standing()}" for m in row.metrics]
    line = "; ".join([row.phase, *standing])
    return Answer(data=row.data(), parts=tuple(render.run_parts(row)), line=line, same=line)


def rollout_line(view: RolloutView) -> str:
    """Return a Rollout in one line, for a pipe that follows changes."""
    words = [view.phase]
    if view.step:
        words.append(f"step {view.step}")
    if view.actual_weight is not None:
        words.append(f"weight {view.actual_weight}")
    words.append(f"ready {view.ready}/{view.current}")
    running = [run for version in view.versions for run in version.runs if run.phase == "Running"]
    words += [f"{m.metric} {m.value}" for run in running for m in run.metrics if m.value]
    return " ".join([*words, view.message]).rstrip()
