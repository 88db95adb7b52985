"""Commands that ask the controller for something: each patches the fields that it reacts to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from rollouts.cli.connection import Target, cluster_options, run_async

Patch = Mapping[str, Any]
Plan = Callable[[Mapping[str, Any]], tuple[Patch | None, Patch | None]]
"""From the live Rollout to (spec patch, status patch); None for none."""


@click.command("promote")
@click.argument("name")
@click.option("--full", is_flag=True, help="Skip all remaining steps, pauses and analyses.")
@cluster_options
def promote_command(target: Target, name: str, full: bool) -> None:
    """Go on after a pause; without a pause, skip the present step.

    \b
    rollouts promote web -n shop          next step
    rollouts promote web -n shop --full   everything, now
    """
    _act(target, name, _promote_full if full else _promote, "promoted")


@click.command("abort")
@click.argument("name")
@cluster_options
def abort_command(target: Target, name: str) -> None:
    """Send all traffic back to the stable version. The spec keeps the new one: retry, or change it."""
    _act(target, name, lambda live: (None, {"abort": True}), "aborted")


@click.command("retry")
@click.argument("name")
@cluster_options
def retry_command(target: Target, name: str) -> None:
    """Try an aborted update again from the first step, with new analyses."""
    _act(target, name, lambda live: (None, {"abort": False}), "retried")


@click.command("pause")
@click.argument("name")
@cluster_options
def pause_command(target: Target, name: str) -> None:
    """Hold the Rollout where it is until resumed or promoted."""
    _act(target, name, lambda live: ({"paused": True}, None), "paused")


@click.command("resume")
@click.argument("name")
@cluster_options
def resume_command(target: Target, name: str) -> None:
    """End a hold made by pause; pauses of steps stay."""
    _act(target, name, lambda live: ({"paused": False}, None), "resumed")


def _promote_full(live: Mapping[str, Any]) -> tuple[Patch | None, Patch | None]:
    status = live.get("status") or {}
    if status.get("currentPodHash") == status.get("stableRS"):
        raise click.ClickException("nothing to promote: the current version is the stable one")
    return None, {"promoteFull": True}


def _promote(live: Mapping[str, Any]) -> tuple[Patch | None, Patch | None]:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    spec_patch = {"paused": False} if spec.get("paused") else None
    pauses = status.get("pauseConditions") or ()
    inconclusive = any(p.get("reason") == "InconclusiveAnalysisRun" for p in pauses)
    steps = ((spec.get("strategy") or {}).get("canary") or {}).get("steps") or ()
    index = status.get("currentStepIndex")
    following = None if index is None or index >= len(steps) else index + 1
    if pauses and not inconclusive:
        return spec_patch, {"pauseConditions": None}
    if inconclusive and following is not None:
        return spec_patch, {"pauseConditions": None, "controllerPause": False, "currentStepIndex": following}
    if pauses:
        return spec_patch, {"pauseConditions": None}
    if spec_patch is None and following is not None:
        return None, {"pauseConditions": None, "currentStepIndex": following}
    if spec_patch is None:
        raise click.ClickException("nothing to promote: the Rollout is not paused and has no step left")
    return spec_patch, None


def _act(target: Target, name: str, plan: Plan, done: str) -> None:
    run_async(_patch(target, name, plan))
    click.echo(f"rollout '{name}' {done}")


async def _patch(target: Target, name: str, plan: Plan) -> None:
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast

    async with target.connect() as api:
        live = await api.get(objects.ROLLOUTS, target.namespace, name)
        spec, status = plan(live)
        if spec is not None:
            await api.patch(objects.ROLLOUTS, target.namespace, name, {"spec": spec})
        if status is not None:
            await api.patch(
                objects.ROLLOUTS, target.namespace, name, {"status": status}, subresource="status"
            )
