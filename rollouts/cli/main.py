"""The command group. Each command lives in a module of its own that is imported when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

from rollouts import __version__

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("rollouts.cli.run", "Run the controller."),
    "demo": ("rollouts.cli.demo.command", "Show a whole delivery on this machine: commit, canary, verdict."),
    "get": ("rollouts.cli.get", "Show one Rollout with its versions, pods and analyses."),
    "list": ("rollouts.cli.list", "List Rollouts."),
    "status": ("rollouts.cli.status", "Wait for a Rollout to be healthy, degraded or paused."),
    "explain": ("rollouts.cli.explain", "Tell why a Rollout is where it is and what comes next."),
    "promote": ("rollouts.cli.act", "Go on after a pause, skip a step, or skip all (--full)."),
    "abort": ("rollouts.cli.act", "Send all traffic back to the stable version."),
    "retry": ("rollouts.cli.act", "Try an aborted update again, from the first step."),
    "pause": ("rollouts.cli.act", "Hold a Rollout where it is."),
    "resume": ("rollouts.cli.act", "End a hold made by pause."),
    "lint": ("rollouts.cli.lint", "Check manifests before a cluster sees them."),
    "version": ("rollouts.cli.version", "Show the version, of the server too when it can be reached."),
    "completion": ("rollouts.cli.completion", "Print shell completion."),
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        found = getattr(module, f"{cmd_name}_command", None)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `rollouts demo`. On a cluster: `rollouts list -A`, then `rollouts explain NAME`.",
)
@click.version_option(__version__, "--version", prog_name="rollouts")
def cli() -> None:
    """Progressive delivery for Kubernetes: canary and blue-green rollouts judged against your SLOs."""


def main() -> None:
    """Run the command line; problems that a person can mend end with one line and exit code 1 or 2."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
