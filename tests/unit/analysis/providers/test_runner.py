"""One measurement from metric to status: conditions, messages, secrets."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from analysis.conditions.values import FloatVector
from analysis.providers.errors import BackendError
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.registry import ProviderEnvironment, ProviderRegistry, default_registry
from analysis.run.machine import Due, Finished, Step
from analysis.run.plan import prepare
from analysis.runner import Runner
from analysis.spec.objects import AnalysisRunSpec, Metric
from tests.unit.analysis.providers.backend import NOW

SECRET = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}


class Saying(Immediate):
    """A provider that says what it was built with, and remembers the question."""

    name: ClassVar[str] = "web"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Question] = []

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        return {"url": metric.provider.web.url}

    async def measure(self, question: Question) -> Reading:
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Reading(self.answer, str(self.answer))


async def measured(
    answer: Any, *, args: Any = (), secrets: Any = (), **metric: Any
) -> tuple[Finished, Saying]:
    spec = AnalysisRunSpec.model_validate(
        {"metrics": [{"name": "m", "provider": {"web": {"url": "http://x"}}, **metric}], "args": list(args)}
    )
    provider = Saying(answer)
    runner = Runner(ProviderRegistry([provider]), lambda: NOW)
    due = Due(prepare(spec).metrics[0], Step.MEASURE, 0)
    values = {a.name: a.value or "hunter2" for a in spec.args}
    return await runner.take(due, spec.metrics[0], values, secrets), provider


async def test_a_value_is_judged_and_stamped() -> None:
    finished, _ = await measured(0.5, successCondition="result < 1")
    assert finished.measurement.model_dump(exclude_none=True) == {
        "phase": "Successful",
        "message": "",
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:00Z",
        "value": "0.5",
    }


@pytest.mark.parametrize(("value", "phase"), [(0.5, "Successful"), (3.0, "Failed"), (1.5, "Inconclusive")])
async def test_a_metric_with_both_conditions_is_judged_by_both(value: float, phase: str) -> None:
    finished, _ = await measured(value, successCondition="result < 1", failureCondition="result > 2")
    assert finished.measurement.phase == phase


@pytest.mark.parametrize(
    ("answer", "phase", "message"),
    [
        (0.5, "Failed", ""),
        (FloatVector(), "Error", "no data: metric result is nil or empty"),
        (
            None,
            "Error",
            "could not evaluate successCondition: invalid operation: > (mismatched types nil and int)",
        ),
        (math.nan, "Failed", "no data: the result is NaN"),
        (BackendError("POST http://p: Cannot connect"), "Error", "POST http://p: Cannot connect"),
    ],
    ids=["breach", "empty", "nil", "nan", "backend-down"],
)
async def test_breach_no_data_and_a_dead_backend_read_differently(
    answer: Any, phase: str, message: str
) -> None:
    condition = "result[0] > 1" if isinstance(answer, FloatVector) else "result > 1"
    finished, _ = await measured(answer, successCondition=condition)
    assert finished.measurement.phase == phase
    assert finished.measurement.message.startswith(message)
    assert bool(finished.measurement.message) is bool(message)


async def test_secrets_reach_the_provider_and_nothing_else() -> None:
    finished, provider = await measured(
        BackendError("401 for hunter2"),
        args=[SECRET],
        secrets=["hunter2"],
        provider={"web": {"url": "http://x/{{args.token}}"}},
    )
    assert provider.asked[0].metric.provider.web.url == "http://x/hunter2"
    assert "hunter2" not in repr(finished)
    assert finished.measurement.message == "401 for *****"


async def test_the_metrics_metadata_shows_placeholders() -> None:
    finished, _ = await measured(
        1.0, args=[SECRET], secrets=["hunter2"], provider={"web": {"url": "http://x/{{args.token}}"}}
    )
    assert finished.metadata == {"url": "http://x/***"}


async def test_an_unsupported_provider_is_named() -> None:
    finished, _ = await measured(1.0, provider={"datadog": {"query": "q"}})
    assert finished.measurement.phase == "Error"
    assert finished.measurement.message == "provider 'datadog' is not supported here; supported are: web"


async def test_an_unknown_plugin_is_named() -> None:
    finished, _ = await measured(1.0, provider={"plugin": {"acme/x": {}}})
    assert (
        finished.measurement.message == "provider plugin 'acme/x' is not supported here; supported are: none"
    )


def test_the_default_registry_has_jobs_only_in_a_cluster() -> None:
    registry = default_registry(ProviderEnvironment(http=None, now=lambda: NOW))  # type: ignore[arg-type]
    web = Metric.model_validate({"name": "m", "provider": {"web": {"url": "u"}}})
    assert registry.provider_of(web).name == "web"
    with pytest.raises(Exception, match="provider 'job' is not supported here"):
        registry.provider_of(Metric.model_validate({"name": "m", "provider": {"job": {"spec": {}}}}))
