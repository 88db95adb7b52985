"""What the demo judges and shows, from pictures made by hand."""

from datetime import UTC, datetime

import pytest

from rollouts.cli.demo.frame import Frame, frame, metric_rows, step_rows, value_text, version_rows
from rollouts.cli.demo.lines import Lines
from rollouts.cli.demo.options import Check, DemoResult, Outcome
from rollouts.cli.demo.picture import picture as svg_of
from rollouts.cli.demo.sight import Sight, Traffic, measure
from rollouts.cli.demo.story import History, bad_checks, good_checks, initial_checks
from rollouts.cli.demo.versions import BAD, FIRST, GOOD
from rollouts.embedded.metrics.samples import SampleStore, make_labels

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMIT = "abcdef0123456789"
STEPS = [{"setWeight": 20}, {"pause": {"duration": "4s"}}, {"setWeight": 50}]


def replicaset(version: str, pod_hash: str, replicas=4, ready=4) -> dict:
    env = [{"name": "VERSION", "value": version}]
    return {
        "metadata": {"name": f"shop-{pod_hash}", "labels": {"rollouts-pod-template-hash": pod_hash}},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"env": env}]}}},
        "status": {"readyReplicas": ready},
    }


def route(stable: int, canary: int) -> dict:
    refs = [{"name": "shop-stable", "weight": stable}, {"name": "shop-canary", "weight": canary}]
    return {"spec": {"rules": [{"backendRefs": refs}]}}


def run(pod_hash: str, phase: str, count=3) -> dict:
    measurement = {"value": "[0.72]", "phase": "Failed"}
    return {
        "metadata": {"name": f"run-{pod_hash}", "labels": {"rollouts-pod-template-hash": pod_hash}},
        "spec": {"metrics": [{"name": "success-rate", "successCondition": "result[0] >= 0.95"}]},
        "status": {
            "phase": phase,
            "metricResults": [
                {
                    "name": "success-rate",
                    "phase": phase,
                    "count": count,
                    "failed": count,
                    "measurements": [measurement],
                }
            ],
        },
    }


def sight(**changes) -> Sight:
    """v2 is stable and complete."""
    whole = {
        "now": NOW,
        "rollout": {
            "spec": {"strategy": {"canary": {"steps": STEPS}}},
            "status": {
                "phase": "Healthy",
                "stableRS": "h2",
                "currentPodHash": "h2",
                "currentStepIndex": 3,
            },
        },
        "replicasets": [replicaset("v1", "h1", 0, 0), replicaset("v2", "h2")],
        "runs": [run("h2", "Successful")],
        "application": {"status": {"sync": {"status": "Synced", "revision": COMMIT}}},
        "route": route(100, 0),
        "traffic": {"h2": Traffic(60.0, 0.0, 0.02)},
        "answers": 900,
    }
    return Sight(**{**whole, **changes})


def aborted(**changes) -> Sight:
    """v3 was aborted; v2 serves."""
    status = {
        "phase": "Degraded",
        "abort": True,
        "message": "RolloutAborted",
        "stableRS": "h2",
        "currentPodHash": "h3",
        "currentStepIndex": 0,
    }
    held = {"type": "RolloutHeld", "message": f"revision {COMMIT[:7]} is held: it was aborted"}
    whole = {
        "rollout": {"spec": {"strategy": {"canary": {"steps": STEPS}}}, "status": status},
        "replicasets": [replicaset("v2", "h2"), replicaset("v3", "h3", 1, 1)],
        "runs": [run("h3", "Failed")],
        "application": {"status": {"conditions": [held]}},
    }
    return sight(**{**whole, **changes})


def followed() -> History:
    history = History()
    history.measured = {("v2", 20): [0.0, 0.12, 0.21], ("v2", 50): [0.3, 0.48]}
    return history


def unmet(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.met]


def test_a_finished_good_version_meets_every_check():
    assert unmet(good_checks(sight(), GOOD, COMMIT, followed())) == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"traffic": {"h2": Traffic(30.0, 0, 0), "h1": Traffic(30.0, 0, 0)}}, "every request"),
        ({"traffic": {"h2": Traffic(60.0, 0.01, 0)}}, "without errors"),
        ({"traffic": {}}, "every request"),
        ({"lost": 1}, "no request was lost"),
        ({"runs": [run("h2", "Failed")]}, "passed its analysis"),
        ({"runs": [run("h2", "Successful", count=0)]}, "passed its analysis"),
        ({"runs": []}, "passed its analysis"),
        ({"application": {}}, "synced"),
        ({"rollout": {"status": {"phase": "Progressing", "stableRS": "h2"}}}, "Healthy"),
    ],
)
def test_a_good_version_is_not_done_while_anything_is_missing(changes, part):
    assert any(part in name for name in unmet(good_checks(sight(**changes), GOOD, COMMIT, followed())))


def test_a_weight_that_the_pods_never_took_is_not_met():
    history = followed()
    history.measured[("v2", 50)] = [0.2, 0.3]
    assert unmet(good_checks(sight(), GOOD, COMMIT, history)) == [
        "at weight 50 the pods of v2 took that share"
    ]


