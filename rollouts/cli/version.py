"""`rollouts version`."""

from __future__ import annotations

import platform

import click

from rollouts import __version__
from rollouts.cli.connection import Target, cluster_options, emit, output_option, run_async


@click.command("version")
@click.option("--client", is_flag=True, help="Do not ask a server.")
@output_option
@cluster_options
def version_command(target: Target, client: bool, output: str) -> None:
    """Show the version of this command, of the API server and of its Rollout CRD.

    \b
    rollouts version
    rollouts version --client -o json
    """
    data: dict[str, str] = {"client": __version__, "python": platform.python_version()}
    problem = ""
    if not client:
        try:
            data |= run_async(_server(target))
        except click.ClickException as error:
            problem = error.format_message()
    if output != "table":
        emit({**data, "problem": problem} if problem else data, output)
    else:
        click.echo(f"client: rollouts {data['client']} (Python {data['python']})")
        if "server" in data:
            click.echo(f"server: Kubernetes {data['server']} at {data['address']}, {data['crd']}")
    if problem:
        click.echo(f"server: {problem}", err=True)
        raise click.exceptions.Exit(1)


async def _server(target: Target) -> dict[str, str]:
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast

    async with target.connect() as api:
        version = str((await api.version()).get("gitVersion", "unknown"))
        kinds = [row.resource for row in await api.served()]
    served = objects.ROLLOUTS in kinds
    crd = f"{objects.ROLLOUTS.api_version} served" if served else "no Rollout CRD: install crds/"
    return {"server": version, "address": target.contexts.server(target.context), "crd": crd}
