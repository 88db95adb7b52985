"""Plugin rollouts.dev/slo over HTTP: what it asks, what it decides, and what it holds."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import ConfigurationError
from analysis.providers.http import GuardedHttp
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.protocol import Answer, Decided, Ongoing, Question
from analysis.providers.registry import ProviderEnvironment, default_registry
from analysis.providers.slo.config import NAME
from analysis.providers.slo.provider import SINCE_KEY, TROUBLE_KEY, SloProvider
from analysis.run.machine import next_state
from analysis.run.plan import prepare
from analysis.runner import Runner
from analysis.spec.arguments import values_without_secrets
from analysis.spec.objects import AnalysisRunSpec, Metric
from analysis.spec.status import AnalysisRunStatus, Measurement, Phase
from tests.unit.analysis.providers.backend import NOW, Asked, credentials, serving

SLO = {
    "objective": 0.999,
    "indicator": {
        "ratio": {"total": 'hits_total{{{selector}},job="a"}', "bad": 'hits_total{job="a",code="500"}'}
    },
}
BURN = {"canary": "abc", "hashLabel": "version"}
Numbers = Callable[[str], float | None]


def config(**fields: Any) -> dict[str, Any]:
    return {"slo": SLO, "lag": "0s", **fields}


SECONDS = {"1m": 60, "3m": 180, "5m": 300, "30m": 1800}


def events(query: str) -> float:
    """Return what a query that counts one event a second gives: per window by increase, else per second."""
    window = re.search(r"\[(\w+)\]", query)
    return SECONDS[window[1]] if window is not None and "increase(" in query else 1.0


def steady(ratio: float, rps: float = 10.0) -> Numbers:
    """Answer like a canary with a constant share of errors."""
    return lambda query: rps * events(query) * (ratio if " or 0 * " in query else 1.0)


class Ask:
    """Asks the provider as a run would, carrying its state."""

    def __init__(self, written: dict[str, Any], numbers: Numbers, *, status: int = 200) -> None:
        self._written, self._numbers, self._status = written, numbers, status
        self.state: Mapping[str, str] = {}
        self.queries: list[str] = []
        self.times: list[float] = []

    async def at(self, now: datetime = NOW) -> Answer:
        async with serving(self._respond) as backend, GuardedHttp(EgressPolicy()) as http:
            provider = SloProvider(PrometheusProvider(http, credentials(http), backend.url))
            metric = Metric.model_validate({"name": "slo", "provider": {"plugin": {NAME: self._written}}})
            question = Question(metric=metric, now=now, state=self.state)
            answer = await provider.measure(question)
        assert isinstance(answer, Decided | Ongoing)
        self.state = {k: v for k, v in {**self.state, **answer.state}.items() if v}
        return answer

    def _respond(self, asked: Asked) -> web.Response:
        form = parse_qs(asked.body)
        self.queries.append(form["query"][0])
        self.times.append(float(form["time"][0]))
        if self._status != 200:
            return web.Response(status=self._status, text="down")
        value = self._numbers(form["query"][0])
        result = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


def decided(answer: Answer) -> Decided:
    assert isinstance(answer, Decided)
    return answer


def ongoing(answer: Answer) -> Ongoing:
    assert isinstance(answer, Ongoing)
    return answer


async def test_a_canary_that_burns_fails_with_its_numbers() -> None:
    ask = Ask(config(burn=BURN, lag="30s"), steady(0.02))
    answer = decided(await ask.at())
    assert (answer.phase, answer.text) == (Phase.FAILED, "20/20")
    assert "20 times too fast over 5m" in answer.message
    assert answer.metadata["outcome"] == "burning"
    assert answer.metadata["burn 5m/1m"] == "20/20 of 14.4"
    assert (answer.metadata["requests 5m"], answer.metadata["bad 5m"]) == ("3000", "60")
    assert set(ask.times) == {NOW.timestamp() - 30}


async def test_only_the_canary_is_asked_for() -> None:
    ask = Ask(config(burn=BURN), steady(0.0))
    answer = decided(await ask.at())
    assert (answer.phase, answer.message) == (Phase.SUCCESSFUL, "")
    assert ask.queries
    assert all(query.count('version="abc"') == query.count("hits_total") for query in ask.queries)


async def test_without_a_label_the_pod_s_name_tells_the_version() -> None:
    ask = Ask(config(burn={"canary": "abc"}), steady(0.0))
    await ask.at()
    assert 'pod=~".+-abc-[a-z0-9]+"' in ask.queries[0]


async def test_a_canary_without_traffic_holds_until_its_policy_says_otherwise() -> None:
    written = config(burn=BURN, onNoData={"action": "pause", "after": "1m"})
    ask = Ask(written, lambda _: None)
    first = ongoing(await ask.at())
    assert (first.text, first.resume_at) == ("no data", NOW + timedelta(seconds=15))
    assert json.loads(ask.state[TROUBLE_KEY]) == [NOW.timestamp(), "no data"]
    last = decided(await ask.at(NOW + timedelta(minutes=1)))
    assert (last.phase, last.message) == (
        Phase.INCONCLUSIVE,
        "no request of the canary was measured, for 60 s",
    )


async def test_a_backend_that_is_down_holds_by_default_for_ever() -> None:
    ask = Ask(config(burn=BURN), steady(1.0), status=500)
    for minutes in (0, 60):
        answer = ongoing(await ask.at(NOW + timedelta(minutes=minutes)))
        assert answer.text == "error"
    assert json.loads(ask.state[TROUBLE_KEY])[0] == NOW.timestamp()


async def test_the_clock_of_a_trouble_starts_anew_when_it_was_over() -> None:
    ask = Ask(config(burn=BURN), lambda _: None)
    await ask.at()
    ask._numbers = steady(0.0)
    decided(await ask.at(NOW + timedelta(minutes=1)))
    assert TROUBLE_KEY not in ask.state


async def test_the_canary_may_cost_a_share_of_the_budget_since_the_run_began() -> None:
    def number(query: str) -> float | None:
        canary, bad = 'version="abc"' in query, " or 0 * " in query
        if canary and "[1m]" not in query and "[3m]" not in query:
            return 1_000.0 if not bad else 2.0
        return events(query) * (
            {(True, True): 0.2, (True, False): 100.0, (False, True): 0.0}.get((canary, bad), 1.0)
        )

    # 1 request/s for 30 days: 2592 may be bad, 1 % of that is 26; the canary fails 12 a minute.
    ask = Ask(config(burn={**BURN, "stable": "old", "spendCap": 0.01}), number)
    first = decided(await ask.at())
    assert (first.phase, first.metadata["spent"]) == (Phase.SUCCESSFUL, "12 of 25.92 bad requests")
    assert ask.state[SINCE_KEY] == f"{NOW.timestamp():.0f}"
    later = decided(await ask.at(NOW + timedelta(minutes=3)))
    assert (later.phase, later.metadata["outcome"]) == (Phase.FAILED, "spent")
    assert later.message == "the canary has cost 36 bad requests, more than the 26 it may"


def budget(remaining: float | None, burn: float = 0.0) -> Numbers:
    """Answer for a gate: the recorded series, and error ratios that burn at a rate."""
    return lambda query: remaining if query == "left" else burn * 0.001


GATE = {"remaining": "left"}


@pytest.mark.parametrize(
    ("numbers", "phase", "text"),
    [
        (budget(0.8), Phase.SUCCESSFUL, "ok"),
        (budget(0.2), Phase.SUCCESSFUL, "guarded"),
        (budget(0.05), None, "blocked"),
        (budget(0.8, burn=20), None, "blocked"),
        (budget(None), None, "no data"),
    ],
    ids=["plenty", "little", "too little", "page burn", "nothing recorded"],
)
async def test_the_gate_lets_a_rollout_through_or_holds_it(
    numbers: Numbers, phase: Phase | None, text: str
) -> None:
    answer = await Ask(config(gate=GATE), numbers).at()
    assert (answer.phase if isinstance(answer, Decided) else None) == phase
    assert isinstance(answer, Decided | Ongoing)
    assert answer.text == text


async def test_without_a_recorded_series_the_whole_period_is_asked_for() -> None:
    ask = Ask(config(gate={}), lambda query: 0.0005)
    answer = decided(await ask.at())
    assert answer.metadata["remaining"] == "0.5"
    assert any("[30d]" in query for query in ask.queries)
    assert not any("version" in query for query in ask.queries)


async def test_a_budget_that_stays_blocked_ends_as_the_template_says() -> None:
    ask = Ask(config(gate={**GATE, "onBlocked": {"action": "fail", "after": "1h"}}), budget(0.0))
    held = ongoing(await ask.at())
    assert held.resume_at == NOW + timedelta(minutes=1)
    answer = decided(await ask.at(NOW + timedelta(hours=1)))
    assert answer.phase is Phase.FAILED
    assert answer.message == "0.0% of the error budget is left, below 10%, for 3600 s"


@pytest.mark.parametrize("status", [200, 500], ids=["blocked", "backend down"])
@pytest.mark.parametrize(
    "exempt",
    [{"rollback": "true"}, {"override": {"reason": "fixes it", "until": "2026-01-01T01:00:00Z"}}],
    ids=["rollback", "override"],
)
async def test_a_rollback_and_an_override_go_through(exempt: dict[str, Any], status: int) -> None:
    answer = decided(await Ask(config(gate={**GATE, **exempt}), budget(0.0), status=status).at())
    assert answer.phase is Phase.SUCCESSFUL
    assert answer.metadata["rule"] in ("rollback", "override")


async def test_an_empty_override_from_arguments_is_none() -> None:
    gate = {**GATE, "rollback": "", "override": {"reason": "", "until": ""}}
    ongoing(await Ask(config(gate=gate), budget(0.0)).at())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "neither burn nor gate": (config(), "needs either burn or gate"),
    "both": (config(burn=BURN, gate={}), "needs either burn or gate"),
    "no hash": (config(burn={"canary": "{{x}}"}), "burn.canary"),
    "unknown field": (config(burn={**BURN, "factor": 3}), "burn.factor"),
    "short is longer": (
        config(burn={**BURN, "pairs": [{"long": "1m", "short": "5m", "factor": 2}]}),
        "must be shorter",
    ),
    "objective in percent": (config(burn=BURN, slo={**SLO, "objective": 99.9}), ".slo.objective"),
    "cannot be split": (
        config(
            burn=BURN,
            slo={"objective": 0.9, "indicator": {"errorRatio": "avg_over_time((x)[{{window}}:1m])"}},
        ),
        "write {{selector}}",
    ),
    "cap without counts": (
        config(
            burn={**BURN, "spendCap": 0.1},
            slo={"objective": 0.9, "indicator": {"errorRatio": "rate(x[{{window}}])"}},
        ),
        "burn.spendCap",
    ),
    "override without reason": (
        config(gate={**GATE, "override": {"until": "2026-01-01T01:00:00Z"}}),
        "gate.override.reason",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("written", "words"), WRONG.values(), ids=WRONG)
async def test_a_wrong_template_is_told_with_the_field(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await Ask(written, budget(0.0)).at()
    assert words in str(caught.value)


async def test_a_query_that_gives_several_series_is_told_to_be_aggregated() -> None:
    def respond(_: Asked) -> web.Response:
        series = [{"metric": {"a": str(n)}, "value": [0, "1"]} for n in range(2)]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": series}})

    ask = Ask(config(burn=BURN), steady(0.0))
    ask._respond = respond  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError, match="gives 2 series"):
        await ask.at()


@pytest.mark.parametrize(
    ("warnings", "held"),
    [
        (["store 2 did not answer"], True),
        (['PromQL info: metric might not be a counter: "hits" (1:10)'], False),
    ],
    ids=["partial answer", "advice"],
)
async def test_a_partial_answer_is_no_answer(warnings: list[str], held: bool) -> None:
    def respond(_: Asked) -> web.Response:
        data = {"resultType": "vector", "result": [{"metric": {}, "value": [0, "9"]}]}
        return web.json_response({"status": "success", "data": data, "warnings": warnings})

    ask = Ask(config(burn={**BURN, "minRequests": 0}), steady(0.0))
    ask._respond = respond  # type: ignore[method-assign]
    assert isinstance(await ask.at(), Ongoing) is held


async def test_a_run_fails_by_it_and_keeps_the_evidence() -> None:
    respond = Ask(config(burn=BURN), steady(0.02))._respond
    async with serving(respond) as backend, GuardedHttp(EgressPolicy()) as http:
        written = {**config(burn={"canary": "{{args.canary}}"}), "address": backend.url}
        spec = AnalysisRunSpec.model_validate(
            {
                "args": [{"name": "canary", "value": "abc"}],
                "metrics": [{"name": "burn", "provider": {"plugin": {NAME: written}}}],
            }
        )
        runner = Runner(default_registry(ProviderEnvironment(http=http, now=lambda: NOW)), lambda: NOW)
        plan = prepare(spec)
        due = next_state(plan, AnalysisRunStatus(), [], NOW).due
        finished = await runner.take(due[0], spec.metrics[0], values_without_secrets(spec.args))
        status = next_state(plan, AnalysisRunStatus(), [finished], NOW).status
    result = status.result("burn")
    assert (status.phase, result is not None) == ("Failed", True)
    assert result is not None
    assert (result.measurements[0].metadata or {})["outcome"] == "burning"
    assert '".+-abc-[a-z0-9]+"' in (result.metadata or {})["ResolvedPrometheusQuery"]
    assert SINCE_KEY in (result.metadata or {})


async def test_a_measurement_that_is_not_wanted_any_more_ends_well() -> None:
    async with GuardedHttp(EgressPolicy()) as http:
        provider = SloProvider(PrometheusProvider(http, credentials(http)))
        metric = Metric.model_validate({"name": "a", "provider": {"plugin": {NAME: config(gate=GATE)}}})
        answer = await provider.terminate(Question(metric=metric, now=NOW), Measurement())
    assert answer == Decided(Phase.SUCCESSFUL)
