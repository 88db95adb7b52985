"""`rollouts get rollout NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rollouts.cli.connection import Target, cluster_options, emit, output_option, run_async

if TYPE_CHECKING:
    from rollouts.kube.api import KubeApi
    from rollouts.views.rollout import RolloutView


@click.group("get")
def get_command() -> None:
    """Show one object in full."""


@get_command.command("rollout")
@click.argument("name")
@click.option("-w", "--watch", is_flag=True, help="Follow changes until interrupted.")
@click.option("--no-color", is_flag=True, help="No colours even on a terminal.")
@output_option
@cluster_options
def get_rollout(target: Target, name: str, watch: bool, no_color: bool, output: str) -> None:
    """Show a Rollout: phase, step, weights, versions with their pods and analyses.

    \b
    rollouts get rollout web -n shop -w
    rollouts get rollout web -o json | jq .phase
    """
    run_async(_get(target, name, watch=watch, no_color=no_color, output=output))


async def _get(target: Target, name: str, *, watch: bool, no_color: bool, output: str) -> None:
    from rollouts.cli.render import console, rollout_lines  # noqa: PLC0415 - keeps --help fast

    async with target.connect() as api:
        if output != "table":
            emit((await load_view(api, target.namespace, name)).data(), output)
            return
        screen = console(no_color=no_color)
        if not watch:
            for part in rollout_lines(await load_view(api, target.namespace, name)):
                screen.print(part)
            return
        await _watch(api, target.namespace, name, no_color=no_color)


async def _watch(api: KubeApi, namespace: str, name: str, *, no_color: bool) -> None:
    from rich.console import Group  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    from rollouts.cli.render import console, rollout_lines  # noqa: PLC0415
    from rollouts.clock import SystemClock  # noqa: PLC0415

    screen, clock = console(no_color=no_color), SystemClock()
    last = None
    with Live(console=screen, auto_refresh=False, transient=False) as live:
        while True:
            view = await load_view(api, namespace, name)
            shown = _without_ages(view)
            if screen.is_terminal:
                live.update(Group(*rollout_lines(view)), refresh=True)
            elif shown != last:
                step = f" step {view.step}" if view.step else ""
                weight = f" weight {view.actual_weight}" if view.actual_weight is not None else ""
                click.echo(f"{view.phase}{step}{weight} {view.message}".rstrip())
            last = shown
            await clock.sleep(0.5)


def _without_ages(view: RolloutView) -> tuple[object, ...]:
    return (view.phase, view.message, view.step, view.actual_weight)


async def load_view(api: KubeApi, namespace: str, name: str) -> RolloutView:
    """Read a Rollout and what belongs to it. Raises NotFound."""
    import asyncio  # noqa: PLC0415

    from rollouts.clock import SystemClock  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415
    from rollouts.views.rollout import rollout_view  # noqa: PLC0415

    rollout = await api.get(objects.ROLLOUTS, namespace, name)
    uid = objects.uid_of(rollout)
    sets, pods, runs = await asyncio.gather(
        api.list(objects.REPLICASETS, namespace),
        api.list(objects.PODS, namespace),
        api.list(objects.ANALYSIS_RUNS, namespace),
    )

    def owned(items: object) -> list[objects.Manifest]:
        return [
            obj
            for obj in items  # type: ignore[attr-defined]
            if (objects.controller_owner(obj) or {}).get("uid") == uid
        ]

    return rollout_view(rollout, owned(sets.items), pods.items, owned(runs.items), SystemClock().now())
