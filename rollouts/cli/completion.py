"""`rollouts completion SHELL`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--name", default="rollouts", show_default=True, help="The command that is completed.")
@click.pass_context
def completion_command(ctx: click.Context, shell: str, name: str) -> None:
    """Print a script that completes commands, options and the names of Rollouts.

    \b
    source <(rollouts completion bash)                        this shell, now
    rollouts completion zsh > "${fpath[1]}/_rollouts"         every zsh from now on
    rollouts completion fish > ~/.config/fish/completions/rollouts.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the choice lists what click knows
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
    click.echo(found(ctx.find_root().command, {}, name, variable).source())
