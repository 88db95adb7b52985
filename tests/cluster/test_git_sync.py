"""Git sync end to end: a real repository, the git role a process of its own under its shipped account."""

import time
from collections.abc import Callable, Iterator

import pytest

from rollouts.controllers.application.status import HELD
from rollouts.embedded.gateway.load import shares
from tests.cluster.deliveries import canary_route
from tests.cluster.git_sync import SECONDS, GitSync, Synced
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object, canary, pod_template, rollout, service
from tests.gitops.server import PASSWORD

APP = "shop"
ROLLOUT = f"apis/argoproj.io/v1alpha1/rollouts/{APP}"
CONFIGMAP = "api/v1/configmaps/settings"
SETTLED_SECONDS = 1.5
"""Three polls of the repository: what was going to be done wrongly has been done by then."""

Make = Callable[..., Synced]


@pytest.fixture
def make(sync: GitSync) -> Iterator[Make]:
    """Make Applications that end with the test."""
    made: list[Synced] = []

    def begin(**options: bool) -> Synced:
        made.append(Synced(sync, **options))
        return made[-1]

    yield begin
    for one in made:
        one.end()


def settings(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def shop(version: str, steps: list[Object]) -> dict[str, Object | None]:
    return {"rollout": rollout(APP, canary(steps, name=APP), pod_template(APP, version))}


def delivered(app: Synced, steps: list[Object]) -> str:
    """Commit a canary at v1 with its Services and route; wait until it is applied and Healthy."""
    parts = {name: service(name, APP) for name in (f"{APP}-stable", f"{APP}-canary")}
    commit = app.commit("first", {**parts, "route": canary_route(app.host), **shop("v1", steps)})
    app.create()
    app.wait_synced(commit)
    app.history.wait(
        lambda state: ((state.get("status") or {}).get("health") or {}).get("status") == "Healthy",
        seconds=SECONDS,
        what="healthy application",
    )
    return commit


def data(app: Synced) -> Object | None:
    found = app.get(CONFIGMAP)
    return None if found is None else found.get("data")


def image(app: Synced) -> str:
    found = app.get(ROLLOUT)
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def canary_weight(route: Object) -> int:
    refs = route["spec"]["rules"][0]["backendRefs"]
    return next(int(ref["weight"]) for ref in refs if ref["name"] == f"{APP}-canary")


@pytest.mark.parametrize("over_http", [False, True], ids=["file", "http"])
def test_a_commit_is_applied_drift_is_healed_and_what_left_git_is_pruned(
    make: Make, sync: GitSync, over_http: bool
) -> None:
    app = make(over_http=over_http)
    first = app.commit("first", {"settings": settings(color="blue"), "extra": service("extra", "none")})
    app.create()
    app.wait_synced(first)
    assert data(app) == {"color": "blue"}

    app.merge(CONFIGMAP, {"data": {"color": "red"}})
    wait_until(lambda: data(app) == {"color": "blue"}, seconds=SECONDS, what="healed drift")

    second = app.commit("second", {"settings": settings(color="green"), "extra": None})
    state = app.wait_synced(second)
    assert data(app) == {"color": "green"}
    wait_until(lambda: app.get("api/v1/services/extra") is None, seconds=SECONDS, what="pruned Service")
    assert [entry["revision"] for entry in state["status"]["history"]][-2:] == [first, second]
    assert PASSWORD not in str(app.history.states) + sync.controller.process.log.read_text()


def test_a_commit_goes_to_all_traffic_by_steps(make: Make) -> None:
    app = make()
    steps: list[Object] = [{"setWeight": 40}, {"pause": {"duration": "1s"}}]
    delivered(app, steps)
    load = app.load()
    app.wait_synced(app.commit("second", shop("v2", steps)))
    wait_until(lambda: set(shares(load.recent())) == {"v2"}, seconds=SECONDS, what="all traffic on v2")
    assert {code for (_, code), number in load.totals.items() if number} == {200}


def test_commits_to_the_route_never_move_a_weight(make: Make) -> None:
    app = make()
    wanted = (25, 50, 75)
    steps: list[Object] = [part for weight in wanted for part in ({"setWeight": weight}, {"pause": {}})]
    delivered(app, steps)
    route = app.watch("apis/gateway.networking.k8s.io/v1", "httproutes", APP)
    app.commit("second", shop("v2", steps))
    for weight in wanted:
        paused_at(app, 2 * wanted.index(weight) + 1)
        app.wait_synced(unrelated_commit(app, f"a{weight}"))
        assert canary_weight(route.states[-1]) == weight
        # The next one comes together with the step's own change of the weight.
        commit = unrelated_commit(app, f"b{weight}")
        app.merge(f"{ROLLOUT}#status", {"status": {"pauseConditions": None}})
        app.wait_synced(commit)
    promoted(app)
    route.stop()
    weights = route.distinct(canary_weight)
    assert weights[:-1] in ([*wanted], [*wanted, 100], [0, *wanted], [0, *wanted, 100])
    assert weights[-1] == 0
    assert route.states[-1]["spec"]["hostnames"] == [app.host, f"b{wanted[-1]}.example"]


def unrelated_commit(app: Synced, host: str) -> str:
    changed = canary_route(app.host)
    changed["spec"]["hostnames"].append(f"{host}.example")
    return app.commit(f"host {host}", {"route": changed})


def paused_at(app: Synced, step: int) -> None:
    def reached() -> bool:
        status = (app.get(ROLLOUT) or {}).get("status") or {}
        return status.get("currentStepIndex") == step and bool(status.get("pauseConditions"))

    wait_until(reached, seconds=SECONDS, what=f"pause at step {step}")


def promoted(app: Synced) -> None:
    def done() -> bool:
        status = (app.get(ROLLOUT) or {}).get("status") or {}
        return status.get("phase") == "Healthy" and status.get("stableRS") == status.get("currentPodHash")

    wait_until(done, seconds=SECONDS, what="promotion of v2")


def test_the_commit_of_an_aborted_update_is_held_while_the_rest_is_synced(make: Make) -> None:
    app = make()
    steps: list[Object] = [{"setWeight": 50}, {"pause": {}}]
    delivered(app, steps)
    load = app.load()
    bad = app.commit("bad", shop("v2", steps))
    app.wait_synced(bad)
    wait_until(lambda: "v2" in shares(load.recent()), seconds=SECONDS, what="traffic on v2")

    app.merge(f"{ROLLOUT}#status", {"status": {"abort": True}})
    assert bad[:7] in app.wait_condition(HELD)
    wait_until(lambda: set(shares(load.recent())) == {"v1"}, seconds=SECONDS, what="all traffic on v1")

    fixed = pod_template(APP, "v1")["spec"]["containers"]
    app.merge(ROLLOUT, {"spec": {"template": {"spec": {"containers": fixed}}}})
    app.commit("unrelated", {"settings": settings(color="blue")})
    wait_until(lambda: data(app) == {"color": "blue"}, seconds=SECONDS, what="the unrelated object")
    wait_until_settled(app)
    assert image(app) == "app:v1"

    app.wait_synced(app.commit("better", shop("v3", steps)))
    assert image(app) == "app:v3"


def wait_until_settled(app: Synced) -> None:
    """Wait until the Application has said nothing new for a while."""
    count = -1
    while count != len(app.history.states):
        count = len(app.history.states)
        time.sleep(SETTLED_SECONDS)
