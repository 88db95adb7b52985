"""Every router on the real API server: each write passes the published schemas, and a whole canary runs.

The API server refuses unknown fields here, and prunes what a definition does not know; the controller is a
process of its own under the shipped roles.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import yaml

from rollouts.kube.objects import Manifest
from rollouts.traffic.registry import routers_for
from rollouts.traffic.router import Edit, HeaderMatch, HeaderRoute, Need, TrafficIntent
from tests.cluster.conftest import World
from tests.cluster.control_plane import RealCluster
from tests.cluster.crds import gateway_crds
from tests.cluster.deliveries import APP
from tests.cluster.install import SYSTEM_NAMESPACE
from tests.cluster.rest import RestError
from tests.cluster.router_crds import install_definitions, istio_definitions, own_definitions
from tests.cluster.router_samples import CANARY, SAMPLES, STABLE, Sample, Stored
from tests.cluster.samples import pod_template, rollout, service
from tests.lanes.registry import REPOSITORY

HEADER = HeaderRoute(name="to-canary", matches=(HeaderMatch(header="x-canary", exact="yes"),))
SECONDS = 120.0
OWN_OBJECT = ("nginx", "smi", "ambassador")
"""Routers that write an object of their own beside the user's."""
HEADER_STEP = {
    "setHeaderRoute": {
        "name": "to-canary",
        "match": [{"headerName": "x-canary", "headerValue": {"exact": "yes"}}],
    }
}


def definitions() -> tuple[Any, ...]:
    """Return what the clusters of these tests serve beyond the usual."""
    istio, folder = istio_definitions(), gateway_crds("experimental")
    assert istio is not None, "the CRDs of Istio are not there; `make lanes` fetches them"
    assert folder is not None, "the CRDs of the Gateway API are not there; `make lanes` fetches them"
    files = [path for path in folder.glob("*.yaml") if path.stem.endswith(("_tcproutes", "_tlsroutes"))]
    assert len(files) == 2, f"{folder} has other files than expected"
    streams = (yaml.load(path.read_text(), Loader=yaml.CSafeLoader) for path in files)
    return (*own_definitions(), *istio, *streams)


@pytest.fixture(scope="module")
def routed_cluster(cluster: RealCluster) -> RealCluster:
    """Return the run's cluster with the definitions of every router."""
    install_definitions(cluster, definitions())
    return cluster


class Objects:
    """The objects of one sample on a cluster, read and written as a controller does, but strictly."""

    def __init__(self, cluster: RealCluster, namespace: str, sample: Sample) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._sample = sample

    def create(self) -> None:
        """Write what the user wrote."""
        for obj in self._sample.objects:
            collection = self._path(self._sample.collections[obj["kind"]])
            self._cluster.admin.apply(f"{collection}/{obj['metadata']['name']}", obj)

    def stored(self) -> Stored:
        """Return the stored objects by kind and name."""
        return {(obj["kind"], obj["metadata"]["name"]): obj for obj in self.all()}

    def all(self) -> tuple[Manifest, ...]:
        """Return the stored objects."""
        found: list[Manifest] = []
        for kind, collection in self._sample.collections.items():
            listing = self._cluster.admin.get(self._path(collection))
            found += [
                {"apiVersion": listing["apiVersion"], "kind": kind, **item} for item in listing["items"]
            ]
        return tuple(found)

    def needed(self, needs: tuple[Need, ...]) -> tuple[Manifest, ...]:
        """Return those that the router asks for."""
        wanted = {(need.kind, need.name) for need in needs}
        return tuple(
            obj for (kind, name), obj in self.stored().items() if {(kind, name), (kind, "")} & wanted
        )

    def write(self, edit: Edit) -> None:
        """Carry an edit out; a field that the server does not know makes it fail."""
        group, served, plural = self._sample.collections[edit.kind].split("/")
        version = edit.version or served
        path, body = self._path(f"{edit.group}/{version}/{plural}"), edit.body
        if not edit.version:
            body = {**body, "apiVersion": f"{group}/{version}"}
        name = "" if edit.verb == "create" else f"/{edit.name}"
        if edit.verb == "delete":
            self._cluster.admin.request("DELETE", path + name)
            return
        method = {"create": "POST", "replace": "PUT"}[edit.verb]
        self._cluster.admin.request(method, f"{path}{name}?fieldValidation=Strict", body)

    def _path(self, collection: str) -> str:
        group, version, plural = collection.split("/")
        return f"/apis/{group}/{version}/namespaces/{self._namespace}/{plural}"


