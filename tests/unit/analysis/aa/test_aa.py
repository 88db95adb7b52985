"""Stable against stable: calm pods raise no alarm, a sick one does, and the rates are published."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from analysis.aa.driver import Sham, past_of, releases
from analysis.aa.rates import Rates, wilson
from analysis.aa.watch import Published, Watch, told
from analysis.counts.vectors import Vectors, boundaries
from analysis.judges.profiles import Call, Profile
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.errors import BackendError
from tests.unit.analysis.providers.canary.fleet import STABLE, START, FakeBackend, Pod, configured, pods

TICKS = 120 + 4 * 40


def config(**fields: Any) -> CanaryConfig:
    return CanaryConfig.model_validate(configured(canary="aa", **fields))


async def shams(
    fleet: list[Pod], share: float = 0.5, chance: random.Random | None = None, **fields: Any
) -> list[Sham]:
    asked = boundaries(START - 120 * 15, START + (TICKS - 120) * 15, 15.0)
    answers = await FakeBackend(fleet).read(config(**fields), asked)
    past = past_of(config(**fields), answers)
    return list(releases(config(**fields), past, 40, share, chance or random.Random(1)))


async def test_calm_pods_raise_no_alarm() -> None:
    found = await shams(pods(STABLE, 20))
    assert {sham.worst for sham in found} <= {Call.CONTINUE, Call.FREEZE}
    assert [sham.start for sham in found] == [START + i * 600 for i in range(4)]
    assert {sham.profile for sham in found} == {Profile.FAST}
    assert {len(sham.canary) for sham in found} == {10}
    assert len({sham.canary for sham in found}) == 4, "each release has its own split"


async def test_who_plays_the_canary_is_never_among_the_stable_ones() -> None:
    found = await shams(pods(STABLE, 20), share=0.1)
    for sham in found:
        assert len(sham.canary) == 2
        assert sham.canary_requests == pytest.approx(2 * 5.0 * 600, rel=0.05)


def sick(fleet: list[Pod], *names: str) -> list[Pod]:
    return [
        replace(pod, bad=lambda t: 0.1 if t > START + 300 else 0.002) if pod.name.endswith(names) else pod
        for pod in fleet
    ]


class Cast(random.Random):
    """A chance that always takes the first ones."""

    def sample(self, population: Sequence[Any], k: int, **_: Any) -> list[Any]:
        return list(population)[:k]


@pytest.mark.parametrize(
    ("ill", "worst"),
    [(("p00", "p01"), Call.ABORT), (("p00", "p02"), Call.CONTINUE), (("p02", "p03"), Call.CONTINUE)],
    ids=["the-canary", "one-on-each-side", "stable"],
)
async def test_pods_that_turn_sick_alarm_when_they_play_the_canary(ill: tuple[str, ...], worst: Call) -> None:
    found = await shams(sick(pods(STABLE, 4), *ill), chance=Cast())
    assert found[0].canary == ("p00", "p01")
    assert found[0].worst is worst
    assert (found[0].log_e > 2.4) == (worst is Call.ABORT)


async def test_latency_is_judged_as_well() -> None:
    found = await shams(pods(STABLE, 6), latency={"buckets": "seconds_bucket{{{selector}}}"})
    assert {sham.worst for sham in found} == {Call.CONTINUE}


async def test_a_lone_pod_cannot_be_split() -> None:
    found = await shams(pods(STABLE, 1))
    assert {(sham.worst, sham.why) for sham in found} == {
        (None, "1 stable pods: two are needed to split them")
    }
    idle = await shams(pods(STABLE, 4, rate=0.0))
    assert {sham.worst for sham in idle} == {None}


@given(st.integers(0, 200), st.integers(1, 200))
def test_an_interval_holds_its_share(found: int, of: int) -> None:
    found = min(found, of)
    low, high = wilson(found, of)
    assert 0 <= low <= found / of + 1e-12
    assert found / of - 1e-12 <= high <= 1
    assert wilson(0, 0) == (0.0, 1.0)


def test_rates_count_the_worst_call() -> None:
    rates = Rates.of([Call.CONTINUE, Call.SUSPECT, Call.ABORT, None, Call.CONTINUE])
    assert (rates.judged, rates.unjudged) == (4, 1)
    assert (rates.at_least(Call.ABORT), rates.at_least(Call.FREEZE)) == (1, 2)
    assert rates.share(Call.ABORT)[0] == 0.25
    assert rates + rates == Rates((4, 0, 2, 2), 2)
    assert told("errors", rates, 1200).startswith(
        "errors: 4 sham releases of 20 min: abort 25.00% [4.56%, 69.94%], suspect 50.00%"
    )


@dataclass
class Failing(FakeBackend):
    """Fails when told to."""

    down: bool = False

    async def read(self, config: CanaryConfig, asked: Any) -> tuple[Vectors, ...]:
        if self.down:
            raise BackendError("down")
        return await super().read(config, asked)


def watching(backend: FakeBackend) -> Watch:
    return Watch(
        "errors",
        config(),
        backend,  # type: ignore[arg-type]
        length=40,
        share=0.5,
        chance=random.Random(1),
        start=START,
    )


async def test_rounds_judge_each_release_once_and_an_outage_loses_none() -> None:
    backend = Failing(pods(STABLE, 8))
    watch = watching(backend)
    assert watch.due_at == START + 600 + 30
    assert await watch.round(START + 629) == ()
    assert len(await watch.round(START + 1_500)) == 2
    backend.down = True
    with pytest.raises(BackendError):
        await watch.round(START + 1_900)
    backend.down = False
    assert len(await watch.round(START + 1_900)) == 1
    assert watch.rates.judged == 3
    assert watch.due_at == START + 2_400 + 30


async def test_a_long_history_is_read_in_pieces() -> None:
    backend = FakeBackend(pods(STABLE, 2))
    watch = watching(backend)
    found = await watch.round(START + 130 * 600 + 30)
    assert len(found) == 130
    assert [len(asked) for asked in backend.asked] == [120 + 122 * 40 + 1, 120 + 8 * 40 + 1]


async def test_the_rates_are_published() -> None:
    registry = CollectorRegistry()
    watch = watching(FakeBackend(pods(STABLE, 8)))
    fresh = await watch.round(START + 1_500)
    Published(registry).tell(watch.name, fresh, watch.rates)
    text = generate_latest(registry).decode()
    assert 'rollouts_aa_releases_total{call="continue",metric="errors"} 2.0' in text
    assert 'rollouts_aa_false_alarm_ratio{bound="observed",metric="errors"} 0.0' in text
    assert 'rollouts_aa_false_alarm_ratio{bound="high",metric="errors"} 0.657' in text


async def test_only_stable_pods_play() -> None:
    other = pods("77f8cc", 3)
    found = await shams(pods(STABLE, 6) + other)
    assert all(len(sham.canary) == 3 for sham in found)
