"""The error-budget gate end to end: a real Prometheus has the samples, the real API server the objects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cluster.contenders import Contender
from tests.cluster.control_plane import RealCluster
from tests.cluster.harness import apply
from tests.cluster.moving import APPS, CORE, Place
from tests.cluster.processes import wait_until
from tests.cluster.prometheus import PrometheusServer, PrometheusTools
from tests.cluster.samples import Object, pod_template, rollout

pytestmark = pytest.mark.lane("real-cluster", "prometheus")

APP = "shop"
OWN = "apis/rollouts.dev/v1alpha1"
BUDGET = "checkout"


def samples() -> str:
    """Return two hours of requests; one in a thousand fails where one in ten thousand may."""
    now = int(time.time())
    lines = ["# TYPE hits counter"]
    errors = ["# TYPE errors counter"]
    for number, at in enumerate(range(now - 7200, now + 1, 15)):
        lines.append(f'hits_total{{job="shop"}} {number * 10_000} {at}')
        errors.append(f'errors_total{{job="shop"}} {number * 10} {at}')
    return "\n".join((*lines, *errors)) + "\n"


@pytest.fixture
def prometheus(prometheus_tools: PrometheusTools, folder: Path) -> Iterator[PrometheusServer]:
    server = PrometheusServer(prometheus_tools, folder / "prometheus")
    server.backfill(samples())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def place(leaderless: RealCluster) -> Iterator[Place]:
    place = Place(leaderless, leaderless.new_namespace("budget"))
    yield place
    leaderless.delete_namespace(place.name)


def objective(address: str, promised: float) -> Object:
    total, bad = 'hits_total{job="shop"}', 'errors_total{job="shop"}'
    return {
        "apiVersion": "rollouts.dev/v1alpha1",
        "kind": "ServiceLevelObjective",
        "metadata": {"name": BUDGET},
        "spec": {
            "service": APP,
            "objective": promised,
            "indicator": {"ratio": {"total": total, "bad": bad}},
            "prometheus": {"address": address},
        },
    }


def gated() -> Object:
    found = rollout(APP, {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}, pod_template(APP, "v1"))
    note = {"annotations": {"rollouts.dev/budget-gate": BUDGET}}
    return {**found, "metadata": {**found["metadata"], **note}}


def budget_is(place: Place, state: str) -> Object:
    path = place.path(OWN, "servicelevelobjectives", BUDGET)

    def reached() -> Object | None:
        live = place.cluster.admin.get(path)
        status: Object = live.get("status") or {}
        current = status.get("observedGeneration") == live["metadata"]["generation"]
        return status if current and status.get("state") == state else None

    return wait_until(reached, seconds=30, what=f"a budget that is {state}")


def command(place: Place, *words: str) -> str:
    argv = [sys.executable, "-m", "rollouts", *words, "-n", place.name]
    environment = os.environ | {"KUBECONFIG": str(place.cluster.kubeconfig())}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_spent_budget_holds_the_next_version_until_a_person_overrides(
    place: Place, prometheus: PrometheusServer, folder: Path
) -> None:
    cluster = place.cluster
    process = Contender(cluster, folder, "budget").start()
    mark = cluster.audit.mark()
    try:
        apply(cluster, place.name, [objective(prometheus.url, 0.9999), gated()])
        place.wait("v1 Healthy", phase="Healthy")
        status = budget_is(place, "blocked")
        assert float(status["remaining"]) == pytest.approx(-9, abs=0.2)
        columns = cluster.kubectl("get", "slo", BUDGET, "-n", place.name)
        assert columns.split()[:7] == [
            "NAME", "SERVICE", "OBJECTIVE", "WINDOW", "GATE", "BUDGET", "AGE",
        ]  # fmt: skip

        place.deploy("v2")
        held = place.wait("the gate", phase="Paused")
        assert held["message"].startswith(f"waits for the error budget: {BUDGET}: the budget burns at page")
        assert place.sizes() == {"v1": 2}
        told = json.loads(command(place, "explain", APP, "-o", "json"))
        assert told["headline"].startswith("A new version waits for the error budget")
        assert "blocked" in command(place, "slo", "get", BUDGET)

        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        note = f"rollouts.dev/budget-override=mends the outage; until={until}"
        cluster.kubectl("annotate", "rollout", APP, note, "-n", place.name)
        place.wait("the first step", phase="Paused", message="CanaryPauseStep")
        assert place.sizes() == {"v1": 1, "v2": 1}
        notes = [rs["metadata"]["annotations"] for rs in place.list(APPS, "replicasets")]
        (record,) = [n["rollouts.dev/budget-verdict"] for n in notes if "rollouts.dev/budget-verdict" in n]
        assert f"by an override until {until}: mends the outage" in record
        wait_until(lambda: "BudgetOverridden" in reasons(place), seconds=10, what="the event")
        assert "RolloutWaitsForBudget" in reasons(place)

        apply(cluster, place.name, [objective(prometheus.url, 0.99)])
        assert budget_is(place, "ok")["remaining"] == "0.900"
        cluster.audit.assert_nothing_forbidden(process.user, since=mark)
    finally:
        code = process.stop()
    assert code == 0, process.process.tail()


def reasons(place: Place) -> set[str]:
    return {event["reason"] for event in place.list(CORE, "events")}
