"""Commands about objectives: check them, write their rules, read those of other tools."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import click
import yaml

from analysis.slo.burn import budget, detection_time, requests_to_certify, windows_of
from analysis.slo.formats.imported import Imported
from analysis.slo.formats.reading import read_file
from analysis.slo.indicator import read_indicator
from analysis.slo.periods import format_period, parse_period
from analysis.slo.rules import Named, prometheus_rule, rule_file
from analysis.spec.errors import SpecError

FILES = click.option(
    "-f",
    "--file",
    "paths",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="File with objectives in any of the formats; - reads from the standard input. Can be repeated.",
)
FORMATS_HELP = """Formats: ours (rollouts.dev/v1alpha1 ServiceLevelObjective), OpenSLO v1, Sloth (its file
prometheus/v1 and its object PrometheusServiceLevel) and Pyrra v1alpha1. They are told apart by themselves."""


@click.group(name="slo")
def slo_group() -> None:
    """Service level objectives: check them, write Prometheus rules, import those of other tools.

    \b
    apiVersion: rollouts.dev/v1alpha1
    kind: ServiceLevelObjective
    metadata: {name: checkout}
    spec:
      objective: 0.999              # 99.9 %
      window: 30d
      indicator:
        ratio:                      # or latency, or errorRatio
          total: http_requests_total{job="checkout"}
          bad: http_requests_total{job="checkout",code=~"5.."}

    \b
    python -m analysis slo check -f objective.yaml
    python -m analysis slo rules -f objective.yaml > rules.yaml && promtool check rules rules.yaml
    python -m analysis slo import -f sloth.yaml > objective.yaml
    python -m analysis slo status -f objective.yaml --address http://localhost:9090
    """


@slo_group.command(name="check", epilog=FORMATS_HELP)
@FILES
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
)
def check_command(paths: tuple[Path, ...], output: str) -> None:
    """Say what is wrong with objectives, and what each one amounts to.

    For each: the budget in bad requests per million and in minutes of full outage, how many requests prove it
    (the rule of three), and for every pair of windows the burn rate that alerts and how soon.

    Exit code 0 when all can be used, 1 when one cannot.
    """
    told, bad = [], False
    for path in paths:
        try:
            found = read_file(_documents(path))
        except SpecError as error:
            click.echo(f"{path}: {error}", err=True)
            bad = True
            continue
        _warn(path, found)
        told += [_facts(item) for item in found]
    if output == "table":
        for facts in told:
            for line in _table(facts):
                click.echo(line)
    else:
        print_data(told, output)
    sys.exit(1 if bad else 0)


@slo_group.command(name="rules", epilog=FORMATS_HELP)
@FILES
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--operator", is_flag=True, help="Write PrometheusRule objects instead of one rule file.")
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of the PrometheusRule objects."
)
def rules_command(paths: tuple[Path, ...], output: str, operator: bool, labels: tuple[str, ...]) -> None:
    """Write the recording and alerting rules of objectives, as Prometheus reads them.

    Pages and tickets look at a long and a short window each; names and labels of the recorded series are
    those of the field (slo:sli_error:ratio_rate5m, slo:period_error_budget_remaining:ratio …).
    """
    named = [Named(item.name, item.spec, item.namespace) for item in read_all(paths)]
    try:
        if operator:
            metadata = dict(_pairs(labels))
            _print_each([prometheus_rule(item, metadata) for item in named], output)
        else:
            print_data(rule_file(named), output)
    except SpecError as error:
        fail(str(error))


@slo_group.command(name="import", epilog=FORMATS_HELP)
@FILES
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def import_command(paths: tuple[Path, ...], output: str) -> None:
    """Read objectives of other tools and write them as ours.

    What a format has and ours does not is named on the standard error, with its path; where the objective
    would mean something else without it, that is an error and nothing is written.
    """
    _print_each([item.manifest() for item in read_all(paths)], output)


def read_all(paths: Sequence[Path]) -> list[Imported]:
    """Return the objectives of all files, warnings told; one that cannot be used ends the command."""
    found: list[Imported] = []
    for path in paths:
        try:
            read = read_file(_documents(path))
        except SpecError as error:
            fail(f"{path}: {error}")
        _warn(path, read)
        found += read
    return found


def _documents(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        loaded = [document for document in yaml.safe_load_all(text) if document is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fail(f"{path} is not YAML: {error}")
    if not loaded:
        fail(f"{path} holds nothing")
    for index, document in enumerate(loaded):
        if not isinstance(document, dict):
            fail(f"{path}: document {index + 1} is not an object")
    return loaded


def _warn(path: Path, found: Sequence[Imported]) -> None:
    for item in found:
        for warning in item.warnings:
            click.echo(f"{path}: {item.name}: warning: {warning}", err=True)


def _facts(item: Imported) -> dict[str, Any]:
    spec = item.spec
    allowed = budget(spec.objective)
    period = parse_period(spec.window)
    measured = read_indicator(spec.indicator)
    return {
        "name": item.name,
        "namespace": item.namespace,
        "objective": spec.objective,
        "window": spec.window,
        "badPerMillion": float(allowed * 1_000_000),
        "fullOutageMinutes": round(float(allowed) * period.total_seconds() / 60, 2),
        "requestsToCertify": requests_to_certify(spec.objective),
        "splitByVersion": measured.splittable,
        "countsEvents": measured.counts,
        "burn": [
            {
                "severity": pair.severity,
                "long": format_period(pair.long),
                "short": format_period(pair.short),
                "factor": float(f"{float(pair.factor):.6g}"),
                "fullOutageDetectedIn": _soon(detection_time(1.0, spec.objective, pair)),
                "halfPercentErrorsDetectedIn": _soon(detection_time(0.005, spec.objective, pair)),
            }
            for pair in windows_of(spec)
        ],
    }


def _soon(found: timedelta | None) -> str:
    if found is None:
        return "never"
    return format_period(timedelta(seconds=max(1, round(found.total_seconds()))))


def _table(facts: Mapping[str, Any]) -> list[str]:
    where = f"{facts['namespace']}/" if facts["namespace"] else ""
    split = "yes" if facts["splitByVersion"] else "no: it cannot judge a canary"
    lines = [
        f"{where}{facts['name']}: ok",
        f"  objective   {facts['objective'] * 100:.10g}% over {facts['window']}",
        f"  budget      {facts['badPerMillion']:g} bad in a million, or {facts['fullOutageMinutes']:g} min of"
        " full outage",
        f"  certified   by {facts['requestsToCertify']} requests without a bad one (95 % confidence)",
        f"  by version  {split}",
        "  severity  long  short  burn rate  100 % errors found in  0.5 % errors found in",
    ]
    for pair in facts["burn"]:
        lines.append(
            f"  {pair['severity']:<8}  {pair['long']:<4}  {pair['short']:<5}  {pair['factor']:<9g}"
            f"  {pair['fullOutageDetectedIn']:<21}  {pair['halfPercentErrorsDetectedIn']}"
        )
    return lines


def _pairs(labels: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for label in labels:
        name, equals, value = label.partition("=")
        if not equals or not name:
            fail(f"--label {label!r} is not NAME=VALUE")
        found.append((name, value))
    return found


def print_data(content: Any, output: str) -> None:
    """Write plain data as JSON or YAML."""
    if output == "json":
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo(yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True), nl=False)


def _print_each(contents: Sequence[Any], output: str) -> None:
    if output == "json":
        print_data(contents[0] if len(contents) == 1 else list(contents), output)
        return
    text = yaml.safe_dump_all(contents, sort_keys=False, width=110, allow_unicode=True)
    click.echo(text, nl=False)


def fail(message: str) -> NoReturn:
    """End the command with exit code 2."""
    click.echo(f"error: {message}", err=True)
    sys.exit(2)
