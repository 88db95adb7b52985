"""The product's judge and the study's are the same function, written twice."""

import numpy as np
import pytest

from analysis.judges.corroborated import Settings, Tick, advance, evidence, look_back
from analysis.judges.profiles import Profile
from analysis.judges.sums import BLIND, Sums
from analysis.judges.terms import Counted, Terms
from analysis.judges.trial import advance as tried
from analysis.judges.trial import begin, slow_shares
from analysis.judges.trial import evidence as weighed
from tests.studies.latency import EDGES, LatencyJudge, LatencySimulation
from tests.studies.vectorised import VectorisedJudge
from tests.studies.worlds import Batch, Simulation, World

RUNS = 5
WORLDS = {
    "calm": World(factor=3),
    "restless": World(pod_ar=(1.0, 0.9), spread=0.3, bursts=(5, 0.5), factor=2),
    "sick": World(sick=(0.1, 0.05)),
    "gaps": World(gap=0.15, merge=0.2, reset=0.03, restart=3, flap=(3, 60, 0.1)),
    "few": World(rps=2.0, base=0.005, stable=4, steps=((0.05, 1, 20), (0.2, 2, 20), (0.5, 4, 40))),
    "cold": World(cold=(2, 30), incident=(10, 120), skew=0.3),
}


def tick_of(batch: Batch, run: int) -> Tick:
    def pairs(arm: tuple[np.ndarray, np.ndarray]) -> tuple[tuple[float, float], ...]:
        return tuple((float(e), float(n)) for e, n in zip(arm[0][run], arm[1][run], strict=True))

    return Tick(pairs(batch.stable), pairs(batch.canary), float(batch.young[run]))


@pytest.mark.parametrize("blind", [False, True], ids=["look-back", "blind"])
@pytest.mark.parametrize("name", WORLDS)
def test_both_writings_agree(name: str, blind: bool) -> None:
    simulation = Simulation(WORLDS[name], RUNS, seed=11)
    settings = Settings(cold=0.5, sticky=True) if name == "cold" else Settings()
    study = VectorisedJudge(RUNS, blind=blind, cold=settings.cold, sticky=settings.sticky)
    history = list(simulation.look_back())
    sums = [Sums(priors=BLIND) for _ in range(RUNS)]
    if not blind:
        study.look_back(history)
        empty = Tick(((0.0, 0.0),) * 16)
        sums = [
            look_back([empty if b.void[run] else tick_of(b, run) for b in history]) for run in range(RUNS)
        ]
    for batch in simulation.release():
        study.tick(batch)
        rows, _, one, two = study.evidence()
        for run in range(RUNS):
            if not batch.void[run]:
                sums[run] = advance(sums[run], tick_of(batch, run), settings)
            found = evidence(sums[run], settings)
            assert found.rows == pytest.approx(rows[run], abs=1e-9)
            assert found.one_left_out == pytest.approx(one[run], abs=1e-9)
            assert found.two_left_out == pytest.approx(two[run], abs=1e-9)
            assert found.outside == study.outside()[run]


def test_both_writings_agree_about_latency() -> None:
    world = World(pod_ar=(0.2, 0.9), spread=0.1, added=0.02, gap=0.1, merge=0.1)
    simulation = LatencySimulation(world, 2, seed=12)
    study, history = LatencyJudge(2), list(simulation.batches(look_back=True))
    study.look_back(history)
    empty = Tick(((0.0, 0.0),) * 16)
    terms, trials = Terms(Profile.CAREFUL, edges=EDGES, focus=None), []
    for run in range(2):
        sums, shares = [], []
        for edge in range(len(EDGES)):
            ticks = [empty if b.edges[0].void[run] else tick_of(b.edges[edge], run) for b in history]
            sums.append(look_back(ticks))
            shares.append(slow_shares(tuple(ticks)))
        trials.append(begin(tuple(sums), tuple(shares)))
    for batch in simulation.batches(look_back=False):
        study.tick(batch)
        rows, _, one, two = study.evidence()
        for run in range(2):
            if not batch.edges[0].void[run]:
                ticks = tuple(tick_of(edge, run) for edge in batch.edges)
                trials[run] = tried(trials[run], Counted(ticks, {}, bool(batch.warming[run])), terms)
            found = weighed(trials[run], terms)
            assert found.rows == pytest.approx(rows[run], abs=1e-9)
            assert found.one_left_out == pytest.approx(one[run], abs=1e-9)
            assert found.two_left_out == pytest.approx(two[run], abs=1e-9)
