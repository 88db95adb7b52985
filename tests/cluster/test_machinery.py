"""Simulated kubelet, pods and gateway work on a real API server; a real Prometheus sees the pods."""

import pytest

from rollouts.embedded.gateway.load import shares
from tests.cluster.conftest import World
from tests.cluster.harness import apply
from tests.cluster.processes import wait_until
from tests.cluster.samples import deployment, route, service

pytestmark = pytest.mark.lane("real-cluster", "prometheus")


def versioned(name: str, version: str) -> dict[str, object]:
    wanted = service(f"{name}-{version}", name)
    wanted["spec"]["selector"] = {"app": name, "version": version}
    return wanted


@pytest.mark.parametrize("world", ["our-crds"], indirect=True)
def test_real_requests_are_split_by_weight_and_counted_by_prometheus(world: World) -> None:
    machinery, cluster = world.machinery, world.machinery.cluster
    namespace = cluster.new_namespace()
    parts = [deployment("web", version) for version in ("v1", "v2")]
    parts += [versioned("web", version) for version in ("v1", "v2")]
    host = f"web.{namespace}.test"
    apply(cluster, namespace, [*parts, route("web", host, {"web-v1": 75, "web-v2": 25})])
    load = machinery.load(host)

    def served() -> bool:
        answers = load.recent()
        split = shares(answers)
        return len(answers) > 100 and set(split) == {"v1", "v2"} and abs(split["v2"] - 0.25) < 0.02

    wait_until(served, seconds=60, what="a split of 75 to 25")
    query = f'sum by (rollouts_pod_template_hash, code) (http_requests_total{{namespace="{namespace}"}}) > 0'
    assert machinery.prometheus.wait_for_samples(query, seconds=20)
    load.stop()
    cluster.audit.assert_nothing_forbidden(cluster.username("simulator"))
    cluster.audit.assert_nothing_forbidden(cluster.username("gateway"))
    machinery.background.check()
