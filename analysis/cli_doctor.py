"""The command that asks a Prometheus whether its metrics can carry the question."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import click
import yaml

from analysis.doctor.diagnosis import Finding, Level, diagnose
from analysis.doctor.examine import Prometheus, examine
from analysis.doctor.selectors import NoParser
from analysis.doctor.subjects import Subject, subjects_of_metric, subjects_of_objective
from analysis.files import KINDS, given_arguments, run_spec
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ProviderError
from analysis.providers.http import GuardedHttp
from analysis.providers.prometheus import ADDRESS_VARIABLE
from analysis.slo.formats.reading import read_file
from analysis.spec.arguments import resolve_metrics, values_without_secrets
from analysis.spec.errors import SpecError


@click.command(name="doctor")
@click.option(
    "-f", "--file", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--address", default="", help="The Prometheus to ask, such as http://prometheus:9090.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="Header of every request.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Give an argument its value.")
@click.option(
    "--weight", default=5.0, show_default=True, help="The canary's share of the traffic, in percent."
)
@click.option("--at", "moment", metavar="TIME", help="Look at a time of the past, such as 2026-01-31T12:00Z.")
@click.option("--allow-egress", default="", help="Hosts and CIDRs that may be reached, comma-separated.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor_command(
    path: Path,
    address: str,
    headers: tuple[str, ...],
    arguments: tuple[str, ...],
    weight: float,
    moment: str | None,
    allow_egress: str,
    output: str,
) -> None:
    """Say whether the metrics of a template or an objective can carry the question.

    Asks for every series in its queries: is it there (and if not, which matcher is to blame), how often is it
    sampled and how old is the newest sample, does a range hold enough samples, does every series have the
    label that tells versions apart, is the threshold a bucket edge, is a counter one, is there traffic enough
    for the objective.

    \b
    python -m analysis doctor -f template.yaml --address http://prometheus:9090 --arg service=shop
    python -m analysis doctor -f objective.yaml --address http://prometheus:9090 --weight 10

    Exit code 0 when nothing stands in the way, 1 when there is a problem, 2 when it could not be asked.
    """
    address = address or os.environ.get(ADDRESS_VARIABLE, "")
    if not address:
        _fail(f"which Prometheus? give --address, or set {ADDRESS_VARIABLE}")
    try:
        subjects = list(_subjects(path, arguments))
        policy = EgressPolicy.allowing(allow_egress.split(","))
        at = datetime.fromisoformat(moment).timestamp() if moment else None
        found = asyncio.run(_findings(subjects, policy, address, given_arguments(headers), weight / 100, at))
    except (SpecError, ProviderError, NoParser, ValueError) as error:
        _fail(str(error))
    _print(found, output)
    sys.exit(1 if any(finding.level is Level.PROBLEM for finding in found) else 0)


def _subjects(path: Path, arguments: Sequence[str]) -> Iterator[Subject]:
    documents = [d for d in yaml.safe_load_all(path.read_text()) if isinstance(d, dict)]
    if any(document.get("kind") in KINDS for document in documents):
        spec = run_spec(path, given_arguments(arguments))
        for metric in resolve_metrics(spec.metrics, values_without_secrets(spec.args)):
            yield from subjects_of_metric(metric)
        return
    for item in read_file(documents):
        yield from subjects_of_objective(f"objective {item.name}", item.spec)


async def _findings(
    subjects: Sequence[Subject],
    policy: EgressPolicy,
    address: str,
    headers: dict[str, str],
    weight: float,
    at: float | None,
) -> list[Finding]:
    found: list[Finding] = []
    async with GuardedHttp(policy) as http:
        prometheus = Prometheus(http, address, headers, at=at)
        for subject in subjects:
            found += diagnose(await examine(prometheus, subject, weight))
    return list(dict.fromkeys(found))


def _print(found: Sequence[Finding], output: str) -> None:
    if output == "json":
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
        return
    if not found:
        click.echo("nothing to look at: no metric here asks a Prometheus")
    subject = ""
    for finding in found:
        if finding.subject != subject:
            subject = finding.subject
            click.echo(subject)
        click.echo(f"  {finding.level.value:<8} {finding.message}")


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(2)
