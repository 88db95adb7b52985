"""`rollouts version`."""

from __future__ import annotations

import platform

import click

from rollouts import __version__
from rollouts.cli.connection import Target, cluster_options, run_async


@click.command("version")
@click.option("--client", is_flag=True, help="Do not ask a server.")
@cluster_options
def version_command(target: Target, client: bool) -> None:
    """Show the version of this command, of Python and of the API server."""
    click.echo(f"rollouts {__version__} (Python {platform.python_version()})")
    if not client:
        try:
            click.echo(f"kubernetes {run_async(_server(target))}")
        except click.ClickException as problem:
            click.echo(problem.format_message(), err=True)


async def _server(target: Target) -> str:
    async with target.connect() as api:
        return str((await api.version()).get("gitVersion", "unknown"))