def intents(sample: Sample, namespace: str) -> list[TrafficIntent]:
    """Return one update: weights, a header route, all traffic, promotion, another one aborted."""
    base = TrafficIntent(
        rollout=APP,
        namespace=namespace,
        stable_service=STABLE,
        canary_service=CANARY,
        stable_hash="abc",
        canary_hash="def",
        canary_weight=0,
        managed_routes=("to-canary",) if sample.headers else (),
    )
    at20 = replace(base, canary_weight=20)
    header = (replace(at20, header_routes=(HEADER,)),) if sample.headers else ()
    return [base, at20, *header, replace(base, canary_weight=100), base, at20, *header, base]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_api_server_takes_every_write_and_keeps_it_as_it_was_planned(
    routed_cluster: RealCluster, namespace: str, name: str
) -> None:
    sample = SAMPLES[name]
    objects = Objects(routed_cluster, namespace, sample)
    objects.create()
    ((router, config),) = routers_for(sample.routing)
    for intent in intents(sample, namespace):
        needs = router.needs(config, intent)
        for edit in router.plan(config, objects.needed(needs), intent):
            objects.write(edit)
        assert router.plan(config, objects.needed(needs), intent) == ()
        weight = intent.canary_weight or 0
        assert set(sample.weights(objects.stored())) == {(100 - weight, weight)}
        assert bool(sample.managed(objects.stored())) == bool(intent.header_routes)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in OWN_OBJECT])
def test_a_write_on_an_object_that_somebody_else_changed_meanwhile_is_refused(
    routed_cluster: RealCluster, namespace: str, name: str
) -> None:
    sample = SAMPLES[name]
    objects = Objects(routed_cluster, namespace, sample)
    objects.create()
    ((router, config),) = routers_for(sample.routing)
    intent = intents(sample, namespace)[1]
    edits = router.plan(config, objects.needed(router.needs(config, intent)), intent)
    edit = edits[-1]
    routed_cluster.kubectl(
        "label", "-n", namespace, f"{edit.kind}.{edit.version}.{edit.group}", edit.name, "touched=yes"
    )
    with pytest.raises(RestError) as refused:
        objects.write(edit)
    assert refused.value.status == 409


# -- a whole canary -----------------------------------------------------------------------------------------


def steps(sample: Sample) -> list[dict[str, Any]]:
    header = [HEADER_STEP] if sample.headers else []
    return [{"setWeight": 20}, *header, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def strategy(sample: Sample) -> dict[str, Any]:
    routing = dict(sample.routing)
    if sample.headers:
        routing["managedRoutes"] = [{"name": "to-canary"}]
    services = {"stableService": STABLE, "canaryService": CANARY}
    return {"canary": {**services, "trafficRouting": routing, "steps": steps(sample)}}


@pytest.fixture(scope="module")
def routed_world(world: World) -> World:
    """Return a world with the definitions and the shipped roles of every router."""
    install_definitions(world.machinery.cluster, definitions())
    for rights in shipped_router_roles(world.machinery.cluster):
        world.machinery.cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(rights))
    return world


