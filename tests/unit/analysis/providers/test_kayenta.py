"""Kayenta's canary API as it is documented."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp
from analysis.providers.kayenta import EXECUTION_ID, KayentaProvider
from analysis.providers.protocol import Decided, Ongoing
from analysis.providers.registry import ProviderRegistry
from analysis.run.machine import Due, Step
from analysis.run.plan import prepare
from analysis.runner import Runner
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import Measurement, Phase
from tests.unit.analysis.providers.backend import NOW, Asked, serving
from tests.unit.analysis.providers.vendors import KAYENTA, ask, asked_of, saying

CONFIGS = [{"id": "other-id", "name": "other"}, {"id": "config-id", "name": "canary"}]


def judged(score: Any, **more: Any) -> dict[str, Any]:
    return {"complete": True, "result": {"judgeResult": {"score": {"score": score}}}, **more}


def kayenta(
    configs: Any = CONFIGS, started: Any = None, canary: Any = None
) -> Callable[[Asked], web.Response]:
    def respond(asked: Asked) -> web.Response:
        if asked.path == "/canaryConfig":
            return web.json_response(configs)
        if asked.method == "POST":
            return web.json_response({EXECUTION_ID: "run-1"} if started is None else started)
        return web.json_response(canary)

    return respond


async def looked_at(document: Any) -> Any:
    async with serving(saying(document)) as backend, GuardedHttp() as http:
        measurement = Measurement(metadata={EXECUTION_ID: "run/1"})
        answer = await KayentaProvider(http).resume(asked_of("kayenta", backend.url), measurement)
        assert [(a.method, a.path) for a in backend.asked] == [("GET", "/canary/run/1")]
        return answer


async def test_a_judgement_is_started_and_looked_at_after_15_seconds() -> None:
    answer, asked = await ask("kayenta", kayenta())
    assert answer == Ongoing(NOW + timedelta(seconds=15), {EXECUTION_ID: "run-1"})
    assert [(a.method, a.path) for a in asked] == [("GET", "/canaryConfig"), ("POST", "/canary/config-id")]
    assert asked[0].query == {"application": "shop", "configurationAccountName": "config"}
    assert asked[1].query == {
        "application": "shop",
        "metricsAccountName": "prom",
        "configurationAccountName": "config",
        "storageAccountName": "store",
    }
    assert json.loads(asked[1].body) == {
        "scopes": {
            "default": {
                "controlScope": {"scope": "app=stable", "region": "eu", "step": 60, "start": "a", "end": "b"},
                "experimentScope": {
                    "scope": "app=canary",
                    "region": "eu",
                    "step": 60,
                    "start": "a",
                    "end": "b",
                },
            }
        },
        "thresholds": {"pass": 90, "marginal": 75},
    }


@pytest.mark.parametrize(
    ("score", "phase", "text"),
    [
        (100, Phase.SUCCESSFUL, "100"),
        (90, Phase.SUCCESSFUL, "90"),
        (89.9, Phase.INCONCLUSIVE, "89"),
        (75.0, Phase.INCONCLUSIVE, "75"),
        (74.99, Phase.FAILED, "74"),
        (0, Phase.FAILED, "0"),
    ],
)
async def test_the_score_is_held_against_both_thresholds(score: float, phase: Phase, text: str) -> None:
    assert await looked_at(judged(score)) == Decided(phase, text=text)


async def test_a_judgement_that_is_not_complete_is_looked_at_again() -> None:
    assert await looked_at({"complete": False, "status": "running"}) == Ongoing(NOW + timedelta(seconds=15))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "does not tell whether the canary is complete"),
        ({"complete": "yes"}, "does not tell whether"),
        (
            {
                "complete": True,
                "status": "terminal",
                "exception": {"details": {"errors": []}, "message": "no metrics"},
            },
            r"complete without a score \(status terminal\): no metrics",
        ),
        (judged(None), "complete without a score"),
        (judged("NaN"), "complete without a score"),
    ],
)
async def test_a_judgement_without_a_score_is_an_error_and_no_failure(document: Any, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        await looked_at(document)


async def test_an_unknown_config_is_named() -> None:
    with pytest.raises(ConfigurationError, match="application 'shop' has no canary config 'canary'"):
        await ask("kayenta", kayenta(configs=[]))


@pytest.mark.parametrize("started", [{}, {EXECUTION_ID: ""}, []], ids=["missing", "empty", "list"])
async def test_a_start_without_an_id_is_an_error(started: Any) -> None:
    with pytest.raises(BackendError, match="without telling its canaryExecutionId"):
        await ask("kayenta", kayenta(started=started))


async def test_a_start_whose_answer_is_a_rate_limit_is_not_repeated() -> None:
    posts = 0

    def respond(asked: Asked) -> web.Response:
        nonlocal posts
        if asked.method == "GET":
            return web.json_response(CONFIGS)
        posts += 1
        return web.Response(status=429, headers={"Retry-After": "0"})

    with pytest.raises(BackendError, match="limits the rate"):
        await ask("kayenta", respond)
    assert posts == 1


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        (None, "threshold is missing"),
        ({"pass": 50, "marginal": 75}, "0 <= marginal <= pass <= 100"),
        ({"pass": 101, "marginal": 0}, "0 <= marginal <= pass <= 100"),
    ],
)
async def test_thresholds_that_make_no_sense_are_refused(threshold: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await ask("kayenta", kayenta(), threshold=threshold)


async def test_a_measurement_without_its_id_cannot_be_resumed() -> None:
    async with GuardedHttp() as http:
        with pytest.raises(BackendError, match="have lost the canaryExecutionId"):
            await KayentaProvider(http).resume(asked_of("kayenta", "http://k"), Measurement())


async def test_a_restarted_process_resumes_by_the_id_in_the_status() -> None:
    async with serving(kayenta(canary=judged(95))) as backend:
        metric = {"name": "m", "provider": {"kayenta": {**KAYENTA, "address": backend.url}}}
        spec = AnalysisRunSpec.model_validate({"metrics": [metric]})
        due = Due(prepare(spec).metrics[0], Step.MEASURE, 0)
        async with GuardedHttp() as http:
            runner = Runner(ProviderRegistry([KayentaProvider(http)]), lambda: NOW)
            begun = (await runner.take(due, spec.metrics[0], {})).measurement
        assert (begun.phase, begun.resume_at) == ("Running", "2026-01-01T00:00:15Z")
        restored = Measurement.model_validate_json(begun.model_dump_json(by_alias=True))
        async with GuardedHttp() as http:
            runner = Runner(ProviderRegistry([KayentaProvider(http)]), lambda: NOW)
            again = replace(due, step=Step.RESUME, measurement=restored)
            ended = (await runner.take(again, spec.metrics[0], {})).measurement
        assert (ended.phase, ended.value, ended.metadata) == ("Successful", "95", {EXECUTION_ID: "run-1"})
        assert ended.finished_at == "2026-01-01T00:00:00Z"
        assert sum(asked.method == "POST" for asked in backend.asked) == 1
