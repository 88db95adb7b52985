"""What people and other controllers do with a Rollout, each on the real API server, all at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cluster.contenders import Contender
from tests.cluster.control_plane import RealCluster
from tests.cluster.crds import OURS, PEERS
from tests.cluster.harness import apply
from tests.cluster.moving import APPS, ARGO, CORE, Place
from tests.cluster.processes import wait_until
from tests.cluster.rest import RestError
from tests.cluster.samples import Object, deployment, pod_template, rollout

APP = "shop"
STEPS = [{"setWeight": 50}, {"pause": {}}]
PLUGIN = """
from rollouts.controllers.rollout.step_plugins import StepResult

class Gate:
    async def run(self, rollout, config, state):
        asked = (state or {}).get("asked", 0) + 1
        phase = "Successful" if asked >= config["asks"] else "Running"
        return StepResult(phase=phase, state={"asked": asked}, message=f"asked {asked} times")

    async def terminate(self, rollout, config, state):
        return StepResult(phase="Successful")

    abort = terminate
"""


def canary(steps: list[Object] = STEPS, **spec: object) -> Object:
    found = rollout(APP, {"canary": {"steps": steps}}, pod_template(APP, "v1"))
    return {**found, "spec": {**found["spec"], **spec}}


def begin(place: Place, body: Object) -> None:
    apply(place.cluster, place.name, [body])
    place.wait("v1 Healthy", phase="Healthy")


def command(place: Place, *words: str) -> None:
    """Run our command line, as a person would."""
    argv = [sys.executable, "-m", "rollouts", *words, "-n", place.name]
    environment = os.environ | {"KUBECONFIG": str(place.cluster.kubeconfig())}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def revisions(place: Place) -> dict[str, str]:
    return {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["metadata"]["annotations"][
            "rollout.argoproj.io/revision"
        ]
        for rs in place.list(APPS, "replicasets")
    }


def image_promote_undo(place: Place) -> None:
    begin(place, canary())
    command(place, "set", "image", APP, "app=app:v2")
    place.wait("the pause", phase="Paused", currentStepIndex=1)
    command(place, "promote", APP)
    place.wait("v2 Healthy", phase="Healthy")
    command(place, "undo", APP)
    place.wait("the pause of v1", phase="Paused")
    assert revisions(place) == {"app:v1": "3", "app:v2": "2"}


def promote_full(place: Place) -> None:
    begin(place, canary([*STEPS, {"setWeight": 60}, {"pause": {}}]))
    place.deploy("v2")
    place.wait("the pause", phase="Paused")
    command(place, "promote", APP, "--full")
    place.wait("v2 Healthy", phase="Healthy")
    assert place.sizes() == {"v1": 0, "v2": 2}


def restart_within_a_budget(place: Place) -> None:
    begin(place, canary())
    path = place.path("apis/policy/v1", "poddisruptionbudgets")
    budget = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": APP}}}
    place.cluster.admin.create(path, {"metadata": {"name": APP}, "spec": budget})
    wait_until(
        lambda: (place.list("apis/policy/v1", "poddisruptionbudgets")[0].get("status") or {}).get(
            "expectedPods"
        ) == 2,
        seconds=20, what="a budget that counts the pods by the scale of the Rollout",
    )  # fmt: skip
    before = place.pods()
    command(place, "restart", APP)
    wait_until(lambda: place.status.get("message") == "rollout is restarting", seconds=20, what="the restart")
    assert place.pods() == before
    place.cluster.admin.merge(f"{path}/{APP}", {"spec": {"maxUnavailable": 1}})
    wait_until(lambda: place.status.get("restartedAt"), seconds=90, what="the end of the restart")
    assert not place.pods() & before


def deadline_aborts(place: Place) -> None:
    begin(place, canary(progressDeadlineSeconds=4, progressDeadlineAbort=True))
    template = pod_template(APP, "v2")
    template["metadata"]["annotations"] = {"simulator.rollouts.dev/pull": "fail"}
    place.spec(template=template)
    status = place.wait("the abort", phase="Degraded", abort=True)
    assert sorted(c["type"] for c in status["conditions"]) == [
        "Available", "Completed", "Healthy", "Progressing",
    ]  # fmt: skip


def step_plugin(place: Place) -> None:
    step = {"plugin": {"name": "acme/gate", "config": {"asks": 2}}}
    begin(place, canary([{"setWeight": 50}, step, {"pause": {}}]))
    place.deploy("v2")
    (status,) = place.wait("the pause", phase="Paused")["canary"]["stepPluginStatuses"]
    assert (status["name"], status["phase"], status["status"]) == ("acme/gate", "Successful", {"asked": 2})
    assert status["message"] == "asked 2 times"


def odd_template(place: Place) -> None:
    body = canary()
    pod = body["spec"]["template"]["spec"]
    pod["containers"][0]["resources"] = {
        "limits": {"cpu": 0.5, "memory": "0.5Gi"},
        "requests": {"cpu": "1e-1", "memory": "invalid"},
    }
    pod["ephemeralContainers"] = [{"name": "debug", "image": "debug:v1"}]
    begin(place, body)
    assert len(place.versions()) == 1


def written_back_by_a_typed_client(place: Place) -> None:
    """Such a client sends the whole object, with what its types add."""
    metadata = {"canaryMetadata": {"labels": {"role": "canary"}}}
    body = rollout(APP, {"canary": {"steps": STEPS, **metadata}}, pod_template(APP, "v1"))
    begin(place, body)
    place.deploy("v2")
    place.wait("the pause", phase="Paused")
    before = place.versions()
    live = place.rollout
    live["spec"]["template"]["metadata"]["creationTimestamp"] = None
    live["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    live["spec"]["strategy"]["canary"]["canaryMetadata"] = {"labels": {"part": "canary"}}
    live["status"]["phase"] = "Healthy"
    place.cluster.admin.request("PUT", place.path(ARGO, "rollouts", APP), live)

    def roles() -> list[tuple[str, str]]:
        metas = [pod["metadata"]["labels"] for pod in place.list(CORE, "pods")]
        return sorted((meta.get("role", ""), meta.get("part", "")) for meta in metas)

    wait_until(lambda: roles() == [("", ""), ("", "canary")], seconds=20, what="the other label")
    assert place.wait("the pause", phase="Paused")["currentStepIndex"] == 1
    assert place.versions() == before


def scaled_by_an_autoscaler(place: Place) -> None:
    begin(place, canary())
    place.deploy("v2")
    place.wait("the pause", phase="Paused")
    scale = place.path(ARGO, "rollouts", APP) + "/scale"
    before = place.cluster.admin.get(scale)
    assert before["status"] == {"replicas": place.status["HPAReplicas"], "selector": f"app={APP}"}
    place.cluster.admin.merge(scale, {"spec": {"replicas": 4}})
    place.wait("four pods", phase="Paused", HPAReplicas=4, availableReplicas=4)
    assert place.sizes() == {"v1": 2, "v2": 2}


def workload(mode: str) -> Callable[[Place], None]:
    def story(place: Place) -> None:
        apply(place.cluster, place.name, [deployment(APP, "v1", replicas=2)])
        body = canary()
        del body["spec"]["template"], body["spec"]["selector"]
        ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{APP}-v1", "scaleDown": mode}
        begin(place, {**body, "spec": {**body["spec"], "workloadRef": ref}})
        path = place.path(APPS, "deployments", f"{APP}-v1")
        left = 2 if mode == "never" else 0
        wait_until(
            lambda: place.cluster.admin.get(path)["spec"]["replicas"] == left, seconds=20, what=f"{left} pods"
        )
        live = place.cluster.admin.get(path)
        container = live["spec"]["template"]["spec"]["containers"][0]
        changed = {"spec": {"containers": [{**container, "image": "app:v2"}]}}
        place.cluster.admin.merge(path, {"spec": {"template": changed}})
        wait_until(lambda: place.status.get("phase") == "Paused", seconds=30, what="the update")
        assert place.cluster.admin.get(path)["spec"]["replicas"] == left

    return story


def events_in_order(place: Place) -> None:
    begin(place, canary(replicas=1))
    place.deploy("v2")
    place.wait("the pause", phase="Paused")
    place.user(abort=True)
    place.wait("the abort", phase="Degraded")
    place.user(abort=False)
    place.wait("the second try", phase="Paused")
    place.user(pauseConditions=None)
    place.wait("v2 Healthy", phase="Healthy")
    told = wait_until(lambda: told_to_the_end(place), seconds=10, what="the last event")
    order = [
        next(i for i, event in enumerate(told) if event["reason"] == reason and words in event["message"])
        for reason, words in (
            ("RolloutAddedToInformer", ""), ("RolloutUpdated", "revision 1"),
            ("RolloutCompleted", "revision 1"), ("RolloutUpdated", "revision 2"),
            ("NewReplicaSetCreated", "revision 2"), ("RolloutAborted", ""),
            ("RolloutResumed", ""), ("RolloutCompleted", "revision 2"),
        )
    ]  # fmt: skip
    assert order == sorted(order), [(event["reason"], event["message"]) for event in told]


def told_to_the_end(place: Place) -> list[Object] | None:
    """Return the Rollout's events in their order once the last one is there."""
    mine = (event for event in place.list(CORE, "events") if event["involvedObject"]["kind"] == "Rollout")
    told = sorted(mine, key=lambda event: int(event["metadata"]["resourceVersion"]))
    ended = (e["reason"] == "RolloutCompleted" and "revision 2" in e["message"] for e in told)
    return told if any(ended) else None


