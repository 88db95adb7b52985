"""Second opinions in the study: the product's own trial, with pods replaced as it advises."""

from dataclasses import dataclass, field

import numpy as np

from analysis.judges.corroborated import Tick, look_back
from analysis.judges.decision import Decision
from analysis.judges.opinion import Advice
from analysis.judges.profiles import Profile
from analysis.judges.terms import Counted, Terms
from analysis.judges.trial import Trial, advance, begin, judge
from tests.studies.worlds import Batch, Simulation, World

NEW_POD_TICKS = 2
"""30 s pass until a new pod has traffic."""


@dataclass
class OpinionResult:
    """Runs by how they ended; minutes and canary errors served of those that aborted."""

    runs: int
    aborted: int = 0
    person: int = 0
    replaced: int = 0
    minutes: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    off_errors: list[float] = field(default_factory=list)
    """canary errors served when traffic was first switched off"""

    def share(self, count: int) -> float:
        return 100 * count / self.runs


@dataclass
class _Run:
    trial: Trial
    generation: list[int]
    served: float = 0.0
    off_until: int = -1
    done: bool = False
    replaced: bool = False


def _pairs(counts: tuple[np.ndarray, np.ndarray], run: int) -> tuple[tuple[float, float], ...]:
    return tuple((float(e), float(n)) for e, n in zip(counts[0][run], counts[1][run], strict=True))


def _start(simulation: Simulation, runs: int) -> list[_Run]:
    history = list(simulation.look_back())
    empty = Tick(((0.0, 0.0),) * 16)
    return [
        _Run(
            begin(
                (look_back([empty if b.void[run] else Tick(_pairs(b.stable, run)) for b in history]),),
                ((0.0, 0),),
            ),
            [0] * simulation.pods,
        )
        for run in range(runs)
    ]


def lone(world: World, runs: int, seed: int) -> OpinionResult:
    """One canary pod for 20 min; its successor is the second pod of the world."""
    world = world.but(steps=((0.05, 2, 80),), alone=True)
    simulation = Simulation(world, runs, seed)
    result, states = OpinionResult(runs), _start(simulation, runs)
    terms = Terms(Profile.FAST)
    for number, batch in enumerate(simulation.release()):
        for run, state in enumerate(states):
            if state.done or number < state.off_until:
                continue
            pod = state.generation[0]
            canary = tuple(
                (float(batch.canary[0][run][g]), float(batch.canary[1][run][g])) if g == pod else (0.0, 0.0)
                for g in range(4)
            )
            state.served += canary[pod][0]
            item = Counted((Tick(_pairs(batch.stable, run), canary),), {pod: (f"p{pod}",)})
            state.trial = advance(state.trial, item, terms)
            if state.trial.advice is Advice.REPLACE_WITHOUT_TRAFFIC and not state.replaced:
                state.generation[0], state.replaced = 1, True
                state.off_until = number + 1 + NEW_POD_TICKS
                result.replaced += 1
                result.off_errors.append(state.served)
            _end(result, state, terms, number)
    return result


def several(world: World, runs: int, seed: int) -> OpinionResult:
    """A whole rollout; the pods of a group that is to be replaced are healthy afterwards."""
    simulation = Simulation(world, runs, seed)
    result, states = OpinionResult(runs), _start(simulation, runs)
    terms, number = Terms(Profile.FAST), 0
    schedule = [pods for _, pods, ticks in world.steps for _ in range(ticks)]
    for number, batch in enumerate(simulation.release()):
        for run, state in enumerate(states):
            if not state.done:
                _several_once(simulation, batch, run, state, schedule[number], terms)
                _end(result, state, terms, number)
    result.replaced = sum(state.replaced for state in states)
    return result


def _several_once(
    simulation: Simulation, batch: Batch, run: int, state: _Run, pods: int, terms: Terms
) -> None:
    state.served += float(batch.served[run])
    groups: dict[int, tuple[str, ...]] = {
        g: tuple(f"p{j}-{state.generation[j]}" for j in range(pods) if j % 4 == g)
        for g in range(min(4, pods))
    }
    if batch.void[run]:
        return
    item = Counted((Tick(_pairs(batch.stable, run), _pairs(batch.canary, run)),), groups)
    state.trial = advance(state.trial, item, terms)
    if state.trial.advice is Advice.REPLACE:
        state.replaced = True
        for pod in range(simulation.pods):
            if f"p{pod}-{state.generation[pod]}" in state.trial.opinion.pods:
                state.generation[pod] += 1
                simulation.ill[run, simulation.world.stable + pod] = 0.0


def _end(result: OpinionResult, state: _Run, terms: Terms, number: int) -> None:
    decision = judge(state.trial, terms).answer.decision
    if decision is Decision.FAIL:
        result.aborted += 1
        result.minutes.append((number + 1) / 4)
        result.errors.append(state.served)
    elif decision is Decision.PAUSE:
        result.person += 1
    state.done = decision in (Decision.FAIL, Decision.PAUSE)
