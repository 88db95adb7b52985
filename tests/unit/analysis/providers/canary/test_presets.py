"""Counters of meshes and gateways: what is asked, and which version and pod a series belongs to."""

from dataclasses import dataclass
from typing import Any

import pytest

from analysis.counts.arms import Arm, Pod, Versions
from analysis.counts.presets import PRESETS
from analysis.counts.vectors import LabelSet, Vectors
from analysis.providers.canary.config import NAME, CanaryConfig, read_config
from analysis.providers.errors import ConfigurationError
from analysis.spec.guidance import of_run
from analysis.spec.objects import Metric
from tests.unit.analysis.providers.canary.fleet import CANARY, STABLE, START, FakeBackend, play, pods, spec_of

SERVICES = {"stable": "shop-stable-80@kubernetes", "canary": "shop-canary-80@kubernetes"}


def config(**fields: Any) -> CanaryConfig:
    written = {"stable": STABLE, "canary": CANARY, **fields}
    return read_config(Metric.model_validate({"name": "m", "provider": {"plugin": {NAME: written}}}))


def preset(name: str, **fields: Any) -> CanaryConfig:
    services = {"services": SERVICES} if PRESETS[name].service_label else {}
    return config(preset=name, **{**services, **fields})


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_asks_for_both_versions_in_every_query(name: str) -> None:
    for written in (preset(name), preset(name, latency={})):
        (query,) = written.queries()
        assert query.count(written.versions.selector()) == 1
        assert "{{" not in query


def test_a_mesh_counts_in_the_pod_that_serves() -> None:
    written = preset("istio")
    assert written.queries() == (
        f'istio_requests_total{{reporter="destination",pod=~".+-({CANARY}|{STABLE})-[a-z0-9]+"}}',
    )
    assert written.errors is not None
    assert written.errors.bad_labels == {"response_code": "5.."}
    assert written.versions.pod_of((("pod", f"web-{CANARY}-x1"),)) == Pod(Arm.CANARY, "x1")


def test_a_gateway_counts_per_service_in_its_own_pods() -> None:
    written = preset("nginx", services={"stable": "shop-stable", "canary": "shop-canary"})
    assert written.queries() == ('nginx_ingress_controller_requests{service=~"shop-canary|shop-stable"}',)
    series = (("controller_pod", "ingress-1"), ("service", "shop-canary"), ("status", "500"))
    assert written.versions.pod_of(series) == Pod(Arm.CANARY, "ingress-1")
    assert written.versions.pod_of((("controller_pod", "ingress-1"), ("service", "shop"))) is None


def test_what_the_template_says_goes_over_the_preset() -> None:
    written = preset(
        "traefik",
        podLabel="instance",
        services={**SERVICES, "label": "exported_service"},
        errors={"badLabels": {"code": "5..|429"}},
    )
    assert written.versions.hash_label == "exported_service"
    assert (written.pod_label, written.errors and written.errors.bad_labels) == (
        "instance",
        {"code": "5..|429"},
    )
    assert preset("linkerd", errors={"bad": "failures{{{selector}}}"}).queries()[1].startswith("failures{pod")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"preset": "mesh"}, r"preset 'mesh' is not known; known are envoy-gateway, istio"),
        ({"preset": "traefik"}, r"counts per Service: say what its label service calls both versions"),
        ({"preset": "nginx", "services": {"stable": "a", "canary": "a"}}, "nothing to compare"),
        ({"preset": "nginx", "services": {"stable": "a", "canary": 'b"}'}}, "not a service's name"),
    ],
)
def test_what_a_preset_lacks_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        config(**fields)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("hits_total", "hits_total{S}"),
        ('hits_total{job="a"}', 'hits_total{job="a",S}'),
        ('hits_total{job="a{b}",}', 'hits_total{job="a{b}",S}'),
        ("hits_total{}", "hits_total{S}"),
        ('hits_total{{{selector}},job="a"}', 'hits_total{S,job="a"}'),
        ("sum by (pod) (hits_total)", "sum by (pod) (hits_total)"),
    ],
)
def test_a_plain_counter_gets_the_matcher_by_itself(written: str, asked: str) -> None:
    versions = Versions("aaa", "bbb", hash_label="hash")
    assert versions.put_into(written) == asked.replace("S", versions.selector())


@dataclass
class Gateway(FakeBackend):
    """Counts what the pods serve, per Service, in two pods of its own."""

    async def read(self, config: CanaryConfig, boundaries: Any) -> tuple[Vectors, ...]:
        (vectors,) = await super().read(config, boundaries)
        return (Vectors(vectors.boundaries, tuple(self._seen(vector) for vector in vectors.vectors)),)

    def _seen(self, vector: Any) -> dict[LabelSet, float]:
        seen: dict[LabelSet, float] = {}
        for labels, value in vector.items():
            code, name = dict(labels)["code"], dict(labels)["pod"]
            service = SERVICES["canary" if f"-{CANARY}-" in name else "stable"]
            for proxy, share in (("traefik-a", value // 2), ("traefik-b", value - value // 2)):
                key = (("code", code), ("pod", proxy), ("service", service))
                seen[key] = seen.get(key, 0.0) + share
        return seen


def test_a_bad_version_fails_behind_a_gateway_and_no_pod_of_it_is_replaced() -> None:
    fleet = [*pods(STABLE, 20, bad=lambda _: 0.002), *pods(CANARY, 2, born=START, bad=lambda _: 0.05)]
    written = {"stable": STABLE, "canary": CANARY, "address": "http://prometheus", "duration": "10m"}
    spec = spec_of({**written, "preset": "traefik", "services": SERVICES})
    assert play(Gateway(fleet), spec).status.phase == "Failed"
    watched: list[tuple[str, ...]] = []

    def each(status: Any, _: float) -> Any:
        watched.append(of_run(status.manifest()).replace)
        return status

    play(Gateway(fleet), spec, each=each)
    assert set(watched) == {()}
