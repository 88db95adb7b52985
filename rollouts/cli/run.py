"""`rollouts run`: the controller process."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import click

from rollouts.cli.outcome import EXIT_USAGE


@click.command("run")
@click.option("--kubeconfig", metavar="FILE", help="Kubeconfig; without one the pod's own account is used.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
@click.option("--namespaced", "namespace", metavar="NAMESPACE", help="Watch this namespace alone.")
@click.option("--instance-id", metavar="ID", help="Handle only objects labelled with this instance id.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="delivery, git, receiver, dashboard; all but git by default.",
)
@click.option("--leader-elect/--no-leader-elect", default=None, help="Take the Lease before working.")
@click.option("--lease-namespace", metavar="NAME", help="Where the Lease lives.")
@click.option("--workers", type=int, help="Reconciles at once per controller.")
@click.option("--listen", metavar="ADDRESS", help="Address of the servers, every interface by default.")
@click.option("--metrics-port", type=int, help="Port of /metrics (8090; 0 for any).")
@click.option("--healthz-port", type=int, help="Port of /healthz (8080; 0 for any).")
@click.option("--loglevel", "log_level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--logformat", "log_format", type=click.Choice(["auto", "text", "json"]))
def run_command(**flags: Any) -> None:
    """Run the controller until SIGTERM or SIGINT.

    Every flag has an environment variable, such as ROLLOUTS_SETTING_INSTANCE_ID.
    """
    from rollouts import app, logs  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube.errors import KubeError  # noqa: PLC0415
    from rollouts.settings import Settings, SettingsError  # noqa: PLC0415

    if not flags["roles"]:
        flags["roles"] = None
    else:
        flags["roles"] = ",".join(flags["roles"])
    try:
        settings = Settings.build(os.environ, **flags)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    logs.configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(_until_signal(app, settings))
    except KubeError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(EXIT_USAGE) from error


async def _until_signal(app: Any, settings: Any) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await app.run(settings, stop=stop)
