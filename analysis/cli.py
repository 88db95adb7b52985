"""The library's own command line: check a template, try a condition, run an analysis without a cluster."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from analysis.cli_aa import aa_command
from analysis.cli_budget import status_command
from analysis.cli_doctor import doctor_command
from analysis.cli_history import backtest_command
from analysis.cli_judge import plan_command, replay_command
from analysis.cli_slo import slo_group
from analysis.conditions.condition import compile_condition, compile_expression
from analysis.conditions.errors import ConditionError
from analysis.conditions.values import FloatVector, from_json, go_text
from analysis.files import given_arguments, load_documents, run_spec
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ConfigurationError
from analysis.providers.http import GuardedHttp
from analysis.providers.registry import ProviderEnvironment, default_registry
from analysis.providers.slo.config import objective_problem
from analysis.run.machine import Due, Finished, NextState, next_state
from analysis.run.plan import RunPlan, RunRejected, prepare
from analysis.runner import Runner
from analysis.spec.arguments import has_tag, values_without_secrets
from analysis.spec.errors import SpecError
from analysis.spec.objects import AnalysisRunSpec, AnalysisTemplateSpec
from analysis.spec.status import AnalysisRunStatus, Phase, is_completed
from analysis.spec.templates import parse
from analysis.spec.validation import problems

EXIT_CODES = {Phase.SUCCESSFUL.value: 0, Phase.FAILED.value: 1, Phase.INCONCLUSIVE.value: 3}
"""Of ``run``; everything else (Error) is 2."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Analysis templates: check them, try their conditions, run them against the real backend."""


main.add_command(replay_command)
main.add_command(plan_command)
main.add_command(slo_group)
slo_group.add_command(status_command)
main.add_command(backtest_command)
main.add_command(doctor_command)
main.add_command(aa_command)


@main.command()
@click.option(
    "-f", "--file", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def check(path: Path) -> None:
    """Say what is wrong with the templates and runs in a YAML file."""
    found = 0
    for document in _documents(path):
        name = f"{document['kind']} {(document.get('metadata') or {}).get('name', '')}"
        complaints = _complaints(document)
        for complaint in complaints:
            click.echo(f"{path}: {name}: {complaint}", err=True)
        found += len(complaints)
        if not complaints:
            click.echo(f"{name}: ok")
    sys.exit(1 if found else 0)


@main.command(name="eval")
@click.argument("expression")
@click.option("--result", "text", default="null", help="The measured value, as JSON.")
@click.option("--vector", is_flag=True, help="Take a JSON array of numbers as a Prometheus vector.")
def evaluate(expression: str, text: str, vector: bool) -> None:
    """Evaluate a condition or expression on a result and print its value."""
    try:
        result = from_json(text)
        if vector:
            result = FloatVector(float(item) for item in result)
    except (ValueError, TypeError) as error:
        _fail(f"--result is not the JSON that is wanted: {error}")
    try:
        click.echo(go_text(compile_expression(expression).evaluate(result, _now())))
    except ConditionError as error:
        pointer = f"\n  {expression}\n  {'^'.rjust(error.column)}" if error.column else ""
        _fail(f"{error}{pointer}")


@main.command()
@click.option(
    "-f", "--file", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Give an argument its value.")
@click.option("--allow-egress", default="", help="Hosts and CIDRs that may be reached, comma-separated.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def run(path: Path, arguments: tuple[str, ...], allow_egress: str, output: str) -> None:
    """Run a template here and now, and print measurements and verdict.

    Exit code 0 when it is Successful, 1 Failed, 3 Inconclusive, 2 for everything else.
    """
    try:
        spec = run_spec(path, given_arguments(arguments))
        plan = prepare(spec)
        policy = EgressPolicy.allowing(allow_egress.split(","))
    except (SpecError, RunRejected, ValueError) as error:
        _fail(str(error))
    try:
        status = asyncio.run(_run(spec, plan, policy, quiet=output == "json"))
    except ConfigurationError as error:
        _fail(str(error))
    if output == "json":
        click.echo(json.dumps(status.manifest(), indent=2))
    else:
        click.echo(f"{status.phase}{f': {status.message}' if status.message else ''}")
    sys.exit(EXIT_CODES.get(status.phase, 2))


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a command line has no other clock


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(2)


def _documents(path: Path) -> Sequence[dict[str, Any]]:
    try:
        return load_documents(path)
    except SpecError as error:
        _fail(str(error))


def _complaints(document: Mapping[str, Any]) -> list[str]:
    written = document.get("spec") or {}
    spec: AnalysisRunSpec | AnalysisTemplateSpec
    try:
        if document["kind"] == "AnalysisRun":
            spec = parse(AnalysisRunSpec, written, "spec")
        else:
            spec = parse(AnalysisTemplateSpec, written, "spec")
    except SpecError as error:
        return [str(error)]
    found = [str(problem) for problem in problems(spec)]
    for index, metric in enumerate(spec.metrics):
        objective = objective_problem(metric, f"spec.metrics[{index}]")
        found += [str(objective)] if objective is not None else []
        for field, source in (
            ("successCondition", metric.success_condition),
            ("failureCondition", metric.failure_condition),
        ):
            if not source or has_tag(source):
                continue
            with _collected(found, f"spec.metrics[{index}].{field}"):
                compile_condition(source)
    return found


@contextmanager
def _collected(found: list[str], path: str) -> Iterator[None]:
    try:
        yield
    except ConditionError as error:
        found.append(f"{path}: {error}")


async def _run(
    spec: AnalysisRunSpec, plan: RunPlan, policy: EgressPolicy, *, quiet: bool
) -> AnalysisRunStatus:
    values = values_without_secrets(spec.args)
    templates = {metric.name: template for metric, template in zip(plan.metrics, spec.metrics, strict=True)}
    async with GuardedHttp(policy) as http:
        runner = Runner(
            default_registry(ProviderEnvironment(http=http, now=_now, variables=os.environ)), _now
        )

        async def measure(due: Due) -> Finished:
            finished = await runner.take(due, templates[due.metric.name], values)
            if not quiet:
                _print(finished)
            return finished

        state = NextState(AnalysisRunStatus())
        finished: list[Finished] = []
        while True:
            state = next_state(plan, state.status, finished, _now())
            if is_completed(state.status.phase):
                return state.status
            finished = list(await asyncio.gather(*map(measure, state.due)))
            if not finished and state.requeue_at is not None:
                await asyncio.sleep(max(0.0, (state.requeue_at - _now()).total_seconds()))  # noqa: TID251


def _print(finished: Finished) -> None:
    measurement = finished.measurement
    text = f"{measurement.finished_at or ''}  {finished.metric}  {measurement.phase}"
    if measurement.value:
        text += f"  {measurement.value}"
    click.echo(f"{text}  {measurement.message}" if measurement.message else text)
