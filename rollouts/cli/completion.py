"""`rollouts completion SHELL`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands and options.

    \b
    source <(rollouts completion bash)
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the choice lists what click knows
    group = ctx.find_root().command
    click.echo(found(group, {}, "rollouts", "_ROLLOUTS_COMPLETE").source())
