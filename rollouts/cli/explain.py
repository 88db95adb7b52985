"""`rollouts explain NAME`: the controller's own decision, on the live objects, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.connection import Target, cluster_options, output_option, run_async, timeout_option
from rollouts.cli.kinds import ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.text import Text

    from rollouts.cli.shown import Answer, Style
    from rollouts.controllers.rollout.explain import Explanation, Line
    from rollouts.controllers.rollout.observe import Observer
    from rollouts.kube.cache import Cache
    from rollouts.kube.client import HttpKubeApi
    from rollouts.kube.objects import Manifest, Resource


@click.command("explain")
@click.argument("name", type=ObjectName("rollout"))
@click.option("-w/-W", "--watch/--no-watch", default=False, help="Follow changes until interrupted.")
@timeout_option("--timeout", "--timeout-seconds")
@click.option("--no-color", is_flag=True, help="No colours even on a terminal.")
@output_option
@cluster_options
def explain_command(target: Target, name: str, watch: bool, **style: Any) -> None:
    """Tell why a Rollout is where it is, what it waits for, what comes next and when, and what you can do.

    It runs the decision code of the controller on what the API server says now, and writes nothing.

    \b
    rollouts explain web -n shop
    rollouts explain web -n shop -o json | jq -r '.why[].text'
    """
    from rollouts.cli.shown import Style  # noqa: PLC0415 - keeps --help fast

    raise click.exceptions.Exit(run_async(_explain(target, name, watch=watch, style=Style(**style))))


async def _explain(target: Target, name: str, *, watch: bool, style: Style) -> int:
    from rollouts.cli.shown import show_once  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415

    async with target.connect() as api:
        parts = _parts(await target.read(api, objects.ROLLOUTS, name))
        if watch:
            return await _follow(api, target.namespace, name, parts, style)
        answer = await _once(api, target.namespace, name, parts)
    if answer is None:
        raise click.ClickException(f"Rollout {name} is being deleted")
    show_once(answer, style)
    return 0


def _parts(rollout: Manifest) -> tuple[Resource, ...]:
    """Return what is read; objectives only where the Rollout asks for them, since not everybody may."""
    from rollouts.cli.loading import ROLLOUT_PARTS  # noqa: PLC0415 - keeps --help fast
    from rollouts.controllers.rollout.budget import asked_for  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415

    templates = (objects.ANALYSIS_TEMPLATES, objects.CLUSTER_ANALYSIS_TEMPLATES)
    own = (objects.SERVICE_LEVEL_OBJECTIVES,) if asked_for(rollout) else ()
    return (*ROLLOUT_PARTS, objects.SERVICES, objects.EXPERIMENTS, *templates, *own)


async def _once(api: HttpKubeApi, namespace: str, name: str, parts: tuple[Resource, ...]) -> Answer | None:
    from rollouts.cli.livecache import live_cache  # noqa: PLC0415 - keeps --help fast
    from rollouts.controllers.rollout.observe import Observer  # noqa: PLC0415

    cache = await live_cache(api, namespace, parts)
    observer = Observer(cache, cache.find)
    answer = _answer(cache, observer, namespace, name, cache.refused.values())
    if await cache.fetch_wanted(api):
        answer = _answer(cache, observer, namespace, name, cache.refused.values())
    return answer


async def _follow(
    api: HttpKubeApi, namespace: str, name: str, parts: tuple[Resource, ...], style: Style
) -> int:
    """Follow the objects of the namespace; kinds of routers are watched once the Rollout names them."""
    from rollouts.cli.shown import show_followed  # noqa: PLC0415 - keeps --help fast
    from rollouts.clock import SystemClock  # noqa: PLC0415
    from rollouts.controllers.rollout.observe import Observer, add_indexes  # noqa: PLC0415
    from rollouts.controllers.rollout.routes import RouteResources  # noqa: PLC0415
    from rollouts.kube.informer import InformerCache  # noqa: PLC0415

    made: dict[str, tuple[RouteResources, Observer]] = {}

    async def load(cache: Cache) -> Answer | None:
        if not made:
            assert isinstance(cache, InformerCache)  # noqa: S101 - a followed cache is one
            add_indexes(cache)
            routes = RouteResources(cache, lambda route: None)
            made["both"] = routes, Observer(cache, routes.find)
        routes, observer = made["both"]
        answer = _answer(cache, observer, namespace, name)
        if await routes.discover(api, SystemClock().now()):
            answer = _answer(cache, observer, namespace, name)
        return answer

    return await show_followed(api, namespace, parts, load, style)


def _answer(cache: Cache, observer: Observer, namespace: str, name: str, refused: Any = ()) -> Answer | None:
    from rollouts.cli.loading import owned_pods  # noqa: PLC0415 - keeps --help fast
    from rollouts.cli.shown import Answer  # noqa: PLC0415
    from rollouts.clock import SystemClock  # noqa: PLC0415
    from rollouts.controllers.rollout.decide import decide  # noqa: PLC0415
    from rollouts.controllers.rollout.explain import explain  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415
    from rollouts.kube.objects import Key  # noqa: PLC0415

    now = SystemClock().now()
    snapshot = observer.snapshot(Key(namespace, name), now)
    if snapshot is None:
        return None
    uid = objects.uid_of(snapshot.manifest)
    runs = cache.indexed(objects.ANALYSIS_RUNS, "owner", uid)
    told = explain(snapshot, decide(snapshot), owned_pods(cache, uid), runs)
    data = told.data()
    if refused:
        data["notAllowed"] = list(refused)
    parts = tuple(explanation_parts(told, now, tuple(refused)))
    return Answer(data=data, parts=parts, same={k: v for k, v in data.items() if k != "looks_again_at"})


def explanation_parts(told: Explanation, now: datetime, refused: tuple[str, ...] = ()) -> Iterator[Text]:
    """Yield an explanation as paragraphs."""
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    from rollouts.cli.render import state  # noqa: PLC0415

    yield Text.assemble((f"{told.namespace}/{told.name} ", "bold"), state(told.phase))
    yield Text(told.headline)
    for title, lines in (
        ("Where it is", told.position),
        ("Why", told.why),
        ("What comes next", told.next),
    ):
        if lines:
            yield Text(f"\n{title}", style="bold")
            for line in lines:
                yield Text(f"  • {line.text}{when(line, now)}")
    if told.actions:
        yield Text("\nWhat the controller does now", style="bold")
        for action in told.actions:
            yield Text(f"  • {action}")
    if told.commands:
        yield Text("\nWhat you can do", style="bold")
        width = max(len(command.command) for command in told.commands)
        for command in told.commands:
            yield Text.assemble("  ", (command.command.ljust(width), "cyan"), f"  {command.effect}")
    for reason in refused:
        yield Text(f"\nNot everything could be looked at: {reason}", style="yellow")


def when(line: Line, now: datetime) -> str:
    """Return the moment of a line, and how far away it is: `` — 12:03:20 (in 1m20s)``."""
    from rollouts.kube.objects import parse_time  # noqa: PLC0415 - keeps --help fast
    from rollouts.views.rollout import age  # noqa: PLC0415

    at = parse_time(line.at)
    if at is None:
        return ""
    seconds = round((at - now).total_seconds())
    clock = at.astimezone().strftime("%H:%M:%S" if abs(seconds) < 43200 else "%Y-%m-%d %H:%M:%S")
    if seconds > 0:
        return f" — {clock} (in {age(seconds)})"
    return f" — {clock} ({age(-seconds)} ago)" if seconds < -1 else f" — {clock} (now)"
