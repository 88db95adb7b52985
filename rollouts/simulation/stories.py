"""Stories in YAML: a Rollout, what people do with it, what goes wrong meanwhile, and what has to come of it.

A story is read strictly: an unknown word is an error, never passed over. What the Rollout names is put in
place by stand-ins: plain Services, one route for whatever router it has, and analyses that ask a metrics
backend which answers as the story says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rollouts.api.yamlio import YamlError, load_all
from rollouts.kube.objects import ANALYSIS_TEMPLATES, HTTP_ROUTES, ROLLOUTS, SERVICES, Manifest, ReadOnly
from rollouts.simulation import scenarios
from rollouts.simulation.backend import BAD, GOOD
from rollouts.simulation.ending import ending
from rollouts.simulation.faults import Smooth
from rollouts.simulation.invariants import end_problems
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.mirror import strategy_of
from rollouts.simulation.storm import Storm
from rollouts.simulation.trial import STORM_LATENCY
from rollouts.simulation.world import NAME, Stuck, World

Phase = Literal["Healthy", "Paused", "Progressing", "Degraded"]
METRICS = {"good": GOOD, "bad": BAD, "down": None}


class StoryError(Exception):
    """A story that cannot be read; the message says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wait(_Strict):
    """What to wait for before the next deed; exactly one."""

    phase: Phase | None = None
    step: int | None = None
    seconds: float | None = None


class Deed(_Strict):
    """One thing that a person does; exactly one."""

    deploy: str | None = None
    wait: Wait | None = None
    promote: Literal[True] | None = None
    promoteFull: Literal[True] | None = None  # noqa: N815 - as the status spells it
    abort: Literal[True] | None = None
    retry: Literal[True] | None = None
    pause: bool | None = None
    scale: Annotated[int, Field(ge=0)] | None = None
    metrics: Literal["good", "bad", "down"] | None = None


class Faults(_Strict):
    """How much goes wrong: the share of writes with a fault, and in how many histories."""

    storm: Annotated[float, Field(ge=0, le=0.5)] = 0.08
    seeds: Annotated[int, Field(ge=1, le=10_000)] = 10


class Expected(_Strict):
    """What has to be in the end: the phase, the image tag of the stable version, how many AnalysisRuns."""

    phase: Phase = "Healthy"
    stable: str | None = None
    runs: int | None = None


class Story(_Strict):
    """A whole story."""

    rollout: dict[str, Any]
    user: tuple[Deed, ...]
    faults: Faults | None = None
    expect: Expected = Expected()
    name: str = ""


@dataclass(frozen=True)
class Told:
    """How one history of a story went; ``problems`` is empty when all was as it should be."""

    story: str
    seed: int
    phase: str
    stable: str
    problems: tuple[str, ...]
    trace: tuple[str, ...] = field(repr=False)


def read(path: Path) -> Story:
    """Read a story. Raises StoryError."""
    try:
        documents = load_all(path.read_bytes())
    except OSError as error:
        raise StoryError(f"cannot be read: {error.strerror}") from error
    except YamlError as error:
        raise StoryError(str(error)) from error
    if len(documents) != 1:
        raise StoryError(f"has {len(documents)} documents; a story is one")
    story = _parsed({"name": path.stem, **documents[0]})
    for index, deed in enumerate(story.user):
        _one_of(deed, f"user[{index}]")
        if deed.wait is not None:
            _one_of(deed.wait, f"user[{index}].wait")
    if "template" not in (story.rollout.get("spec") or {}):
        raise StoryError("rollout.spec.template: a story needs the pods' template itself")
    return story


def _parsed(document: Mapping[str, Any]) -> Story:
    try:
        return Story.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoryError(f"{where}: {first['msg']}") from error


def _one_of(model: BaseModel, path: str) -> None:
    known = ", ".join(type(model).model_fields)
    if len(model.model_dump(exclude_none=True)) != 1:
        raise StoryError(f"{path}: say exactly one of {known}")


def play(story: Story, seed: int | None = None) -> list[Told]:
    """Play the histories of a story: one in calm, and with faults one for each seed; or ``seed`` alone."""
    if story.faults is None:
        return [run_virtual(_play(story, seed or 1, calm=True))]
    seeds = range(1, story.faults.seeds + 1) if seed is None else (seed,)
    calm = [run_virtual(_play(story, 0, calm=True))] if seed is None else []
    return [*calm, *(run_virtual(_play(story, number, calm=False)) for number in seeds)]


async def _play(story: Story, seed: int, *, calm: bool) -> Told:
    async with World.running(seed, latency=1.0 if calm else STORM_LATENCY) as world:
        process = await world.start()
        try:
            for resource, body in _objects(story):
                await world.create(resource, body)
            await world.phase("Healthy")
            process.count_from_here()
            plan = world.plan = _plan(story, seed, calm=calm)
            for deed in story.user:
                await _do(world, deed)
            await world.phase(story.expect.phase)
            await world.rest()
            if isinstance(plan, Storm):
                plan.calm = True
                await world.rest()
            await world.phase(story.expect.phase)
        except Stuck as stuck:
            return _told(story, world, seed, str(stuck).partition("\n")[0])
        return _told(story, world, seed)


