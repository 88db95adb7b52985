"""Commands that ask the controller for something: each patches the fields that it reacts to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.connection import Seconds, Target, cluster_options, run_async
from rollouts.cli.kinds import KindGroup, ObjectName, kind_of, without_kind

if TYPE_CHECKING:
    from rollouts.cli.patches import Patch
    from rollouts.kube.api import KubeApi
    from rollouts.kube.objects import Manifest, Resource

_names = click.argument("names", nargs=-1, required=True, metavar="NAME...", type=ObjectName("rollout"))


@click.command("promote")
@_names
@click.option("--full", is_flag=True, help="Skip all remaining steps, pauses and analyses.")
@click.option("-c", "--skip-current-step", "skip_one", is_flag=True, help="Skip the present step.")
@click.option("-a", "--skip-all-steps", "skip_all", is_flag=True, help="Skip the steps that are left.")
@cluster_options
def promote_command(target: Target, names: Sequence[str], full: bool, skip_one: bool, skip_all: bool) -> None:
    """Go on after a pause; without a pause, skip the present step.

    \b
    rollouts promote web -n shop          next step
    rollouts promote web -n shop --full   everything, now
    """
    if full + skip_one + skip_all > 1:
        raise click.UsageError("only one of --full, --skip-current-step and --skip-all-steps can be meant")
    verbs = {"promote_full": full, "skip_step": skip_one, "skip_all_steps": skip_all}
    _act(target, names, next((verb for verb, asked in verbs.items() if asked), "promote"))


@click.command("abort")
@_names
@cluster_options
def abort_command(target: Target, names: Sequence[str]) -> None:
    """Send all traffic back to the stable version. The spec keeps the new one: retry, undo, or change it.

    \b
    rollouts abort web -n shop
    """
    _act(target, names, "abort")


@click.command("retry")
@click.argument("names", nargs=-1, required=True, metavar="[KIND] NAME...", type=ObjectName("rollout"))
@cluster_options
def retry_command(target: Target, names: Sequence[str]) -> None:
    """Try an aborted update again from the first step, with new analyses; or an Experiment that has ended.

    \b
    rollouts retry web -n shop
    rollouts retry experiment baseline-vs-canary -n shop
    """
    if len(names) > 1 and kind_of(names[0]) == "experiment":
        _act(target, without_kind("experiment", names), "retry_experiment", kind="experiment")
    else:
        _act(target, names, "retry")


@click.command("pause")
@_names
@cluster_options
def pause_command(target: Target, names: Sequence[str]) -> None:
    """Hold the Rollout where it is until resumed or promoted.

    \b
    rollouts pause web -n shop
    """
    _act(target, names, "pause")


@click.command("resume")
@_names
@cluster_options
def resume_command(target: Target, names: Sequence[str]) -> None:
    """End a hold made by pause; pauses of steps stay.

    \b
    rollouts resume web -n shop
    """
    _act(target, names, "resume")


@click.command("restart")
@_names
@click.option(
    "-i", "--in", "delay", type=Seconds(), default="0", metavar="DURATION", help="Not now, but then."
)
@cluster_options
def restart_command(target: Target, names: Sequence[str], delay: float) -> None:
    """Replace all pods of a Rollout by new ones of the same version, a few at a time.

    \b
    rollouts restart web -n shop
    rollouts restart web -n shop --in 10m
    """
    from rollouts.clock import SystemClock  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube.objects import format_time  # noqa: PLC0415

    _act(target, names, "restart", format_time(SystemClock().now() + timedelta(seconds=delay)))


@click.command("undo")
@_names
@click.option(
    "--to-revision", type=click.IntRange(min=0), default=0, metavar="N", help="Default: the one before."
)
@cluster_options
def undo_command(target: Target, names: Sequence[str], to_revision: int) -> None:
    """Put the pod template of an earlier revision back into the spec. It runs through the steps again.

    A Rollout that is kept by Git is changed back by Git: revert the commit instead.

    \b
    rollouts undo web -n shop
    rollouts undo web -n shop --to-revision 3
    """
    for name in without_kind("rollout", names):
        run_async(_undo(target, name, to_revision))


@click.group("set")
def set_command() -> None:
    """Change a field of a Rollout: image."""


@set_command.command("image")
@click.argument("name", type=ObjectName("rollout"))
@click.argument("images", nargs=-1, required=True, metavar="CONTAINER=IMAGE...")
@cluster_options
def set_image(target: Target, name: str, images: Sequence[str]) -> None:
    """Change images of the pod template, which begins an update. ``*=IMAGE`` sets every container.

    \b
    rollouts set image web -n shop web=registry.example.com/web:v2
    """
    pairs = [text.partition("=") for text in images]
    wrong = [container or image for container, sign, image in pairs if not (container and sign and image)]
    if wrong:
        raise click.UsageError(
            f"{wrong[0]!r} is not CONTAINER=IMAGE, such as web=registry.example.com/web:v2"
        )
    _act(target, (name,), "set_images", {container: image for container, _, image in pairs})


@click.group("terminate", cls=KindGroup)
def terminate_command() -> None:
    """Stop a running AnalysisRun or Experiment."""


@terminate_command.command("analysisrun")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", type=ObjectName("analysisrun"))
@cluster_options
def terminate_analysisrun(target: Target, names: Sequence[str]) -> None:
    """Stop an AnalysisRun; it is judged by what it has measured so far.

    \b
    rollouts terminate analysisrun web-6f68b77677-2-1 -n shop
    """
    _act(target, names, "terminate_run", kind="analysisrun")


@terminate_command.command("experiment")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", type=ObjectName("experiment"))
@cluster_options
def terminate_experiment(target: Target, names: Sequence[str]) -> None:
    """Stop an Experiment.

    \b
    rollouts terminate experiment baseline-vs-canary -n shop
    """
    _act(target, names, "terminate_run", kind="experiment")


def _act(target: Target, names: Sequence[str], verb: str, *args: Any, kind: str = "rollout") -> None:
    if kind == "rollout":
        names = without_kind("rollout", names)
    for name in names:
        run_async(_change(target, kind, name, verb, args))


async def _change(target: Target, kind: str, name: str, verb: str, args: Sequence[Any]) -> None:
    from rollouts.cli import patches  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415

    resources = (objects.ROLLOUTS, objects.ANALYSIS_RUNS, objects.EXPERIMENTS)
    resource = next(r for r in resources if kind_of(r.kind) == kind)
    async with target.connect() as api:
        live = await target.read(api, resource, name)
        if verb == "set_images":
            resource, live = await _template_holder(api, target, live)
        try:
            patch = getattr(patches, verb)(live, *args)
        except patches.NothingToDo as reason:
            raise click.ClickException(f"{kind} {name!r}: {reason}") from reason
        await _write(api, target, resource, objects.name_of(live), patch)
    click.echo(f"{kind} '{name}' {patch.done}")


async def _undo(target: Target, name: str, revision: int) -> None:
    from rollouts.cli import patches  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415

    async with target.connect() as api:
        live = await target.read(api, objects.ROLLOUTS, name)
        sets = await target.list(api, objects.REPLICASETS, target.namespace)
        uid = objects.uid_of(live)
        own = [rs for rs in sets if (objects.controller_owner(rs) or {}).get("uid") == uid]
        resource, holder = await _template_holder(api, target, live)
        try:
            patch = patches.undo(holder, own, revision)
        except patches.NothingToDo as reason:
            raise click.ClickException(f"rollout {name!r}: {reason}") from reason
        await _write(api, target, resource, objects.name_of(holder), patch)
    click.echo(f"rollout '{name}' {patch.done}")


async def _template_holder(api: KubeApi, target: Target, live: Manifest) -> tuple[Resource, Manifest]:
    """Return the object with the Rollout's pod template: itself, or the workload that it refers to."""
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast

    ref = (live.get("spec") or {}).get("workloadRef") or {}
    for resource in (objects.DEPLOYMENTS, objects.REPLICASETS):
        if ref.get("kind") == resource.kind:
            return resource, await target.read(api, resource, str(ref.get("name", "")))
    return objects.ROLLOUTS, live


async def _write(api: KubeApi, target: Target, resource: Resource, name: str, patch: Patch) -> None:
    from rollouts.kube.api import PatchKind  # noqa: PLC0415 - keeps --help fast

    if patch.spec:
        await api.patch(resource, target.namespace, name, {"spec": patch.spec})
    if patch.whole:
        await api.patch(resource, target.namespace, name, patch.whole)
    if patch.json_patch:
        await api.patch(resource, target.namespace, name, list(patch.json_patch), kind=PatchKind.JSON)
    if patch.status:
        await api.patch(resource, target.namespace, name, {"status": patch.status}, subresource="status")
