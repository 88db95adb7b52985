"""`rollouts status NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rollouts.cli.connection import Target, cluster_options, output_option, run_async, timeout_option
from rollouts.cli.kinds import ObjectName
from rollouts.cli.outcome import EXIT_OK, EXIT_PROBLEM, EXIT_TIMEOUT

if TYPE_CHECKING:
    from rollouts.kube.informer import InformerCache
    from rollouts.kube.objects import ReadOnly

ENDS = ("Healthy", "Degraded")


@click.command("status")
@click.argument("name", type=ObjectName("rollout"))
@click.option("-w/-W", "--watch/--no-watch", default=True, show_default=True, help="Wait for an end.")
@click.option("--or-paused", is_flag=True, help="A pause is an end, too.")
@timeout_option("-t", "--timeout")
@output_option
@cluster_options
def status_command(
    target: Target, name: str, watch: bool, or_paused: bool, timeout: float, output: str
) -> None:
    """Print the phase; with --watch wait until it is Healthy or Degraded, through all pauses.

    Exit code 0 for Healthy, 1 for Degraded, 3 when the time is over; 0 for every phase with --no-watch, and
    for a pause with --or-paused. A pipeline waits with:

    \b
    rollouts status web -n shop --timeout 10m
    rollouts status web -n shop --timeout 10m --or-paused   until a person or the clock has to go on
    """
    teller = _Teller(output, (*ENDS, "Paused") if or_paused else ENDS)
    code = run_async(_status(target, name, teller, watch=watch, timeout=timeout))
    raise click.exceptions.Exit(code)


async def _status(target: Target, name: str, teller: _Teller, *, watch: bool, timeout: float) -> int:
    from rollouts.cli.following import follow  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415

    async def look(cache: InformerCache, trouble: str) -> int | None:
        rollout = cache.get(objects.ROLLOUTS, target.namespace, name)
        if rollout is None and not trouble:
            click.echo(f"Rollout {name!r} has been deleted", err=True)
            return EXIT_PROBLEM
        return None if rollout is None else teller.tell(rollout)

    async with target.connect() as api:
        first = teller.tell(await target.read(api, objects.ROLLOUTS, name))
        code = first if first is not None and watch else EXIT_OK
        if first is None and watch:
            code = await follow(api, target.namespace, (objects.ROLLOUTS,), look, timeout=timeout)
            if code == EXIT_TIMEOUT:
                click.echo(f"still {teller.phase} after {timeout:g} s", err=True)
    teller.finish()
    return code


class _Teller:
    """Prints each new state (one document at the end for JSON and YAML) and knows the exit code."""

    def __init__(self, output: str, ends: Sequence[str]) -> None:
        self._output = output
        self._ends = ends
        self._line = ""
        self._message = ""
        self.phase = ""

    def tell(self, rollout: ReadOnly) -> int | None:
        """Print a state that is new; return the exit code when it is an end."""
        from rollouts.views.rollout import phase_and_message  # noqa: PLC0415 - keeps --help fast

        self.phase, self._message = phase_and_message(rollout)
        line = f"{self.phase} - {self._message}" if self._message else self.phase
        if line != self._line and self._output == "table":
            click.echo(line)
        self._line = line
        if self.phase not in self._ends:
            return None
        return EXIT_PROBLEM if self.phase == "Degraded" else EXIT_OK

    def finish(self) -> None:
        """Write the last state as a document, where one is wanted."""
        from rollouts.cli.connection import emit  # noqa: PLC0415 - keeps --help fast

        if self._output != "table":
            emit({"phase": self.phase, "message": self._message}, self._output)
