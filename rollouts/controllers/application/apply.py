"""Carrying out the actions of a step: kind by kind, several objects of a kind at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

from rollouts.gitops.apply import Action, ApplyObject, Outcome, carry_out, would_change
from rollouts.gitops.comparison import Compared, Settled, settle
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import ObjectKey

PARALLEL = 8


async def run_actions(api: KubeApi, actions: Sequence[Action]) -> dict[ObjectKey, Outcome]:
    """Do all actions, in the order of their kinds; one that fails does not stop the others."""
    found: dict[ObjectKey, Outcome] = {}
    slots = asyncio.Semaphore(PARALLEL)

    async def one(action: Action) -> Outcome:
        async with slots:
            return await carry_out(api, action)

    for _, group in groupby(actions, key=lambda action: action.key.resource):
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one(action)) for action in group]
        found.update((task.result().key, task.result()) for task in running)
    return found


async def confirm(api: KubeApi, suspects: Sequence[Compared]) -> dict[ObjectKey, Settled]:
    """Ask the API server by dry run which suspected differences are its own doing."""
    found: dict[ObjectKey, Settled] = {}
    for one in suspects:
        answer = await would_change(api, ApplyObject(key=one.key, manifest=one.effective or {}))
        settled = settle(one.effective or {}, answer) if answer is not None else None
        if settled is not None:
            found[one.key] = settled
    return found