def shipped_router_roles(cluster: RealCluster) -> list[Manifest]:
    """Return the roles that the routers' components ship, bound to the installed service account."""
    found = []
    for file in sorted((REPOSITORY / "manifests" / "components" / "routers").glob("*/rbac.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            for subject in document.get("subjects") or ():
                subject["namespace"] = SYSTEM_NAMESPACE
            found.append(document)
    return found


class Canary:
    """One Rollout ``shop`` in a namespace of its own; written without kubectl, which would cost the most."""

    def __init__(self, cluster: RealCluster, sample: Sample) -> None:
        self._admin = cluster.admin
        self._sample = sample
        self._namespace = cluster.new_namespace("routed")
        self._path = f"/apis/argoproj.io/v1alpha1/namespaces/{self._namespace}/rollouts/{APP}"
        self.objects = Objects(cluster, self._namespace, sample)

    def create(self) -> None:
        """Create everything at v1."""
        self.objects.create()
        for name in (STABLE, CANARY):
            path = f"/api/v1/namespaces/{self._namespace}/services/{name}"
            self._admin.apply(path, service(name, APP))
        self.update("v1")

    def update(self, version: str) -> None:
        """Bring a version in."""
        self._admin.apply(self._path, rollout(APP, strategy(self._sample), pod_template(APP, version)))

    def patch_status(self, status: Manifest) -> None:
        """Patch the status as the kubectl plugin does."""
        self._admin.merge(f"{self._path}/status", {"status": status})

    def patch(self, body: Manifest) -> None:
        """Change the Rollout."""
        self._admin.merge(self._path, body)

    def destination_rule(self) -> str:
        """Return the DestinationRule as text, without the record of who wrote what."""
        (found,) = (obj for (kind, _), obj in self.objects.stored().items() if kind == "DestinationRule")
        return json.dumps({**found, "metadata": {**found["metadata"], "managedFields": None}})

    def event_reasons(self) -> set[str]:
        """Return what people were told of the Rollout."""
        listing = self._admin.get(f"/api/v1/namespaces/{self._namespace}/events")
        return {event["reason"] for event in listing["items"] if event["involvedObject"]["kind"] == "Rollout"}

    def wait_for_phase(self, phase: str) -> None:
        """Wait until the present generation is in a phase."""

        def reached() -> bool:
            found = self._admin.get(self._path)
            status = found.get("status") or {}
            current = status.get("observedGeneration") == str(found["metadata"]["generation"])
            return bool(current and status.get("phase") == phase)

        self.wait_until(reached, f"phase {phase}")

    def wait_for_weight(self, canary: int, *, managed: bool = False) -> None:
        """Wait until every place has this weight, and managed routes are there or not."""
        sample = self._sample

        def reached() -> bool:
            stored = self.objects.stored()
            right = set(sample.weights(stored)) == {(100 - canary, canary)}
            return right and bool(sample.managed(stored)) == (managed and sample.headers)

        self.wait_until(reached, f"weight {canary}")

    def wait_until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + SECONDS
        while not reached():
            status = self._admin.get(self._path).get("status")
            assert time.monotonic() < deadline, f"no {what}; {status}; {self.objects.stored()}"
            time.sleep(0.2)


def run_canary(cluster: RealCluster, sample: Sample) -> None:
    """Step, abort, step again and promote, and look at the stored objects all the way."""
    canary = Canary(cluster, sample)
    canary.create()
    canary.wait_for_phase("Healthy")

    canary.update("v2")
    canary.wait_for_weight(20, managed=True)
    canary.wait_for_phase("Paused")
    canary.patch_status({"abort": True})
    canary.wait_for_weight(0)
    canary.wait_for_phase("Degraded")

    canary.update("v3")
    canary.wait_for_phase("Paused")
    canary.wait_for_weight(20, managed=True)
    canary.patch_status({"pauseConditions": None})
    canary.wait_for_weight(60, managed=True)
    canary.patch_status({"promoteFull": True})
    canary.wait_for_phase("Healthy")
    canary.wait_for_weight(0)


@pytest.mark.parametrize("world", ["our-crds"], indirect=True, scope="session")
def test_a_destination_rule_is_given_back_when_its_rollout_names_it_no_more(routed_world: World) -> None:
    cluster = routed_world.machinery.cluster
    canary = Canary(cluster, SAMPLES["istio-subsets"])
    canary.create()
    canary.wait_for_phase("Healthy")
    marks = ("rollouts-pod-template-hash", "managed-by-rollouts")
    canary.wait_until(lambda: all(mark in canary.destination_rule() for mark in marks), "marks")
    canary.wait_until(lambda: "UpdatedDestinationRule" in canary.event_reasons(), "an event")
    canary.patch({"spec": {"strategy": {"canary": {"trafficRouting": None}}}})
    canary.wait_until(
        lambda: not any(mark in canary.destination_rule() for mark in marks), "a given back rule"
    )


@pytest.fixture(scope="module")
def canaries(routed_world: World) -> Mapping[str, Future[None]]:
    """Return the canaries of all routers, running side by side: most of their time is waiting."""
    cluster = routed_world.machinery.cluster
    start = cluster.audit.mark()
    with ThreadPoolExecutor(max_workers=len(SAMPLES)) as pool:
        running = {name: pool.submit(run_canary, cluster, sample) for name, sample in SAMPLES.items()}
    cluster.audit.assert_nothing_forbidden(routed_world.controller.user, since=start)
    return running


@pytest.mark.parametrize("world", ["our-crds"], indirect=True, scope="session")
@pytest.mark.parametrize("name", SAMPLES)
def test_a_canary_is_stepped_aborted_and_promoted(canaries: Mapping[str, Future[None]], name: str) -> None:
    assert canaries[name].exception() is None, canaries[name].exception()
