"""`rollouts list`."""

from __future__ import annotations

import click

from rollouts.cli.connection import Target, cluster_options, emit, output_option, run_async


@click.command("list")
@click.argument("kind", type=click.Choice(["rollouts"]), default="rollouts")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look into every namespace.")
@output_option
@cluster_options
def list_command(target: Target, kind: str, all_namespaces: bool, output: str) -> None:
    """List Rollouts with phase, step, weight and replicas."""
    run_async(_list(target, all_namespaces=all_namespaces, output=output))


async def _list(target: Target, *, all_namespaces: bool, output: str) -> None:
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    from rollouts.cli.render import console, plain_table, state  # noqa: PLC0415 - keeps --help fast
    from rollouts.clock import SystemClock  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415
    from rollouts.views.rollout import rollout_view  # noqa: PLC0415

    async with target.connect() as api:
        found = await api.list(objects.ROLLOUTS, None if all_namespaces else target.namespace)
    now = SystemClock().now()
    views = [rollout_view(obj, (), (), (), now) for obj in found.items]
    if output != "table":
        emit([{k: v for k, v in view.data().items() if k != "versions"} for view in views], output)
        return
    if not views:
        where = "the cluster" if all_namespaces else f"namespace {target.namespace}"
        click.echo(f"No Rollouts in {where}.", err=True)
        return
    names = (
        "NAMESPACE",
        "NAME",
        "STRATEGY",
        "STATUS",
        "STEP",
        "WEIGHT",
        "READY",
        "DESIRED",
        "UPDATED",
        "AVAILABLE",
    )
    table = plain_table(*(names if all_namespaces else names[1:]))
    for view in views:
        weight = "" if view.set_weight is None else str(view.set_weight)
        row: list[str | Text] = [
            view.name, view.strategy, state(view.phase), view.step, weight, f"{view.ready}/{view.current}",
            str(view.desired), str(view.updated), str(view.available),
        ]  # fmt: skip
        table.add_row(*([view.namespace, *row] if all_namespaces else row))
    console().print(table)
