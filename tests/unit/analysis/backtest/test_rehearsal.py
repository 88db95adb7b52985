"""The unchanged engine on a jumping clock: schedule and verdicts as ever, points read many at a time."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.backtest import rehearsal
from analysis.backtest.history import HistoryProvider, Points, whole_second
from analysis.backtest.plot import NoPlot, plot
from analysis.backtest.rehearsal import JumpingClock, Rehearsed, TooLong, rehearse
from analysis.backtest.report import as_json, lines, marks, number_of, sparkline, summary, verdict
from analysis.providers.authentication import Credentials
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import BackendError
from analysis.providers.http import GuardedHttp
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.registry import ProviderRegistry
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.providers import PrometheusMetric
from analysis.spec.status import Measurement

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
END = START + timedelta(hours=2)
Value = Callable[[float], float | None]


class Recorded:
    """A history that is a function of the minutes since the start; it counts how often it is read."""

    def __init__(self, value: Value) -> None:
        self._value = value
        self.reads = 0

    async def read(
        self, metric: PrometheusMetric, address: str, start: datetime, end: datetime, step: timedelta
    ) -> Points:
        self.reads += 1
        points, moment = {}, start
        while moment <= end:
            value = self._value((moment - START) / timedelta(minutes=1))
            if value is not None:
                points[moment.timestamp()] = (value,)
            moment += step
        return points


class Broken:
    async def read(
        self, metric: PrometheusMetric, address: str, start: datetime, end: datetime, step: timedelta
    ) -> Points:
        raise BackendError("cannot reach it")


def spec(**metric: Any) -> AnalysisRunSpec:
    written = {
        "name": "errors",
        "interval": "1m",
        "count": 10,
        "successCondition": "result[0] < 0.05",
        "provider": {"prometheus": {"address": "http://prometheus", "query": "errors"}},
        **metric,
    }
    return AnalysisRunSpec.model_validate({"metrics": [written]})


async def run(ranges: Any, written: AnalysisRunSpec, until: datetime = END) -> Rehearsed:
    clock = JumpingClock(START)
    async with GuardedHttp(EgressPolicy()) as http:
        live = PrometheusProvider(http, Credentials(http, clock.read))
        history = HistoryProvider(live, ranges, "", until)
        return await rehearse(written, ProviderRegistry([history]), clock, until)


async def test_a_good_history_succeeds_when_its_count_is_reached() -> None:
    recorded = Recorded(lambda _: 0.01)
    found = await run(recorded, spec())
    assert (found.status.phase, len(found.taken), found.lasted) == ("Successful", 10, timedelta(minutes=9))
    assert recorded.reads == 1
    assert [taken.at - START for taken in found.taken[:3]] == [timedelta(minutes=m) for m in range(3)]


async def test_a_bad_history_fails_at_the_moment_it_turns_bad() -> None:
    found = await run(Recorded(lambda minute: 0.5 if minute >= 4 else 0.0), spec())
    assert found.status.phase == "Failed"
    assert found.lasted == timedelta(minutes=4)
    assert verdict(found).startswith('Failed after 4m0s: Metric "errors" assessed Failed')


async def test_no_data_in_the_past_is_the_error_that_it_would_have_been() -> None:
    found = await run(Recorded(lambda minute: None if 2 <= minute < 2.3 else 0.0), spec())
    phases = [taken.measurement.phase for taken in found.taken]
    assert phases[:6] == ["Successful", "Successful", "Error", "Error", "Successful", "Successful"]
    assert "index out of range" in found.taken[2].measurement.message
    assert found.taken[3].at - found.taken[2].at == timedelta(seconds=10)


async def test_an_initial_delay_and_a_long_history_are_read_in_few_pieces() -> None:
    recorded = Recorded(lambda _: 0.0)
    found = await run(recorded, spec(count=1_000, interval="5s", initialDelay="7s"))
    assert len(found.taken) == 1_000
    assert found.taken[0].at == START + timedelta(seconds=7)
    assert recorded.reads == 2


async def test_an_endless_metric_is_stopped_where_the_history_ends() -> None:
    written = spec(count=0)
    found = await run(Recorded(lambda _: 0.0), written, START + timedelta(minutes=5))
    assert found.cut
    assert len(found.taken) == 6
    assert verdict(found) == "not decided when the history ended after 5m0s; stopped it is Successful"


async def test_a_backend_that_cannot_be_reached_is_an_error_of_every_measurement() -> None:
    found = await run(Broken(), spec())
    assert found.status.phase == "Error"
    assert {taken.measurement.message for taken in found.taken} == {"cannot reach it"}


async def test_too_many_measurements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "MOST_MEASUREMENTS", 5)
    with pytest.raises(TooLong, match="more than 5"):
        await run(Recorded(lambda _: 0.0), spec())


async def test_the_text_shows_every_measurement_a_curve_and_the_verdict() -> None:
    found = await run(Recorded(lambda minute: minute / 100), spec())
    told = list(lines(found, measurements=True))
    assert told[0] == "started 2026-01-01T12:00:00Z"
    assert told[1] == "  2026-01-01T12:00:00Z  errors  Successful  [0]"
    assert told[-4:-1] == ["  errors: 0 to 0.05", "    ▁▂▄▅▇█", "    ·····✗"]
    assert told[-1].startswith("  Failed after 5m0s")
    assert len(as_json(found)["measurements"]) == 6
    assert as_json(found)["decided"] is True


async def test_many_runs_are_summed_up() -> None:
    good, bad = await run(Recorded(lambda _: 0.0), spec()), await run(Recorded(lambda _: 1.0), spec())
    assert summary([good, good, bad]) == "3 runs: 1 Failed, 2 Successful"


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([None, None], "  "),
        ([3.0], "▁"),
        ([0.0, 7.0], "▁█"),
        ([0.0, None, 3.5, 7.0], "▁ ▅█"),
        ([0.0] * 80 + [5.0] * 80, "▁" * 40 + "█" * 40),
    ],
    ids=["nothing", "no numbers", "one", "two", "a gap", "more than a line"],
)
def test_sparklines(values: list[float | None], bars: str) -> None:
    assert sparkline(values) == bars


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("[0.25,7]", 0.25), ("3", 3.0), ("NaN", None), ("[]", None), ("", None), ("e=12.5", 12.5),
        ("20/16", 20.0), ("no data", None), ("true", None), ("[NaN]", None),
    ],
)  # fmt: skip
def test_the_number_of_a_measurement(text: str, number: float | None) -> None:
    found = number_of(rehearsal.Taken(START, "a", Measurement(value=text)))
    assert found == number
    assert found is None or math.isfinite(found)


def test_marks_show_the_worst_of_a_group() -> None:
    phases = ["Successful"] * 159 + ["Failed"]
    taken = [rehearsal.Taken(START, "a", Measurement(phase=phase)) for phase in phases]
    assert marks(taken) == "·" * 79 + "✗"
    assert marks([rehearsal.Taken(START, "a", Measurement(phase="Running"))]) == "…"


async def test_without_the_library_for_pictures_the_text_says_so(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = await run(Recorded(lambda _: 0.0), spec())
    with pytest.raises(NoPlot, match="needs matplotlib"):
        plot(found, tmp_path / "a.png")


def test_moments_are_cut_to_whole_seconds() -> None:
    assert whole_second(START.replace(microsecond=999_999)) == START