def test_the_first_version_needs_no_analysis():
    first = sight(replicasets=[replicaset("v1", "h2")], runs=[])
    assert unmet(initial_checks(first, FIRST, COMMIT)) == []


def test_an_aborted_bad_version_meets_every_check():
    assert unmet(bad_checks(aborted(), BAD, GOOD, COMMIT)) == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"runs": [run("h3", "Successful")]}, "failed its analysis"),
        ({"route": route(80, 20)}, "route is back"),
        ({"traffic": {"h2": Traffic(60, 0, 0), "h3": Traffic(1, 0, 0)}}, "v2 answers every request"),
        ({"application": {}}, "holds"),
        ({"rollout": {"status": {"phase": "Progressing", "stableRS": "h2"}}}, "aborted"),
    ],
)
def test_a_bad_version_is_not_back_while_anything_is_missing(changes, part):
    assert any(part in name for name in unmet(bad_checks(aborted(**changes), BAD, GOOD, COMMIT)))


def test_the_timeline_has_one_entry_for_each_change():
    history = History()
    for seconds, seen in enumerate((sight(), sight(), sight(route=route(80, 20)))):
        history.add(seen, float(seconds))
    assert [entry["asked"] for entry in history.timeline] == [0, 20]
    assert history.timeline[0]["measured"] == {"v2": 1.0}


def test_steps_before_the_index_are_done():
    picture = aborted()
    picture.rollout["status"]["currentStepIndex"] = 1
    assert [(row.text, row.state) for row in step_rows(picture)] == [
        ("setWeight 20", "done"),
        ("pause 4s", "now"),
        ("setWeight 50", "next"),
    ]


def test_versions_show_what_was_asked_beside_what_was_measured():
    picture = aborted(
        route=route(80, 20), traffic={"h2": Traffic(45.0, 0.0, 0.02), "h3": Traffic(15.0, 0.3, 0.6)}
    )
    rows = version_rows(picture)
    assert [(r.version, r.role, r.asked, r.share, r.errors) for r in rows] == [
        ("v3", "canary", 20, 0.25, 0.3),
        ("v2", "stable", 80, 0.75, 0.0),
    ]


def test_a_version_without_pods_and_traffic_is_not_shown():
    assert [row.version for row in version_rows(sight())] == ["v2"]


def test_measurements_stand_beside_their_condition():
    (row,) = metric_rows(aborted())
    assert (row.values, row.condition, row.counts) == (["0.72"], "result[0] >= 0.95", "3 failed")


@pytest.mark.parametrize(
    ("measurement", "text"),
    [
        ({"value": "[0.987654]"}, "0.9877"),
        ({"value": "3"}, "3"),
        ({"phase": "Error", "message": "no such host"}, "no such host"),
    ],
)
def test_a_value_is_shown_short(measurement, text):
    assert value_text(measurement) == text


def shown(*frames: Frame) -> list[str]:
    written: list[str] = []
    lines = Lines(written.append)
    for one in frames:
        lines.show(one)
    return written


def test_plain_lines_say_each_thing_once():
    picture = aborted()
    first = shown(frame(picture, seconds=1.0, chapter="c", commit=COMMIT))
    twice = shown(*(frame(picture, seconds=s, chapter="c", commit=COMMIT) for s in (1.0, 1.25)))
    assert first == twice
    assert any("0.72 must meet result[0] >= 0.95" in line for line in first)


def test_the_picture_shows_a_frame_as_svg():
    svg = svg_of(frame(aborted(), seconds=1.0, chapter="v3 is committed", commit=COMMIT), [], [])
    assert svg.startswith("<svg")
    assert all(text in svg for text in ("v3", "success-rate", "0.72"))


def test_traffic_is_measured_from_the_pods_own_counters():
    store = SampleStore()
    for pod_hash, per_second, code in (("h1", 30, "200"), ("h1", 10, "500"), ("h2", 40, "200")):
        labels = {"__name__": "http_requests_total", "code": code, "rollouts_pod_template_hash": pod_hash}
        for second in range(5):
            store.append(make_labels(labels), second * 1000, 100.0 + second * per_second)
    traffic = measure(store, 4000)
    assert {h: (round(t.rate, 6), round(t.errors, 6)) for h, t in traffic.items()} == {
        "h1": (40.0, 0.25),
        "h2": (40.0, 0.0),
    }


def test_the_run_succeeds_only_when_every_outcome_was_met():
    good = Outcome(chapter="c", version="v", commit=COMMIT, seconds=1.0, checks=(Check("x", True, ""),))
    bad = Outcome(chapter="c", version="v", commit=COMMIT, seconds=1.0, checks=(Check("x", False, ""),))
    assert DemoResult(outcomes=(good,), seconds=1.0).succeeded
    assert not DemoResult(outcomes=(good, bad), seconds=1.0).succeeded
    assert not DemoResult(outcomes=(), seconds=1.0).succeeded
    assert not DemoResult(outcomes=(good,), seconds=1.0, problem="the controller ended").succeeded
