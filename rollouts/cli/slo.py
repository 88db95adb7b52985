"""`rollouts slo list` and `rollouts slo get NAME`: error budgets, and what they say to a new version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.connection import Target, cluster_options, output_option, run_async

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from rollouts.kube.objects import ReadOnly

OVERRIDE = "rollouts.dev/budget-override=<why it cannot wait>; until=<2026-01-31T18:00:00Z>"


@click.group("slo")
def slo_command() -> None:
    """Show ServiceLevelObjectives: budget left, burn rates, and whether a new version may start.

    A Rollout asks for the gate by the annotation rollouts.dev/budget-gate: <objective>[,<objective>].
    Rules, checks and imports need no cluster: python -m analysis slo --help.
    """


@slo_command.command("list")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look into every namespace.")
@output_option
@cluster_options
def list_slo(target: Target, all_namespaces: bool, output: str) -> None:
    """List objectives with what is left of their budget and what the gate says.

    \b
    rollouts slo list -A
    rollouts slo list -n shop -o json | jq '.[] | select(.gate == "blocked") | .name'
    """
    namespace = None if all_namespaces else target.namespace
    rows = run_async(_rows(target, namespace))
    if output != "table":
        from rollouts.cli.connection import emit  # noqa: PLC0415 - keeps --help fast

        emit(rows, output)
        return
    if not rows:
        where = f"namespace {namespace}" if namespace else "the cluster"
        hint = ". Look everywhere with -A" if namespace else ""
        click.echo(f"No servicelevelobjectives in {where}{hint}", err=True)
        return
    _show([_table(rows, everywhere=namespace is None)])


@slo_command.command("get")
@click.argument("name")
@output_option
@cluster_options
def get_slo(target: Target, name: str, output: str) -> None:
    """Show one objective: budget, burn rate in each window, the gate in words, the Rollouts that ask for it.

    \b
    rollouts slo get checkout -n shop
    """
    row = run_async(_row_of(target, name))
    if output != "table":
        from rollouts.cli.connection import emit  # noqa: PLC0415 - keeps --help fast

        emit(row, output)
        return
    _show(_parts(row))


def _show(parts: Sequence[RenderableType] | Iterator[RenderableType]) -> None:
    from rollouts.cli.render import show  # noqa: PLC0415 - keeps --help fast

    show(parts)


async def _rows(target: Target, namespace: str | None) -> list[dict[str, Any]]:
    from rollouts.clock import SystemClock  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415

    async with target.connect() as api:
        found = await target.list(api, objects.SERVICE_LEVEL_OBJECTIVES, namespace)
        rollouts = await target.list(api, objects.ROLLOUTS, namespace)
    now = SystemClock().now()
    return [_row(objective, rollouts, now) for objective in found]


async def _row_of(target: Target, name: str) -> dict[str, Any]:
    from rollouts.clock import SystemClock  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415

    async with target.connect() as api:
        found = await target.read(api, objects.SERVICE_LEVEL_OBJECTIVES, name)
        rollouts = await target.list(api, objects.ROLLOUTS, target.namespace)
    return _row(found, rollouts, SystemClock().now())


def _row(objective: ReadOnly, rollouts: Sequence[ReadOnly], now: datetime) -> dict[str, Any]:
    """Return an objective as plain data; the gate is what a Rollout reads of it."""
    from rollouts.controllers.rollout.budget import asked_for, read_budget  # noqa: PLC0415 - keeps --help fast
    from rollouts.kube import objects  # noqa: PLC0415

    name, namespace = objects.name_of(objective), objects.namespace_of(objective)
    spec, status = objective.get("spec") or {}, objective.get("status") or {}
    budget = read_budget(name, objective, now)
    asking = [
        {
            "name": objects.name_of(rollout),
            "phase": str((rollout.get("status") or {}).get("phase") or ""),
            "message": str((rollout.get("status") or {}).get("message") or ""),
        }
        for rollout in rollouts
        if objects.namespace_of(rollout) == namespace and name in asked_for(rollout)
    ]
    return {
        "namespace": namespace,
        "name": name,
        "service": spec.get("service") or "",
        "objective": spec.get("objective"),
        "window": spec.get("window") or "30d",
        "gate": budget.state.value,
        "message": budget.message,
        "remaining": _number(status.get("remaining")),
        "burnRate": _number(status.get("burnRate")),
        "windows": list(status.get("windows") or ()),
        "checkedAt": status.get("checkedAt") or "",
        "effect": _effect(budget.state.value, holds=budget.holds, seconds=budget.after.total_seconds()),
        "rollouts": asking,
    }


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _effect(state: str, *, holds: bool, seconds: float) -> str:
    """Return what the gate means for a new version."""
    if state == "ok":
        return "a new version starts"
    if state == "guarded":
        return "a new version starts, with a warning"
    if state == "blocked":
        return "a new version waits; the way back to one that ran does not, nor does one with an override"
    if holds:
        return "a new version waits until the budget is known, or has an override"
    return f"a new version waits {seconds:.0f} s for data, then starts with a warning"


def _table(rows: Sequence[dict[str, Any]], *, everywhere: bool) -> RenderableType:
    from rollouts.cli.render import plain_table, state  # noqa: PLC0415 - keeps --help fast

    columns = ("NAME", "SERVICE", "OBJECTIVE", "WINDOW", "GATE", "BUDGET LEFT", "BURN RATE", "ROLLOUTS")
    table = plain_table(*(("NAMESPACE", *columns) if everywhere else columns))
    for row in rows:
        place = (row["namespace"],) if everywhere else ()
        names = ", ".join(each["name"] for each in row["rollouts"])
        table.add_row(
            *place, row["name"], row["service"] or "-", _percent(row["objective"], 10), row["window"],
            state(row["gate"]), _percent(row["remaining"]), _plain(row["burnRate"]), names or "-",
        )  # fmt: skip
    return table


def _percent(share: Any, digits: int = 1) -> str:
    if not isinstance(share, int | float):
        return "-"
    return f"{share * 100:.{digits}g}%" if digits > 1 else f"{share * 100:.1f}%"


def _plain(number: float | None) -> str:
    return "-" if number is None else f"{number:g}"


def _parts(row: dict[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    from rollouts.cli.render import plain_table, state  # noqa: PLC0415

    yield Text.assemble((f"{row['namespace']}/{row['name']} ", "bold"), state(row["gate"]))
    yield Text(f"{_percent(row['objective'], 10)} of requests are good, over {row['window']}")
    yield Text(f"Budget left: {_percent(row['remaining'])}, burn rate: {_plain(row['burnRate'])}")
    yield Text(f"Gate: {row['effect']}")
    if row["message"]:
        yield Text(f"Why: {row['message']}")
    if row["checkedAt"]:
        yield Text(f"Written: {row['checkedAt']}; read every minute, written when it says something new")
    if row["windows"]:
        yield Text("")
        table = plain_table("SEVERITY", "LONG", "SHORT", "BURN RATES", "ALERTS ABOVE", "FIRING")
        for window in row["windows"]:
            rates = f"{window.get('longBurnRate') or '-'} / {window.get('shortBurnRate') or '-'}"
            table.add_row(
                window.get("severity"), window.get("long"), window.get("short"), rates,
                window.get("factor"), "yes" if window.get("firing") else "no",
            )  # fmt: skip
        yield table
    for each in row["rollouts"]:
        yield Text(f"\nRollout {each['name']} asks for it: {each['phase']} {each['message']}".rstrip())
    if row["gate"] in ("blocked", "unknown") and row["rollouts"]:
        who = row["rollouts"][0]["name"]
        yield Text(f"Override: kubectl -n {row['namespace']} annotate rollout {who} '{OVERRIDE}'")