def owner_taken_away(place: Place) -> None:
    begin(place, canary())
    place.deploy("v2")
    place.wait("the pause", phase="Paused")
    before = place.pods()
    sets = place.list(APPS, "replicasets")
    for rs in sets:
        path = place.path(APPS, "replicasets", rs["metadata"]["name"])
        place.cluster.admin.merge(path, {"metadata": {"ownerReferences": None}})
    wait_until(
        lambda: all(rs["metadata"].get("ownerReferences") for rs in place.list(APPS, "replicasets")),
        seconds=20, what="both ReplicaSets owned again",
    )  # fmt: skip
    assert place.wait("the pause", phase="Paused")["currentStepIndex"] == 1
    assert place.pods() == before
    assert len(place.list(APPS, "replicasets")) == len(sets)


def tracked_config(place: Place) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"level": "info"}}
    body = canary()
    body["metadata"]["annotations"] = {"rollouts.dev/track-config": "true"}
    pod = body["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "config", "configMap": {"name": "web"}}]
    apply(place.cluster, place.name, [config])
    begin(place, body)
    place.cluster.admin.merge(place.path(CORE, "configmaps", "web"), {"data": {"level": "debug"}})
    place.wait("the pause", phase="Paused", currentStepIndex=1)
    command(place, "promote", APP)
    place.wait("the new config Healthy", phase="Healthy")
    assert mounted(place) == {"1": "info", "2": "debug"}
    command(place, "undo", APP)
    place.wait("the pause of the old config", phase="Paused")
    assert mounted(place) == {"2": "debug", "3": "info"}
    copies = place.path(CORE, "configmaps")
    newest = next(o for o in place.list(CORE, "configmaps") if o.get("immutable"))
    with pytest.raises(RestError, match=r"(?i)immutable|forbidden"):
        place.cluster.admin.merge(f"{copies}/{newest['metadata']['name']}", {"data": {"level": "error"}})
    place.cluster.kubectl("delete", "-n", place.name, "rollout", APP, "--wait=false")
    wait_until(
        lambda: not [o for o in place.list(CORE, "configmaps") if o.get("immutable")],
        seconds=30, what="the copies to go with their versions",
    )  # fmt: skip


def mounted(place: Place) -> dict[str, str]:
    """Return by revision what a ReplicaSet's pods find in their config."""
    found = {}
    for rs in place.list(APPS, "replicasets"):
        (volume,) = rs["spec"]["template"]["spec"]["volumes"]
        config = place.cluster.admin.get(place.path(CORE, "configmaps", volume["configMap"]["name"]))
        assert config["immutable"] is True
        found[rs["metadata"]["annotations"]["rollout.argoproj.io/revision"]] = config["data"]["level"]
    return found


STORIES: dict[str, Callable[[Place], None]] = {
    "set image, promote, undo": image_promote_undo,
    "promote --full": promote_full,
    "restart within a budget": restart_within_a_budget,
    "progressDeadlineAbort": deadline_aborts,
    "step plugin": step_plugin,
    "odd template": odd_template,
    "written back by a typed client": written_back_by_a_typed_client,
    "scaled by an autoscaler": scaled_by_an_autoscaler,
    "workloadRef never": workload("never"),
    "workloadRef onsuccess": workload("onsuccess"),
    "workloadRef progressively": workload("progressively"),
    "events in order": events_in_order,
    "owner taken away": owner_taken_away,
    "tracked config": tracked_config,
}


WITH_PEERS_CRDS = (
    "set image, promote, undo", "restart within a budget", "progressDeadlineAbort", "step plugin",
    "odd template", "written back by a typed client", "scaled by an autoscaler", "workloadRef onsuccess",
)  # fmt: skip
"""What the schema has a say in: subresources, free status, numbers that are spelled in many ways."""
CHOSEN = {OURS: tuple(STORIES), PEERS: WITH_PEERS_CRDS}


@pytest.fixture(scope="module")
def stories(
    leaderless_by_crds: Mapping[str, RealCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[tuple[str, str], Future[None]]]:
    """Play every story in a namespace and a thread of its own, under one controller for each CRDs."""
    folder = tmp_path_factory.mktemp("operations")
    register_plugin(folder / "site")
    with ThreadPoolExecutor(sum(map(len, CHOSEN.values()))) as pool, ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(folder / "site"))
            played = {
                (crds, name): future
                for crds, cluster in leaderless_by_crds.items()
                for name, future in stack.enter_context(playing(crds, cluster, folder, pool)).items()
            }
        yield played
        wait(played.values())


@contextmanager
def playing(
    crds: str, cluster: RealCluster, folder: Path, pool: ThreadPoolExecutor
) -> Iterator[dict[str, Future[None]]]:
    process = Contender(cluster, folder, f"operations-{crds}").start()
    mark = cluster.audit.mark()
    places = {name: Place(cluster, cluster.new_namespace("operation")) for name in CHOSEN[crds]}
    try:
        yield {name: pool.submit(STORIES[name], place) for name, place in places.items()}
        cluster.audit.assert_nothing_forbidden(process.user, since=mark)
    finally:
        code = process.stop()
        for place in places.values():
            cluster.delete_namespace(place.name)
    assert code == 0, process.process.tail()


def register_plugin(site: Path) -> None:
    """Install a step plugin as a package does: a module, and an entry point beside it."""
    info = site / "acme_gate-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_gate.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-gate\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rollouts.step_plugins]\nacme/gate = acme_gate:Gate\n")


@pytest.mark.parametrize("name", STORIES)
def test_it_works_on_a_real_api_server(stories: Mapping[tuple[str, str], Future[None]], name: str) -> None:
    stories[OURS, name].result(timeout=150)


@pytest.mark.lane("real-cluster", "upstream-data")
@pytest.mark.parametrize("name", WITH_PEERS_CRDS)
def test_it_works_with_the_peers_definitions(
    stories: Mapping[tuple[str, str], Future[None]], name: str
) -> None:
    stories[PEERS, name].result(timeout=150)
