"""What is of one verifier alone: replicas and the egress guard, names of clusters, target health."""

from __future__ import annotations

import pytest

from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import BackendError, EgressRefused
from rollouts.verification.addresses import Replicas, addresses
from rollouts.verification.traefik import TraefikApi
from rollouts.verification.verifier import CannotTell
from rollouts.verification.wanted import wanted
from tests.unit.verification.planes import (
    INTENT,
    LOOPBACK,
    AlbPlane,
    EnvoyPlane,
    TraefikPlane,
    answering,
    closing,
    ingress,
    pods,
    route,
)

SPLIT = {"stable": 80, "canary": 20}
ISTIO, TRAEFIK = "istio.io/gateway-controller", "traefik.io/gateway-controller"


async def test_every_replica_must_have_the_weights() -> None:
    ahead, behind = TraefikPlane([SPLIT]), TraefikPlane([{"stable": 100, "canary": 0}])
    (want,) = wanted([ahead.live([SPLIT])], INTENT)
    async with (
        answering(ahead) as (_, first),
        answering(behind) as (_, second),
        closing(TraefikApi(Replicas((first.url, second.url), LOOPBACK))) as verifier,
    ):
        assert second.url in await verifier.differs(want, pods)
        behind.rules = [SPLIT]
        assert await verifier.differs(want, pods) == ""


async def test_a_name_is_every_address_behind_it_and_each_hears_the_name() -> None:
    plane = TraefikPlane([SPLIT])
    async with answering(plane) as (_, backend):
        port = backend.url.rpartition(":")[2]

        async def resolve(host: str, asked: int) -> list[str]:
            assert (host, str(asked)) == ("traefik.edge", port)
            return ["127.0.0.1", "127.0.0.1", "127.0.0.2"]

        replicas = Replicas(
            (f"http://traefik.edge:{port}",), EgressPolicy.allowing(["traefik.edge"]), resolve
        )
        with pytest.raises(BackendError, match=r"127\.0\.0\.2"):  # nobody listens on the second one
            await replicas.get("/api/http/services?search=shop")
        await replicas.close()
    assert [asked.headers["Host"] for asked in backend.asked] == [f"traefik.edge:{port}"]


@pytest.mark.parametrize(
    ("allowed", "address"),
    [("other.example", "10.0.0.1"), ("10.0.0.0/8", "192.0.2.1"), ("", "169.254.169.254")],
    ids=["name", "network", "metadata"],
)
async def test_the_egress_guard_holds_for_the_operators_addresses_too(allowed: str, address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return [address]

    replicas = Replicas(("http://traefik.edge",), EgressPolicy.allowing([allowed]), resolve)
    with pytest.raises(EgressRefused, match=r"traefik\.edge"):
        await replicas.get("/")


async def test_a_name_that_cannot_be_resolved_is_told() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    replicas = Replicas(("http://traefik.edge",), EgressPolicy(), resolve)
    with pytest.raises(BackendError, match=r"traefik\.edge cannot be resolved: Name or service not known"):
        await replicas.get("/")


async def test_a_name_without_addresses_proves_nothing() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return []

    (want,) = wanted([TraefikPlane().live([SPLIT])], INTENT)
    async with closing(TraefikApi(Replicas(("http://traefik.edge",), EgressPolicy(), resolve))) as verifier:
        with pytest.raises(BackendError, match="has no address"):
            await verifier.differs(want, pods)


@pytest.mark.parametrize("text", ["traefik:8080", "ftp://x", "http://", "http://user@x", "http://x/?a=b"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the http"):
        addresses(f"http://good:1, {text}")


@pytest.mark.parametrize(
    "cluster",
    [
        "outbound|80||{service}.{namespace}.svc.cluster.local",
        "{namespace}/{service}/80/da39a3ee5e",
        "kube_{namespace}_{service}_80",
        "edge/cilium-gateway-web/{namespace}:{service}:80",
    ],
    ids=["istio", "contour", "kgateway", "cilium"],
)
async def test_clusters_are_known_by_namespace_and_service(cluster: str) -> None:
    plane = EnvoyPlane([SPLIT], cluster=cluster)
    (want,) = wanted([plane.live([SPLIT])], INTENT)
    async with answering(plane) as (verifier, _):
        assert await verifier.differs(want, pods) == ""


async def test_clusters_named_after_rules_cannot_be_told_apart() -> None:
    plane = EnvoyPlane([SPLIT], cluster="httproute/{namespace}/web/rule/0")
    (want,) = wanted([plane.live([SPLIT])], INTENT)
    async with answering(plane) as (verifier, _):
        with pytest.raises(CannotTell, match="no route leads to shop/stable or shop/canary by its name"):
            await verifier.differs(want, pods)


def test_a_route_is_asked_of_the_data_planes_that_reported_on_it() -> None:
    traefik, envoy = (
        TraefikPlane().verifier("http://127.0.0.1:1"),
        EnvoyPlane().verifier("http://127.0.0.1:1"),
    )
    cases = {
        (): (set(), set()),
        (TRAEFIK,): ({TRAEFIK}, set()),
        (ISTIO,): (set(), {ISTIO}),
        (ISTIO, TRAEFIK): ({TRAEFIK}, {ISTIO}),
    }
    for controllers, expected in cases.items():
        (want,) = wanted([route([SPLIT], *controllers)], INTENT)
        assert (traefik.covers(want), envoy.covers(want)) == expected, controllers


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([("initial", "Elb.InitialHealthChecking"), ("healthy", "")], "not checked yet (Elb.Initial"),
        ([("unhealthy", "Target.Timeout")] * 3, "no healthy target (unhealthy Target.Timeout)"),
        ([], "no healthy target (none is registered)"),
        ([("unhealthy", "Target.Timeout"), ("draining", ""), ("healthy", "")], ""),
    ],
    ids=["initial", "unhealthy", "none", "one-healthy"],
)
async def test_a_group_with_a_weight_needs_healthy_targets(targets: list[tuple[str, str]], said: str) -> None:
    plane = AlbPlane([SPLIT], health={"canary": targets})
    (want,) = wanted([plane.live([SPLIT])], INTENT)
    async with answering(plane) as (verifier, _):
        text = await verifier.differs(want, pods)
    assert said in text
    assert bool(text) == bool(said)


async def test_a_group_without_a_weight_needs_none() -> None:
    none = {"stable": 100, "canary": 0}
    plane = AlbPlane([none], health={"canary": []})
    (want,) = wanted([plane.live([none])], INTENT)
    async with answering(plane) as (verifier, _):
        assert await verifier.differs(want, pods) == ""


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ((), "no load balancer in its status yet"),
        (("lb.example.com",), "lb.example.com is not the host name of an AWS load balancer"),
        (("internal-k8s-shop-web-0a1b2c3d4e-99.eu-central-1.elb.amazonaws.com",), "has this host name"),
    ],
    ids=["none", "foreign", "gone"],
)
async def test_a_load_balancer_that_cannot_be_found_is_told(hosts: tuple[str, ...], said: str) -> None:
    plane = AlbPlane([SPLIT])
    (want,) = wanted([ingress([SPLIT], *hosts)], INTENT)
    async with answering(plane) as (verifier, _):
        with pytest.raises(CannotTell, match=said):
            await verifier.differs(want, pods)
