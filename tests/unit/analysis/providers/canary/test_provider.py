"""The judge in an AnalysisRun: verdicts, pods that are replaced, outages, restarts, and what status holds."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from analysis.providers.canary import replay as record
from analysis.providers.canary.provider import TROUBLE_KEY
from analysis.providers.canary.replay import RECORD_KEY, STATE_KEY, replay
from analysis.providers.canary.session import Session
from analysis.providers.errors import BackendError
from analysis.runner import RunIdentity
from analysis.spec.guidance import Guidance, of_run
from analysis.spec.status import AnalysisRunStatus
from tests.unit.analysis.providers.canary.fleet import (
    CANARY,
    STABLE,
    START,
    FakeBackend,
    Play,
    Pod,
    configured,
    play,
    pods,
    spec_of,
)

BASE = 0.002


def share(value: float) -> Callable[[float], float]:
    return lambda _: value


def fleet(factor: float = 1.0, canary: int = 2, rate: float = 2.6, base: float = BASE) -> list[Pod]:
    old = pods(STABLE, 20, bad=share(base))
    return old + pods(CANARY, canary, rate=rate, born=START, bad=share(base * factor))


def session(played: Play) -> Session:
    return Session.load(played.result.metadata[STATE_KEY])


def test_a_bad_version_fails_the_run_soon_and_cheaply() -> None:
    played = play(FakeBackend(fleet(10)), spec_of(configured(duration="10m")))
    assert played.status.phase == "Failed"
    assert played.seconds < 240
    assert session(played).trial.totals.canary_bad[0] <= 12
    assert played.status.message.endswith('the canary is worse than stable, and no single pod explains it"')
    assert played.evidence["profile"] == "fast: look-back of 120 ticks, 100 requests a second"


def test_a_good_version_succeeds_when_the_duration_is_over() -> None:
    played = play(FakeBackend(fleet()), spec_of(configured(duration="10m")))
    assert played.status.phase == "Successful"
    assert 600 - 15 <= played.seconds <= 600 + 15
    assert played.measurement.value.startswith("e=")
    assert played.result.metadata["ResolvedPrometheusQuery"] == (
        f'http_requests_total{{pod=~".+-({CANARY}|{STABLE})-[a-z0-9]+"}}'
    )


def test_without_a_duration_it_watches_until_it_is_stopped() -> None:
    spec = spec_of(configured())
    watched = play(FakeBackend(fleet()), spec, seconds=1_000)
    assert watched.status.phase == "Running"
    stopped = play(
        FakeBackend(fleet()),
        spec.model_copy(update={"terminate": True}),
        status=watched.status,
        start=START + 1_001,
    )
    assert (stopped.status.phase, stopped.measurement.message) == ("Successful", "Metric Terminated")
    assert stopped.measurement.value == watched.measurement.value


def sick(name: str = "p00") -> list[Pod]:
    members = fleet()
    return [replace(p, bad=share(0.3)) if p.name.endswith(f"{CANARY}-{name}") else p for p in members]


def test_one_sick_pod_is_held_for_a_second_opinion_and_then_for_a_person() -> None:
    played = play(FakeBackend(sick()), spec_of(configured(duration="5m", holdTimeout="5m")))
    assert played.status.phase == "Inconclusive"
    assert "a second opinion is needed; held for 300 s" in played.status.message
    assert played.evidence["advice"] == "replace: p00"
    assert guidance(played) == Guidance()


def guidance(played: Play) -> Guidance:
    return of_run(played.status.manifest())


def test_a_suspicion_asks_the_delivery_for_a_hold_and_a_successor() -> None:
    several = guidance(play(FakeBackend(sick()), spec_of(configured(duration="5m")), seconds=200))
    assert (several.hold, several.no_traffic, several.replace) == (True, False, ("p00",))
    assert several.reason == "errors: the canary looks worse than stable; a second opinion is needed"
    lone = fleet(25, canary=1, rate=5.2)
    alone = guidance(play(FakeBackend(lone), spec_of(configured(duration="5m")), seconds=150))
    assert (alone.hold, alone.no_traffic, alone.replace) == (True, True, ("p00",))
    assert guidance(play(FakeBackend(fleet()), spec_of(configured()), seconds=150)) == Guidance()


def test_a_canary_that_cost_too_much_gets_no_traffic_until_a_person_has_looked() -> None:
    played = play(FakeBackend(sick()), spec_of(configured(duration="5m", spendCap=3)))
    assert played.status.phase == "Inconclusive"
    assert "the cap is 3" in played.status.message
    assert guidance(played).no_traffic


def test_the_replaced_pod_was_sick_and_the_version_goes_on() -> None:
    members = sick()
    members[20] = replace(members[20], died=START + 200)
    members.append(Pod(f"web-{CANARY}-x9", CANARY, rate=2.6, born=START + 205, bad=share(BASE)))
    played = play(FakeBackend(members), spec_of(configured(duration="8m")))
    assert played.status.phase == "Successful"
    assert session(played).trial.opinion.replaced == 1
    assert "the canary looks worse than stable; a second opinion is needed" in played.messages


def test_a_lone_pod_is_replaced_at_once_and_its_successor_confirms() -> None:
    members = fleet(25, canary=1, rate=5.2)
    waiting = play(FakeBackend(members), spec_of(configured(duration="5m")), seconds=150)
    assert waiting.evidence["advice"] == "replace without traffic: p00"
    members[20] = replace(members[20], died=START + 120)
    members.append(Pod(f"web-{CANARY}-x9", CANARY, rate=5.2, born=START + 130, bad=share(0.05)))
    played = play(FakeBackend(members), spec_of(configured(duration="5m")))
    assert played.status.phase == "Failed"


@pytest.mark.parametrize(
    ("strict", "target", "stable", "canary", "phase", "reason"),
    [
        (False, 0.995, 0.002, 10, "Failed", "worse than stable and over its objective"),
        (
            False,
            0.9,
            0.002,
            10,
            "Inconclusive",
            "worse than stable, but not shown to be over its objective; held for",
        ),
        (True, 0.9, 0.002, 10, "Failed", "worse than stable, and no single pod"),
        (False, 0.99, 0.06, 1, "Inconclusive", "shared incident"),
        (False, 0.99, 0.002, 1, "Successful", ""),
    ],
    ids=["worse-and-over", "worse-and-under", "strict", "both-over", "neither"],
)
def test_the_table_of_two_questions(
    strict: bool, target: float, stable: float, canary: float, phase: str, reason: str
) -> None:
    slo = {"objective": target, "strict": strict}
    members = fleet(canary, base=stable)
    played = play(FakeBackend(members), spec_of(configured(duration="10m", holdTimeout="3m", slo=slo)))
    assert (played.status.phase, reason in played.measurement.message) == (phase, True)


def test_latency_is_judged_at_the_edges_of_the_histogram() -> None:
    latency = {"buckets": "http_seconds_bucket{{{selector}}}"}
    good = fleet(canary=4)
    slow = [replace(p, slow=2.0) if p.version == CANARY else p for p in good]
    config = configured(duration="6m", latency=latency)
    assert play(FakeBackend(good), spec_of(config)).status.phase == "Successful"
    played = play(FakeBackend(slow), spec_of(config))
    assert played.status.phase == "Failed"
    assert played.evidence["profile"] == "careful: it judges latency"
    assert played.evidence["edge"].startswith("slower than 0.")
    assert session(played).terms.edges == (0.05, 0.1, 0.25, 0.5, 1.0)


def test_a_process_that_was_away_comes_to_the_same_state() -> None:
    """Boundaries are asked for by time, so a pause of the controller loses no tick and merges none."""
    spec = spec_of(configured(duration="15m"))

    def until(seconds: float, pause: bool) -> Session:
        first = play(FakeBackend(fleet(2)), spec, seconds=200 if pause else seconds)
        if not pause:
            return session(first)
        later = play(
            FakeBackend(fleet(2)), spec, status=first.status, start=START + 440, seconds=seconds - 440
        )
        return session(later)

    whole, paused = until(600, False), until(600, True)
    assert paused.trial == whole.trial
    assert paused.position == whole.position


def test_the_order_of_series_changes_nothing() -> None:
    spec, members = spec_of(configured(duration="5m")), fleet(3)
    one = session(play(FakeBackend(members), spec))
    other = session(play(FakeBackend(list(reversed(members))), spec))
    assert other == one


def test_restarted_containers_and_late_births_are_counted_right() -> None:
    calm, restless = fleet(), fleet()
    restless[3] = replace(restless[3], restarts=(START + 100, START + 200))
    restless[20] = replace(restless[20], restarts=(START + 150,))
    spec = spec_of(configured(duration="5m"))
    expected, found = (session(play(FakeBackend(m), spec)).trial.totals for m in (calm, restless))
    assert found.stable == pytest.approx(expected.stable, abs=2 * 15 * 5)
    assert found.canary == pytest.approx(expected.canary, abs=15 * 2.6)
    assert found.stable <= expected.stable


def test_another_replica_of_the_backend_voids_the_tick_between() -> None:
    switched = FakeBackend(fleet(), replica=lambda now: 3.0 if now > START + 120 else 0.0)
    played = play(switched, spec_of(configured(duration="5m")))
    whole = play(FakeBackend(fleet()), spec_of(configured(duration="5m")))
    assert session(played).trial.judged == session(whole).trial.judged - 1
    assert played.status.phase == "Successful"


def test_a_backend_of_two_minds_is_named() -> None:
    flapping = FakeBackend(fleet(), replica=lambda now: now % 7)
    played = play(flapping, spec_of(configured(onNoData={"action": "pause", "after": "2m"})))
    assert played.status.phase == "Inconclusive"
    assert "answers differently about the same moment" in played.status.message


POLICIES = {"hold": "Running", "fail": "Failed", "pass": "Successful", "pause": "Inconclusive"}


@pytest.mark.parametrize("action", POLICIES)
def test_a_dead_backend_is_held_and_then_the_policy_decides(action: str) -> None:
    dead = FakeBackend(
        fleet(), fault=lambda now: BackendError("connection refused") if now > START + 100 else None
    )
    played = play(dead, spec_of(configured(onError={"action": action, "after": "3m"})), seconds=400)
    assert played.status.phase == POLICIES[action]
    assert played.measurement.message.endswith("connection refused")
    if action != "hold":
        assert 280 <= played.seconds <= 320


@pytest.mark.parametrize("action", POLICIES)
def test_no_data_from_the_canary_is_held_and_then_the_policy_decides(action: str) -> None:
    silent = FakeBackend(fleet(rate=0.0))
    played = play(silent, spec_of(configured(duration="1m", onNoData=action)), seconds=400)
    assert played.status.phase == POLICIES[action]
    assert "the canary or the stable version has no requests" in played.measurement.message


def test_an_outage_that_ends_loses_nothing() -> None:
    down = FakeBackend(
        fleet(10),
        fault=lambda now: BackendError("timeout") if START + 20 < now < START + 170 else None,
    )
    played = play(down, spec_of(configured(duration="10m")))
    assert played.status.phase == "Failed"
    assert any(message.endswith(": timeout") for message in played.messages)
    assert TROUBLE_KEY not in played.result.metadata
    assert "trouble" not in played.evidence
    assert session(played).trial == session(play(FakeBackend(fleet(10)), spec_of(configured()))).trial


def test_nothing_at_all_is_no_data_and_waits_for_counters() -> None:
    members = [replace(pod, born=START + 60) for pod in fleet()]
    played = play(FakeBackend(members), spec_of(configured(duration="5m")))
    assert any(f"the stable version {STABLE} has no counters" in message for message in played.messages)
    assert played.status.phase == "Successful"
    assert session(played).terms.profile.value == "blind"


def test_a_lost_state_starts_again_as_blind() -> None:
    def losing(status: AnalysisRunStatus, now: float) -> AnalysisRunStatus:
        if not START + 100 < now < START + 110 or not status.metric_results:
            return status
        result = status.metric_results[0]
        broken = result.model_copy(update={"metadata": {STATE_KEY: "x"}})
        return status.model_copy(update={"metric_results": (broken,)})

    played = play(FakeBackend(fleet()), spec_of(configured(duration="5m")), each=losing)
    assert session(played).lost is True
    assert played.evidence["profile"] == "blind: the state of this judge was lost"


def test_a_canary_that_was_there_before_teaches_nothing_and_history_is_asked_for_before_it() -> None:
    members = fleet()
    members[20:] = [replace(pod, born=START - 900) for pod in members[20:]]
    backend = FakeBackend(members)
    played = play(backend, spec_of(configured(duration="2m")))
    assert session(played).terms.profile.value == "fast"
    assert len(backend.asked[1]) == 121
    assert backend.asked[1][-1] <= START - 885


def test_a_history_that_is_too_short_makes_it_blind_or_careful() -> None:
    for age, profile in ((10 * 60, "blind"), (20 * 60, "careful")):
        members = [replace(p, born=START - age) if p.version == STABLE else p for p in fleet()]
        played = play(FakeBackend(members), spec_of(configured(duration="2m")))
        assert session(played).terms.profile.value == profile


def test_a_later_attempt_needs_more_evidence() -> None:
    first = play(FakeBackend(fleet(6)), spec_of(configured(duration="15m")))
    third = play(FakeBackend(fleet(6)), spec_of(configured(duration="15m", attempt="3")))
    assert session(third).terms.levels.total == 48
    assert third.status.phase == first.status.phase == "Failed"
    assert third.seconds > first.seconds
    assert third.evidence["alpha"].startswith("attempt 3: levels times 4, nominal false aborts 0.0025")


def test_the_analyses_of_a_release_share_its_false_aborts() -> None:
    identity = RunIdentity("run", "ns", "u-1", attempt=2, analyses=3)
    played = play(FakeBackend(fleet(6)), spec_of(configured(duration="15m")), identity=identity)
    assert session(played).terms.levels.total == 12 * 6
    assert played.evidence["alpha"].startswith(
        "attempt 2 of 3 analyses: levels times 6, nominal false aborts"
    )


def test_too_few_requests_are_no_success() -> None:
    played = play(FakeBackend(fleet(rate=0.05)), spec_of(configured(duration="3m", holdTimeout="2m")))
    assert played.status.phase == "Inconclusive"
    assert "fewer than minRequests (50): too few to tell" in played.status.message


def test_an_early_promotion_needs_proof() -> None:
    members = [replace(pod, rate=pod.rate * 20) for pod in fleet(0.5)]
    config = configured(duration="20m", earlyPromotion=True)
    played = play(FakeBackend(members), spec_of(config))
    assert played.status.phase == "Successful"
    assert played.seconds < 1_000
    assert played.measurement.message == "the canary is shown to be less than 1.5 times as bad as stable"


def test_traffic_that_is_not_split_as_asked_is_a_warning() -> None:
    played = play(FakeBackend(fleet()), spec_of(configured(duration="5m", weight="20")))
    assert played.status.phase == "Successful"
    assert played.evidence["sampleRatio"].startswith("warning: the canary gets 4.")


def test_what_status_holds_stays_small() -> None:
    members = pods(STABLE, 60) + pods(CANARY, 20, rate=2.6, born=START)
    long = play(FakeBackend(members), spec_of(configured()), seconds=1_200)
    assert session(long).trial.judged > 70
    assert long.largest < 45_000
    latency = configured(latency={"buckets": "b{{{selector}}}"})
    assert play(FakeBackend(members), spec_of(latency), seconds=600).largest < 60_000


@pytest.mark.parametrize("factor", [1, 10])
def test_a_replay_comes_to_the_saved_numbers_to_the_last_digit(factor: float) -> None:
    played = play(FakeBackend(fleet(factor)), spec_of(configured(duration="20m")))
    again = replay(played.result.metadata)
    assert again.same
    assert repr(again.steps[-1].judgement.evidence.total) == played.evidence["logE"]
    before, found, after = played.result.metadata[RECORD_KEY].rpartition("[[[16,")
    changed = {**played.result.metadata, RECORD_KEY: f"{before}{found}9{after}"}
    assert not replay(changed).same, "one more digit in the last tick"


def test_a_long_record_folds_its_oldest_ticks_and_still_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "LARGEST_RECORD", 9_000)
    played = play(FakeBackend(fleet()), spec_of(configured()), seconds=1_000)
    again = replay(played.result.metadata)
    assert len(again.steps) < session(played).trial.judged
    assert len(played.result.metadata[RECORD_KEY]) <= 9_000
    assert again.same