def _plan(story: Story, seed: int, *, calm: bool) -> Smooth | Storm:
    return Smooth() if calm or story.faults is None else Storm(seed, story.faults.storm)


def _told(story: Story, world: World, seed: int, stuck: str = "") -> Told:
    end = ending(world.mirror, world.rollout) if NAME in world.mirror.all("rollouts") else {}
    problems = [stuck] if stuck else list(end_problems(world.mirror, world.rollout))
    problems += [*world.invariants.violations, *(f"logged as an error: {text}" for text in world.errors)]
    wanted = story.expect
    if wanted.stable is not None and end.get("stable") != wanted.stable:
        problems.append(f"expect.stable: {end.get('stable')}, wanted {wanted.stable}")
    runs = world.invariants.created["analysisruns"]
    if wanted.runs is not None and runs != wanted.runs:
        problems.append(f"expect.runs: {runs} AnalysisRuns were created, wanted {wanted.runs}")
    return Told(
        story=story.name,
        seed=seed,
        phase=str(end.get("phase", "")),
        stable=str(end.get("stable") or ""),
        problems=tuple(problems),
        trace=tuple(world.trace.lines),
    )


async def _do(world: World, deed: Deed) -> None:
    if deed.wait is not None:
        await _wait(world, deed.wait)
    elif deed.deploy is not None:
        await world.spec(template={"spec": {"containers": _containers(world.rollout, deed.deploy)}})
    elif deed.scale is not None:
        await world.spec(replicas=deed.scale)
    elif deed.pause is not None:
        await world.spec(paused=deed.pause)
    elif deed.metrics is not None:
        world.trace.say("backend", f"metrics are {deed.metrics}")
        world.backend.value = METRICS[deed.metrics]
    else:
        await world.status(**_status(deed))


def _status(deed: Deed) -> Mapping[str, Any]:
    if deed.promote:
        return {"pauseConditions": None}
    if deed.promoteFull:
        return {"promoteFull": True}
    return {"abort": bool(deed.abort)}


async def _wait(world: World, wait: Wait) -> None:
    if wait.phase is not None:
        await world.phase(wait.phase)
    elif wait.step is not None:
        await world.step(wait.step)
    else:
        await world.clock.sleep(wait.seconds or 0.0)


# -- what is put in place -----------------------------------------------------------------------------------


def _containers(rollout: ReadOnly, tag: str) -> list[Manifest]:
    containers = rollout["spec"]["template"]["spec"]["containers"]
    first, *others = containers
    image = str(first.get("image", NAME)).partition(":")[0]
    return [{**first, "image": f"{image}:{tag}"}, *others]


def _objects(story: Story) -> Sequence[tuple[Any, Manifest]]:
    spec = dict(story.rollout.get("spec") or {})
    kind, given = strategy_of({"spec": spec})
    fields = dict(given)
    if fields.get("trafficRouting"):
        kept = {
            k: v for k, v in fields["trafficRouting"].items() if k in ("managedRoutes", "maxTrafficWeight")
        }
        fields["trafficRouting"] = {**kept, **scenarios.ROUTING}
        fields.setdefault("stableService", "stable")
        fields.setdefault("canaryService", "canary")
    spec["strategy"] = {kind: fields}
    services = [fields.get(f"{name}Service") for name in ("stable", "canary", "active", "preview")]
    found: list[tuple[Any, Manifest]] = [(SERVICES, _service(str(name), spec)) for name in services if name]
    if fields.get("trafficRouting"):
        found.append((HTTP_ROUTES, _route(fields)))
    endless = _names(fields.get("analysis"))
    for name in sorted(endless | _names(fields)):
        count = None if name in endless else 2
        found.append((ANALYSIS_TEMPLATES, scenarios.template(name, count)))
    given_metadata = story.rollout.get("metadata") or {}
    metadata = {k: v for k, v in given_metadata.items() if k in ("labels", "annotations")}
    return [*found, (ROLLOUTS, {"metadata": {**metadata, "name": NAME}, "spec": spec})]


def _service(name: str, spec: Mapping[str, Any]) -> Manifest:
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    return {"metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": 80}]}}


def _route(fields: Mapping[str, Any]) -> Manifest:
    refs = [
        {"name": fields["stableService"], "port": 80, "weight": 100},
        {"name": fields["canaryService"], "port": 80, "weight": 0},
    ]
    spec = {"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": refs}]}
    return {"metadata": {"name": NAME}, "spec": spec}


def _names(value: Any) -> set[str]:
    """Return the names of all analysis templates in a part of the strategy."""
    if isinstance(value, Mapping):
        own = {str(value["templateName"])} if "templateName" in value else set()
        return own.union(*(_names(item) for item in value.values()))
    if isinstance(value, list | tuple):
        return set().union(*(_names(item) for item in value))
    return set()
