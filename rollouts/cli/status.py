"""`rollouts status NAME`."""

from __future__ import annotations

import click

from rollouts.cli.connection import EXIT_DEGRADED, EXIT_TIMEOUT, Target, cluster_options, run_async


@click.command("status")
@click.argument("name")
@click.option("-w/-W", "--watch/--no-watch", default=True, show_default=True, help="Wait for an end.")
@click.option("-t", "--timeout", type=float, default=0.0, metavar="SECONDS", help="Give up after; 0 never.")
@cluster_options
def status_command(target: Target, name: str, watch: bool, timeout: float) -> None:
    """Print the phase; with --watch wait until it is Healthy, Degraded or Paused.

    Exit code 0 for Healthy and Paused, 1 for Degraded, 3 when the time is over.
    """
    code = run_async(_status(target, name, watch=watch, timeout=timeout))
    raise click.exceptions.Exit(code)


async def _status(target: Target, name: str, *, watch: bool, timeout: float) -> int:
    from rollouts.clock import SystemClock  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415
    from rollouts.views.rollout import phase  # noqa: PLC0415

    clock = SystemClock()
    started = clock.monotonic()
    last = ""
    async with target.connect() as api:
        while True:
            rollout = await api.get(objects.ROLLOUTS, target.namespace, name)
            now = phase(rollout)
            message = (rollout.get("status") or {}).get("message") or ""
            line = f"{now} - {message}" if message else now
            if line != last:
                click.echo(line)
                last = line
            if not watch or now in ("Healthy", "Degraded", "Paused"):
                return EXIT_DEGRADED if now == "Degraded" else 0
            if timeout and clock.monotonic() - started > timeout:
                click.echo(f"still {now} after {timeout:g} s", err=True)
                return EXIT_TIMEOUT
            await clock.sleep(0.3)
