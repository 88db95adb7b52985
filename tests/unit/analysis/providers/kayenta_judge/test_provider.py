"""Plugin rollouts.dev/kayenta over HTTP: what it asks for, when it judges, and what it answers."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from analysis.judges.kayenta.run import Course
from analysis.judges.kayenta.score import Thresholds, Verdict
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp
from analysis.providers.kayenta_judge.config import NAME, read_config
from analysis.providers.kayenta_judge.provider import KayentaJudgeProvider
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.protocol import Answer, Decided, Ongoing, Question
from analysis.providers.registry import ProviderEnvironment, default_registry
from analysis.spec.objects import Metric
from analysis.spec.status import Phase
from tests.unit.analysis.judges.kayenta import published
from tests.unit.analysis.providers.backend import NOW, Asked, credentials, serving

STABLE, CANARY = "5d9c7b", "77f8cc"
Series = Callable[[str], list[list[float]]]


def canary_metric(name: str, **judged: Any) -> dict[str, Any]:
    return {
        "name": name,
        "query": {
            "type": "prometheus",
            "customInlineTemplate": f"PromQL:avg({name}{{{{{{selector}}}}}})",
        },
        "groups": [judged.pop("group", "all")],
        "analysisConfigurations": {"canary": judged},
        "scopeName": "default",
    }


def config(*metrics: dict[str, Any], **fields: Any) -> dict[str, Any]:
    document = {"name": "web", "metrics": list(metrics), "classifier": fields.pop("classifier", {})}
    base = {
        "stable": STABLE,
        "canary": CANARY,
        "canaryConfig": document,
        "threshold": {"pass": 95, "marginal": 75},
        "lifetime": "30m",
        "step": "1m",
    }
    return {**base, **fields}


def metric(written: dict[str, Any], **more: Any) -> Metric:
    return Metric.model_validate({"name": "kayenta", "provider": {"plugin": {NAME: written}}, **more})


def bad(query: str) -> list[list[float]]:
    """Return samples of a canary whose ``errors`` are twice as many."""
    if CANARY in query and "errors" in query:
        return [published.AROUND_TWENTY]
    return [published.AROUND_TEN if CANARY in query else published.AROUND_TEN_CONTROL]


class Ask:
    """Asks the provider as a run would, carrying its state."""

    def __init__(self, written: dict[str, Any], series: Series) -> None:
        self._written, self._series = written, series
        self.state: Mapping[str, str] = {}
        self.forms: list[dict[str, str]] = []
        self.down = False

    async def at(self, minutes: float) -> Answer:
        moment = NOW + timedelta(minutes=minutes)
        async with serving(self._respond) as backend, GuardedHttp(EgressPolicy()) as http:
            provider = KayentaJudgeProvider(PrometheusProvider(http, credentials(http), backend.url))
            question = Question(metric=metric(self._written), now=moment, state=self.state)
            answer = await provider.measure(question)
        assert isinstance(answer, Decided | Ongoing)
        self.state = {**self.state, **answer.state}
        return answer

    def _respond(self, asked: Asked) -> web.Response:
        if self.down:
            return web.Response(status=503, text="down")
        form = {key: values[0] for key, values in parse_qs(asked.body).items()}
        self.forms.append(form)
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        moments = [start + i * step for i in range(round((end - start) / step) + 1)]
        result = [
            {"metric": {}, "values": [[t, repr(v)] for t, v in zip(moments, cycle(values), strict=False)]}
            for values in self._series(form["query"])
        ]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


def resume(answer: Answer) -> datetime:
    assert isinstance(answer, Ongoing)
    return answer.resume_at


def decided(answer: Answer) -> Decided:
    assert isinstance(answer, Decided)
    return answer


async def test_a_metric_that_is_high_lowers_the_score_and_is_named() -> None:
    ask = Ask(config(canary_metric("errors"), canary_metric("latency")), bad)
    assert resume(await ask.at(0)) == NOW + timedelta(minutes=30, seconds=30)
    answer = decided(await ask.at(30.5))
    assert (answer.phase, answer.text) == (Phase.FAILED, "50")
    assert answer.message == "score 50: Fail (errors High)"
    assert answer.metadata["errors"].startswith("High: shift 10.6")
    assert (answer.metadata["latency"][:5], answer.metadata["group all"]) == ("Pass:", "50")


async def test_both_versions_are_asked_for_the_same_window() -> None:
    ask = Ask(config(canary_metric("errors"), beginAfter="5m"), bad)
    await ask.at(0)
    await ask.at(40)
    assert [form["query"] for form in sorted(ask.forms, key=lambda f: f["query"])] == [
        f'avg(errors{{pod=~".+-({STABLE})-[a-z0-9]+"}})',
        f'avg(errors{{pod=~".+-({CANARY})-[a-z0-9]+"}})',
    ]
    begin, end = NOW.timestamp() + 300, NOW.timestamp() + 2100
    assert {(float(f["start"]), float(f["end"]), f["step"]) for f in ask.forms} == {(begin, end, "60")}


async def test_a_critical_metric_fails_at_its_first_judgement() -> None:
    weights = {"classifier": {"groupWeights": {"minor": 1}}}
    critical = canary_metric("errors", critical=True, direction="increase", group="minor")
    ask = Ask(config(critical, canary_metric("latency"), interval="10m", **weights), bad)
    assert resume(await ask.at(0)) == NOW + timedelta(minutes=10, seconds=30)
    answer = decided(await ask.at(10.5))
    assert (answer.phase, answer.message) == (
        Phase.FAILED,
        "score 0: Fail (critical: errors; errors High)",
    )


async def test_judgements_go_on_until_the_last_which_decides() -> None:
    ask = Ask(config(canary_metric("latency"), interval="10m"), bad)
    await ask.at(0)
    assert resume(await ask.at(10.5)) == NOW + timedelta(minutes=20, seconds=30)
    assert resume(await ask.at(20.5)) == NOW + timedelta(minutes=30, seconds=30)
    answer = decided(await ask.at(30.5))
    assert (answer.phase, answer.text, answer.message) == (Phase.SUCCESSFUL, "100, 100, 100", "")


async def test_judgements_that_were_missed_are_made_up_for() -> None:
    ask = Ask(config(canary_metric("latency"), interval="10m"), bad)
    await ask.at(0)
    assert decided(await ask.at(90)).text == "100, 100, 100"


async def test_a_last_score_that_is_marginal_is_inconclusive() -> None:
    parts = [canary_metric(f"m{i}") for i in range(4)]
    ask = Ask(config(*parts, canary_metric("errors")), bad)
    await ask.at(0)
    answer = decided(await ask.at(31))
    assert (answer.phase, answer.message) == (Phase.INCONCLUSIVE, "score 80: Marginal (errors High)")


async def test_no_data_is_no_pass() -> None:
    ask = Ask(config(canary_metric("errors")), lambda query: [] if CANARY in query else bad(query))
    await ask.at(0)
    answer = decided(await ask.at(31))
    assert answer.message == "score 0: Fail (1 of 1 metrics have no data; errors Nodata)"


async def test_a_backend_that_is_away_is_waited_for_and_then_an_error() -> None:
    ask = Ask(config(canary_metric("latency")), bad)
    await ask.at(0)
    ask.down = True
    assert resume(await ask.at(31)) == NOW + timedelta(minutes=31, seconds=15)
    ask.down = False
    assert decided(await ask.at(32)).phase is Phase.SUCCESSFUL
    ask.state, ask.down = {}, True
    await ask.at(0)
    await ask.at(31)
    with pytest.raises(BackendError, match="503"):
        await ask.at(36)


async def test_several_series_are_refused() -> None:
    ask = Ask(config(canary_metric("errors")), lambda query: bad(query) * 2)
    await ask.at(0)
    with pytest.raises(ConfigurationError, match="'errors' gives more than one series; aggregate it"):
        await ask.at(31)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lifetime": "10s"}, "step must not be longer than interval"),
        ({"lifetime": "30h", "interval": "1m"}, "lifetime holds more than 100 intervals"),
        ({"threshold": {"pass": 50, "marginal": 60}}, "marginal must not be above pass"),
        ({"canary": STABLE}, "there is nothing to compare"),
        ({"unknown": 1}, "unknown"),
        (
            {"canaryConfig": {"metrics": [{"name": "a", "query": {"customInlineTemplate": "up"}}]}},
            r"must hold \{\{selector\}\} or \$\{scope\}",
        ),
        (
            {"canaryConfig": {"metrics": [canary_metric("a"), canary_metric("a")]}},
            "two metrics have the same name",
        ),
        (
            {
                "canaryConfig": {
                    "metrics": [canary_metric("a")],
                    "classifier": {"groupWeights": {"other": 100}},
                }
            },
            "groups that no metric has: other",
        ),
        (
            {"canaryConfig": {"metrics": [canary_metric("a")], "judge": {"name": "dredd-v1.0"}}},
            "judge 'dredd-v1.0' is not known here",
        ),
    ],
    ids=["step", "many", "thresholds", "same", "unknown", "no-version", "twice", "weights", "judge"],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_config(metric({**config(canary_metric("errors")), **change}))


def test_the_engine_s_own_limits_do_not_go_with_it() -> None:
    with pytest.raises(ConfigurationError, match="interval does not go with rollouts"):
        read_config(metric(config(canary_metric("errors")), interval="1m"))


def test_scope_is_the_version_s_hash() -> None:
    written = canary_metric("errors")
    written["query"]["customInlineTemplate"] = 'avg(errors{version="${scope}"})'
    queries = read_config(metric(config(written))).queries()
    assert queries == (f'avg(errors{{version="{CANARY}"}})', f'avg(errors{{version="{STABLE}"}})')


async def test_it_is_among_the_plugins() -> None:
    async with GuardedHttp() as http:
        registry = default_registry(ProviderEnvironment(http=http, now=lambda: NOW))
        assert registry.provider_of(metric(config(canary_metric("errors")))).name == NAME


def test_the_window_grows_or_slides() -> None:
    growing = Course(3600, 1200, begin_after=300)
    assert [growing.window(i) for i in range(growing.judgements)] == [
        (300, 1500),
        (300, 2700),
        (300, 3900),
    ]
    sliding = Course(3600, 1200, look_back=1800)
    assert [sliding.window(i) for i in range(sliding.judgements)] == [(0, 1200), (600, 2400), (1800, 3600)]


def test_a_score_on_the_marginal_line_stops_an_early_judgement_and_not_the_last() -> None:
    course, limits = Course(20, 10), Thresholds(95, 75)
    assert course.verdict([75], limits) is Verdict.FAIL
    assert course.verdict([75.1], limits) is None
    assert course.verdict([96, 75], limits) is Verdict.MARGINAL
    assert course.verdict([], limits) is None
