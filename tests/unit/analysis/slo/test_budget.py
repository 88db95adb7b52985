"""What a budget takes to be known, how often each window is asked, and the object's own limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.providers.protocol import Question, Reading
from analysis.providers.slo.budget import BudgetReader
from analysis.slo.budget import budget_queries, policy_of, reading_of
from analysis.slo.gate import GateState, decide_gate
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.validation import read_objective
from analysis.spec.errors import SpecError
from tests.unit.analysis.slo.examples import ours

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def spec_of(**fields: Any) -> ServiceLevelObjectiveSpec:
    return read_objective(ours(**fields)["spec"])


class Prometheus:
    """Counts questions; every ratio is one in ten thousand."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def measure(self, question: Question) -> Reading:
        prometheus = question.metric.provider.prometheus
        assert prometheus is not None
        self.asked.append(prometheus.query)
        return Reading(0.0001, "0.0001", {})


def test_longer_windows_are_asked_less_often() -> None:
    every = {name: query.every for name, query in budget_queries(spec_of()).items()}
    minutes = {name: period / timedelta(minutes=1) for name, period in every.items()}
    assert minutes["ratio 5m"] == minutes["ratio 1h"] == 1
    assert minutes["ratio 6h"] == 6
    assert minutes["ratio 3d"] == minutes["period"] == 10


async def test_only_what_is_due_is_asked_and_a_changed_objective_asks_anew() -> None:
    prometheus = Prometheus()
    reader = BudgetReader(prometheus)  # type: ignore[arg-type]
    first = await reader.read("uid", spec_of(), NOW)
    everything = len(prometheus.asked)
    assert everything == len(first) == len(budget_queries(spec_of()))
    again = await reader.read("uid", spec_of(), NOW + timedelta(minutes=1))
    assert again == first
    assert everything < len(prometheus.asked) < 2 * everything
    asked = len(prometheus.asked)
    await reader.read("uid", spec_of(window="28d"), NOW + timedelta(minutes=1))
    assert len(prometheus.asked) == asked + 1, "only the period is another one"
    reader.forget("uid")
    await reader.read("uid", spec_of(), NOW + timedelta(minutes=1))
    assert len(prometheus.asked) == asked + 1 + everything


def test_a_recorded_share_replaces_the_query_over_the_whole_period() -> None:
    spec = spec_of(gate={"remaining": "slo:period_error_budget_remaining:ratio"})
    queries = budget_queries(spec)
    assert "period" not in queries
    assert queries["remaining"].text == "slo:period_error_budget_remaining:ratio"
    assert reading_of(spec, {"remaining": 0.4}).remaining == 0.4


@pytest.mark.parametrize(
    ("ratio", "state"),
    [
        (0.0, GateState.OK),
        (0.0006, GateState.GUARDED),
        (0.0009, GateState.BLOCKED),
        (None, GateState.UNKNOWN),
    ],
)
def test_the_limits_are_the_objectives_own(ratio: float | None, state: GateState) -> None:
    spec = spec_of(gate={"guardedBelow": 0.5, "blockedBelow": 0.2})
    assert decide_gate(policy_of(spec), reading_of(spec, {"period": ratio}), NOW).state is state


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"gate": {"guardedBelow": 0.1, "blockedBelow": 0.2}}, "spec.gate.blockedBelow"),
        ({"gate": {"remaining": "x[{{window}}]"}}, "spec.gate.remaining"),
        ({"gate": {"onNoData": {"action": "abort"}}}, "spec.gate.onNoData.action"),
        ({"gate": {"onNoData": {"after": "soon"}}}, "spec.gate.onNoData.after"),
        ({"gate": {"onNodata": {}}}, "spec.gate.onNodata"),
        ({"prometheus": {"timeout": 0}}, "spec.prometheus.timeout"),
        ({"prometheus": {"adress": "x"}}, "spec.prometheus.adress"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(**fields)
    assert caught.value.path == path
