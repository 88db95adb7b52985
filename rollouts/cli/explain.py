"""`rollouts explain NAME`: the controller's own decision, on the live objects, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.connection import Target, cluster_options, emit, output_option, run_async

if TYPE_CHECKING:
    from rollouts.kube.api import KubeApi


@click.command("explain")
@click.argument("name")
@click.option("-w", "--watch", is_flag=True, help="Follow changes until interrupted.")
@output_option
@cluster_options
def explain_command(target: Target, name: str, watch: bool, output: str) -> None:
    """Tell why a Rollout is where it is, what it waits for, and what comes next and when.

    It runs the decision code of the controller on what the API server says now, and writes nothing.
    """
    run_async(_explain(target, name, watch=watch, output=output))


async def _explain(target: Target, name: str, *, watch: bool, output: str) -> None:
    from rollouts.clock import SystemClock  # noqa: PLC0415 - keeps --help fast

    last: dict[str, Any] = {}
    async with target.connect() as api:
        while True:
            told = await explanation(api, target.namespace, name)
            if told != last:
                _show(told, output)
                last = told
            if not watch:
                return
            await SystemClock().sleep(0.5)


async def explanation(api: KubeApi, namespace: str, name: str) -> dict[str, Any]:
    """Return what the controller would do now, as plain data. Raises NotFound."""
    from rollouts.cli.livecache import live_cache  # noqa: PLC0415 - keeps --help fast
    from rollouts.clock import SystemClock  # noqa: PLC0415
    from rollouts.controllers.rollout.decide import decide  # noqa: PLC0415
    from rollouts.controllers.rollout.explain import explain  # noqa: PLC0415
    from rollouts.controllers.rollout.observe import Observer  # noqa: PLC0415
    from rollouts.kube import errors  # noqa: PLC0415
    from rollouts.kube.objects import Key  # noqa: PLC0415

    cache = await live_cache(api, namespace)
    observer, key, now = Observer(cache, cache.find), Key(namespace, name), SystemClock().now()
    snapshot = observer.snapshot(key, now)
    if await cache.fetch_wanted(api):
        snapshot = observer.snapshot(key, now)
    if snapshot is None:
        raise errors.NotFound(f"Rollout {namespace}/{name}")
    return explain(snapshot, decide(snapshot))


def _show(told: dict[str, Any], output: str) -> None:
    if output != "table":
        emit(told, output)
        return
    click.echo(f"{told['name']} is {told['phase']}" + (f": {told['message']}" if told["message"] else ""))
    for title, field in (
        ("Where it is", "position"),
        ("What it waits for", "waits"),
        ("What the controller does now", "actions"),
        ("What comes next", "next"),
    ):
        if told[field]:
            click.echo(f"{title}:")
            for line in told[field]:
                click.echo(f"  - {line}")
