"""`rollouts list [rollouts|experiments|analysisruns]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rollouts.cli.connection import Target, cluster_options, output_option, run_async, timeout_option
from rollouts.cli.kinds import SPELLINGS, kind_of

if TYPE_CHECKING:
    from datetime import datetime

    from rich.text import Text

    from rollouts.cli.shown import Answer, Style
    from rollouts.kube.cache import Cache
    from rollouts.views.rollout import RolloutView

WORDS = [word for words in SPELLINGS.values() for word in words]


@click.command("list")
@click.argument("kind", type=click.Choice(WORDS, case_sensitive=False), default="rollouts", metavar="[KIND]")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look into every namespace.")
@click.option("--name", "wanted", default="", metavar="NAME", help="Only the one with this name.")
@click.option("-w/-W", "--watch/--no-watch", default=False, help="Follow changes until interrupted.")
@click.option("--timestamps", is_flag=True, help="Begin each line with the moment.")
@timeout_option("--timeout", "--timeout-seconds")
@click.option("--no-color", is_flag=True, help="No colours even on a terminal.")
@output_option
@cluster_options
def list_command(
    target: Target, kind: str, all_namespaces: bool, wanted: str, watch: bool, timestamps: bool, **style: Any
) -> None:
    """List Rollouts with phase, step, weight and replicas; or experiments, or analysisruns.

    \b
    rollouts list -A
    rollouts list rollouts -n shop -w
    rollouts list -A -o json | jq '.[] | select(.phase == "Degraded") | .name'
    """
    from rollouts.cli.shown import Style  # noqa: PLC0415 - keeps --help fast

    namespace = None if all_namespaces else target.namespace
    choice = Choice(kind_of(kind), namespace, wanted, timestamps)
    work = _list(target, choice, watch, Style(**style))
    raise click.exceptions.Exit(run_async(work))


class Choice(NamedTuple):
    """What is listed: a kind, of a namespace (None: of all), of one name or all; and how lines begin."""

    kind: str
    namespace: str | None
    name: str
    timestamps: bool


async def _list(target: Target, choice: Choice, watch: bool, style: Style) -> int:
    from rollouts.cli.livecache import LiveCache  # noqa: PLC0415 - keeps --help fast
    from rollouts.cli.shown import show_followed, show_once  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415

    resource = {
        "rollout": objects.ROLLOUTS,
        "experiment": objects.EXPERIMENTS,
        "analysisrun": objects.ANALYSIS_RUNS,
    }[choice.kind]
    namespace = choice.namespace

    async def load(cache: Cache) -> Answer | None:
        return _answer(cache, choice)

    async with target.connect() as api:
        cache = LiveCache({resource: await target.list(api, resource, namespace)})
        if watch:
            return await show_followed(api, namespace, (resource,), load, style)
    answer = _answer(cache, choice)
    if not answer.data and style.output == "table":
        where = f"namespace {namespace}" if namespace else "the cluster"
        hint = ". Look everywhere with -A" if namespace else ""
        click.echo(f"No {resource.plural} in {where}{hint}", err=True)
        return 0
    show_once(answer, style)
    return 0


def _answer(cache: Cache, choice: Choice) -> Answer:
    from rollouts.cli.shown import Answer  # noqa: PLC0415 - keeps --help fast
    from rollouts.clock import SystemClock  # noqa: PLC0415
    from rollouts.kube.objects import format_time  # noqa: PLC0415

    now = SystemClock().now()
    rows = _ROWS[choice.kind](cache, choice.namespace, now)
    chosen = [row for row in rows if choice.name in ("", row.data["name"])]
    data = [row.data for row in chosen]
    same = [{key: value for key, value in entry.items() if key != "age_seconds"} for entry in data]
    moment = format_time(now) if choice.timestamps else ""
    table = _table(_COLUMNS[choice.kind], chosen, everywhere=choice.namespace is None, moment=moment)
    return Answer(data=data, parts=(table,), same=same)


class _Row(NamedTuple):
    data: dict[str, Any]
    cells: list[str | Text]


def _rollouts(cache: Cache, namespace: str | None, now: datetime) -> list[_Row]:
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast
    from rollouts.views.rollout import rollout_view  # noqa: PLC0415

    views = [rollout_view(obj, (), (), (), now) for obj in cache.list(objects.ROLLOUTS, namespace)]
    return [
        _Row({key: value for key, value in view.data().items() if key != "versions"}, rollout_cells(view))
        for view in views
    ]


def _experiments(cache: Cache, namespace: str | None, now: datetime) -> list[_Row]:
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast
    from rollouts.views.experiment import experiment_view  # noqa: PLC0415
    from rollouts.views.rollout import age  # noqa: PLC0415

    views = [experiment_view(obj, (), now) for obj in cache.list(objects.EXPERIMENTS, namespace)]
    return [
        _Row(v.data(), [v.name, _state(v.phase), age(v.age_seconds), v.duration, v.message]) for v in views
    ]


def _analysisruns(cache: Cache, namespace: str | None, now: datetime) -> list[_Row]:
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast
    from rollouts.views.analysis import run_row  # noqa: PLC0415
    from rollouts.views.rollout import age  # noqa: PLC0415

    runs = [run_row(obj, now) for obj in cache.list(objects.ANALYSIS_RUNS, namespace)]
    return [_Row(r.data(), [r.name, _state(r.phase), age(r.age_seconds), r.kind, r.message]) for r in runs]


_ROWS = {"rollout": _rollouts, "experiment": _experiments, "analysisrun": _analysisruns}
_COLUMNS = {
    "rollout": (
        "NAME", "STRATEGY", "STATUS", "STEP", "WEIGHT", "READY", "DESIRED", "UPDATED", "AVAILABLE", "AGE",
    ),
    "experiment": ("NAME", "STATUS", "AGE", "DURATION", "MESSAGE"),
    "analysisrun": ("NAME", "STATUS", "AGE", "PURPOSE", "MESSAGE"),
}  # fmt: skip


def rollout_cells(view: RolloutView) -> list[str | Text]:
    """Return the cells of a Rollout in a list."""
    from rollouts.views.rollout import age  # noqa: PLC0415 - keeps --help fast

    weight = view.actual_weight if view.actual_weight is not None else view.set_weight
    counts = (view.desired, view.updated, view.available)
    return [
        view.name,
        view.strategy,
        _state(view.phase),
        view.step or "-",
        "-" if weight is None else str(weight),
        f"{view.ready}/{view.current}",
        *(str(count) for count in counts),
        age(view.age_seconds),
    ]


def _state(word: str) -> Text:
    from rollouts.cli.render import state  # noqa: PLC0415 - keeps --help fast

    return state(word)


def _table(columns: Sequence[str], rows: Sequence[_Row], *, everywhere: bool, moment: str) -> Any:
    from rollouts.cli.render import plain_table  # noqa: PLC0415 - keeps --help fast

    first = (*(("TIMESTAMP",) if moment else ()), *(("NAMESPACE",) if everywhere else ()))
    table = plain_table(*first, *columns)
    for row in rows:
        where = [row.data["namespace"]] if everywhere else []
        table.add_row(*([moment] if moment else []), *where, *row.cells)
    return table
