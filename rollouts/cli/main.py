"""The command group. Each command lives in a module of its own that is imported when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from io import TextIOWrapper

import click

from rollouts import __version__
from rollouts.cli.connection import early_options
from rollouts.cli.outcome import EXIT_CODES, EXIT_INTERRUPTED

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("rollouts.cli.run", "Run the controller."),
    "demo": ("rollouts.cli.demo.command", "Show a whole delivery on this machine: commit, canary, verdict."),
    "get": ("rollouts.cli.get", "Show one Rollout, Experiment or AnalysisRun in full."),
    "list": ("rollouts.cli.list", "List Rollouts, Experiments or AnalysisRuns."),
    "status": ("rollouts.cli.status", "Wait for a Rollout to be healthy or degraded."),
    "explain": ("rollouts.cli.explain", "Tell why a Rollout is where it is, what comes next, what to do."),
    "plan": ("rollouts.cli.plan", "Tell what a change would do, before it is applied."),
    "slo": ("rollouts.cli.slo", "Show error budgets and whether a new version may start."),
    "simulate": ("rollouts.cli.simulate", "Play a story about a Rollout on virtual time, faults and all."),
    "promote": ("rollouts.cli.act", "Go on after a pause, skip a step, or skip all (--full)."),
    "abort": ("rollouts.cli.act", "Send all traffic back to the stable version."),
    "retry": ("rollouts.cli.act", "Try an aborted update, or an Experiment, again from the beginning."),
    "pause": ("rollouts.cli.act", "Hold a Rollout where it is."),
    "resume": ("rollouts.cli.act", "End a hold made by pause."),
    "set": ("rollouts.cli.act", "Change the image of a container."),
    "undo": ("rollouts.cli.act", "Put an earlier revision back into the spec."),
    "restart": ("rollouts.cli.act", "Replace the pods by new ones of the same version."),
    "create": ("rollouts.cli.create", "Create objects of files, or an AnalysisRun from a template."),
    "terminate": ("rollouts.cli.act", "Stop a running AnalysisRun or Experiment."),
    "lint": ("rollouts.cli.lint", "Check manifests before a cluster sees them."),
    "version": ("rollouts.cli.version", "Show the versions of client and server."),
    "completion": ("rollouts.cli.completion", "Print shell completion."),
}


GO_FLAGS = frozenset(
    f"--{name}" for name in ("watch", "full", "no-color", "all-namespaces", "timestamps", "global", "client")
) | {"-w", "-A"}
"""Flags that scripts write with a value."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read ``--watch=false`` and its like, too, as scripts write them that were made for Go programs."""
        return super().parse_args(ctx, [word for arg in args if (word := _plain_flag(arg)) is not None])

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; an unknown one is answered with what was probably meant."""
        name = args[0] if args else ""
        if name and name not in COMMANDS and not name.startswith("-"):
            close = get_close_matches(name, COMMANDS, n=1, cutoff=0.7)
            hint = (
                f"Did you mean `{ctx.command_path} {close[0]}`?" if close else "See --help for all commands."
            )
            raise click.UsageError(f"no command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _plain_flag(arg: str) -> str | None:
    """Return a flag with its value as a flag alone, None for one that is off; other words as they are."""
    name, sign, value = arg.partition("=")
    if not sign or name not in GO_FLAGS or value.lower() not in ("true", "false"):
        return arg
    if value.lower() == "true":
        return name
    return "--no-watch" if name in ("--watch", "-w") else None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Start with `rollouts demo`; on a cluster, with `rollouts list -A`.\n\n{EXIT_CODES}",
)
@click.version_option(__version__, "--version", prog_name="rollouts")
@early_options
def cli(**early: str) -> None:
    """Progressive delivery for Kubernetes: canary and blue-green rollouts judged against your SLOs."""


def main() -> None:
    """Run the command line; problems that a person can mend end with one line and a stable exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
