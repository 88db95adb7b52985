"""`rollouts plan -f FILE`: what a change would do, before it is applied."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.connection import Target, cluster_options, emit, output_option, run_async

if TYPE_CHECKING:
    from rollouts.kube.objects import Manifest
    from rollouts.simulation.rehearsal import Moment, Rehearsal


@click.command("plan")
@click.option("-f", "--filename", required=True, metavar="FILE", help="Manifests with the changed Rollout.")
@click.option("--from", "present_file", metavar="FILE", help="Present Rollout; the cluster's by default.")
@click.option(
    "--pod-seconds",
    type=click.FloatRange(0.1),
    default=5.0,
    show_default=True,
    help="How long a pod takes to become ready.",
)
@click.option(
    "--analysis",
    "verdict",
    type=click.Choice(["Successful", "Failed", "Inconclusive"]),
    default="Successful",
    show_default=True,
    help="Verdict of every analysis.",
)
@output_option
@cluster_options
def plan_command(
    target: Target, filename: str, present_file: str | None, pod_seconds: float, verdict: Any, output: str
) -> None:  # fmt: skip
    """Run a change forward before it is applied: every step with its time, weight and pods.

    The controller's own code runs on virtual time against an API server in memory; nothing is written to
    the cluster. Where a person is waited for, one promotes at once.

    \b
    rollouts plan -f new.yaml -n shop
    rollouts plan -f new.yaml --from old.yaml --analysis Failed
    """
    from rollouts.simulation.rehearsal import Assumptions, rehearse  # noqa: PLC0415 - keeps --help fast

    documents = _read(filename)
    wanted = _rollout(documents, filename)
    if present_file:
        present: Manifest | None = _rollout(_read(present_file), present_file)
        templates = [d for d in documents if _is_template(d)]
    else:
        present, templates = run_async(_from_cluster(target, wanted, documents))
    budget = run_async(_budget(target, present, wanted)) if not present_file else ""
    told = rehearse(present, wanted, templates, Assumptions(pod_seconds=pod_seconds, verdict=verdict))
    if output != "table":
        moments = [asdict(m) for m in told.moments]
        emit({"moments": moments, "problem": told.problem, "errorBudget": budget}, output)
    else:
        if budget:
            click.echo(budget)
        _show(told)
    if told.problem:
        raise click.exceptions.Exit(1)


def _read(filename: str) -> list[Manifest]:
    from rollouts.api.yamlio import YamlError, load_all  # noqa: PLC0415

    try:
        return load_all(Path(filename).read_bytes())
    except OSError as error:
        raise click.UsageError(f"cannot read {filename}: {error.strerror}") from error
    except YamlError as error:
        raise click.ClickException(f"{filename}: {error}") from error


def _rollout(documents: list[Manifest], filename: str) -> Manifest:
    found = [d for d in documents if d.get("kind") == "Rollout"]
    if len(found) != 1:
        raise click.UsageError(f"{filename} has {len(found)} Rollouts; a plan needs exactly one")
    return found[0]


def _is_template(document: Manifest) -> bool:
    return document.get("kind") in ("AnalysisTemplate", "ClusterAnalysisTemplate")


async def _from_cluster(
    target: Target, wanted: Manifest, documents: list[Manifest]
) -> tuple[Manifest | None, list[Manifest]]:
    """Return the live Rollout and the templates: those of the file first, then the cluster's."""
    from rollouts.kube import errors, objects  # noqa: PLC0415

    namespace = objects.namespace_of(wanted) or target.namespace
    async with target.connect() as api:
        try:
            present: Manifest | None = await api.get(objects.ROLLOUTS, namespace, objects.name_of(wanted))
        except errors.NotFound:
            present = None
        templates = [d for d in documents if _is_template(d)]
        for resource, where in (
            (objects.ANALYSIS_TEMPLATES, namespace),
            (objects.CLUSTER_ANALYSIS_TEMPLATES, None),
        ):
            known = {(d.get("kind"), objects.name_of(d)) for d in templates}
            for item in (await api.list(resource, where)).items:
                if (resource.kind, objects.name_of(item)) not in known:
                    templates.append({"kind": resource.kind, **item})
    return present, templates


async def _budget(target: Target, present: Manifest | None, wanted: Manifest) -> str:
    """Return what the error-budget gate says to this change now, "" when the Rollout asks for none.

    The plan itself begins where the gate lets the new version start.
    """
    from rollouts.clock import SystemClock  # noqa: PLC0415 - keeps --help fast
    from rollouts.controllers.rollout.budget import asked_for, gate_of, verdict_of  # noqa: PLC0415
    from rollouts.kube import errors, objects  # noqa: PLC0415

    if present is None or not asked_for(wanted) or _template(present) == _template(wanted):
        return ""
    namespace = objects.namespace_of(wanted) or target.namespace
    found: dict[str, Manifest] = {}
    async with target.connect() as api:
        for name in asked_for(wanted):
            try:
                found[name] = await api.get(objects.SERVICE_LEVEL_OBJECTIVES, namespace, name)
            except errors.NotFound:
                continue
    now = SystemClock().now()
    gate = gate_of(wanted, found.get, now)
    if gate is None:
        return ""
    verdict = verdict_of(gate, now)
    if verdict.held:
        return f"Error budget: a version that never ran would wait first ({verdict.reason})"
    if verdict.override is not None:
        return f"Error budget: the override would let it start: {verdict.override.reason} ({verdict.reason})"
    return f"Error budget: it would start now ({verdict.reason})"


def _template(rollout: Manifest) -> Any:
    return (rollout.get("spec") or {}).get("template")


def _show(told: Rehearsal) -> None:
    from rollouts.cli.render import console, plain_table, state  # noqa: PLC0415

    table = plain_table("TIME", "STATUS", "STEP", "WEIGHT", "NEW", "READY", "OLD", "NOTE")
    for moment in told.moments:
        table.add_row(
            _time(moment.at), state(moment.phase), moment.step, _weight(moment), str(moment.new_pods),
            str(moment.new_ready), str(moment.old_pods), moment.note,
        )  # fmt: skip
    console().print(table)
    if told.problem:
        click.echo(f"It does not get through: {told.problem}", err=True)
    else:
        click.echo(f"Healthy after {_time(told.seconds)}, waits for people not counted.")


def _weight(moment: Moment) -> str:
    return "" if moment.weight is None else str(moment.weight)


def _time(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{left:02d}s" if minutes else f"{seconds:.1f}s"
