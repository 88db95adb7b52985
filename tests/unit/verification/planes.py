"""Data planes that answer over real HTTP as Traefik, Envoy and AWS do, with weights as a test sets them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Protocol
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from aiohttp import web

from analysis.providers.aws import AwsCredentials
from analysis.providers.egress import EgressPolicy
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from rollouts.kube.objects import Manifest
from rollouts.traffic.router import TrafficIntent
from rollouts.verification.addresses import Replicas
from rollouts.verification.alb import AlbApi
from rollouts.verification.envoy import EnvoyAdmin
from rollouts.verification.traefik import TraefikApi
from rollouts.verification.verifier import Verifier
from tests.unit.analysis.providers.backend import NOW, Asked, Backend, serving

Rules = Sequence[Mapping[str, int]]
"""Weights by Service, for each rule."""

INTENT = TrafficIntent(
    rollout="web", namespace="shop",
    stable_service="stable", canary_service="canary", stable_hash="v1", canary_hash="v2",
)  # fmt: skip
SERVERS = {"stable": ("10.0.0.1", "10.0.0.2"), "canary": ("10.0.0.3",)}
PODS = {"10.0.0.1": "v1", "10.0.0.2": "v1", "10.0.0.3": "v2"}
LOOPBACK = EgressPolicy.allowing(["127.0.0.1"])
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG"}
DIGEST = "8e592e4fa19decde4023"


async def pods() -> Mapping[str, str]:
    return PODS


class Plane(Protocol):
    """One kind of data plane; ``servers`` are the addresses behind each Service."""

    rules: Rules
    servers: Mapping[str, Sequence[str]]
    fault: web.Response | None

    def answer(self, asked: Asked) -> web.Response: ...

    def verifier(self, url: str) -> Verifier: ...

    def live(self, rules: Rules) -> Manifest:
        """Return the object whose rules have these weights."""
        ...


def route(rules: Rules, *controllers: str) -> Manifest:
    """Return an HTTPRoute that these controllers have reported on."""
    made = [
        {"backendRefs": [{"name": name, "port": 80, "weight": weight} for name, weight in rule.items()]}
        for rule in rules
    ]
    parents = [{"controllerName": name} for name in controllers]
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": "web.route", "namespace": "shop"},
        "spec": {"rules": made},
        "status": {"parents": parents},
    }


@dataclass
class TraefikPlane:
    """Traefik's API, with the names that version 3.7.15 gives."""

    rules: Rules = ()
    fault: web.Response | None = None
    servers: Mapping[str, Sequence[str]] = field(default_factory=lambda: SERVERS)

    def answer(self, asked: Asked) -> web.Response:
        assert asked.path == "/api/http/services"
        found: list[Manifest] = [{"name": "api@internal", "status": "enabled"}]
        for number, rule in enumerate(self.rules):
            base = f"httproute-shop-web-route-gw-edge-gateway-ep-web-{number}-{DIGEST}"
            members = [
                {"name": f"{base}-svc-shop-{name}-{index}", "weight": weight}
                for index, (name, weight) in enumerate(rule.items())
            ]
            for index, name in enumerate(rule):
                servers = [{"url": f"http://{address}:8080"} for address in self.servers.get(name, ())]
                title = f"{base}-svc-shop-{name}-{index}@kubernetesgateway"
                found.append({"name": title, "loadBalancer": {"servers": servers}})
            found.append({"name": f"{base}-wrr@kubernetesgateway", "weighted": {"services": members}})
        searched = asked.query["search"]
        return web.json_response([entry for entry in found if searched in str(entry["name"])])

    def verifier(self, url: str) -> Verifier:
        return TraefikApi(Replicas((url,), LOOPBACK))

    def live(self, rules: Rules) -> Manifest:
        return route(rules, "traefik.io/gateway-controller")


@dataclass
class EnvoyPlane:
    """Envoy's admin endpoint; Istio names the clusters unless a test says otherwise."""

    rules: Rules = ()
    fault: web.Response | None = None
    cluster: str = "outbound|80||{service}.{namespace}.svc.cluster.local"
    servers: Mapping[str, Sequence[str]] = field(default_factory=lambda: SERVERS)

    def answer(self, asked: Asked) -> web.Response:
        if asked.path == "/clusters":
            assert asked.query == {"format": "json"}
            return web.json_response({"cluster_statuses": [self._cluster(name) for name in self.servers]})
        assert (asked.path, asked.query) == ("/config_dump", {"resource": "dynamic_route_configs"})
        routes = [{"match": {"prefix": "/"}, "route": self._action(rule)} for rule in self.rules]
        config = {"name": "80", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}
        return web.json_response({"configs": [{"version_info": "7", "route_config": config}]})

    def _cluster(self, service: str) -> Manifest:
        places = [{"socket_address": {"address": ip, "port_value": 8080}} for ip in self.servers[service]]
        name = self.cluster.format(service=service, namespace="shop")
        return {"name": name, "host_statuses": [{"address": place} for place in places]}

    def _action(self, rule: Mapping[str, int]) -> Manifest:
        clusters = [
            {"name": self.cluster.format(service=name, namespace="shop"), "weight": weight}
            for name, weight in rule.items()
            if weight > 0
        ]
        if len(clusters) == 1:
            return {"cluster": clusters[0]["name"]}
        return {"weighted_clusters": {"clusters": clusters}}

    def verifier(self, url: str) -> Verifier:
        return EnvoyAdmin(Replicas((url,), LOOPBACK))

    def live(self, rules: Rules) -> Manifest:
        return route(rules, "istio.io/gateway-controller")


@dataclass
class AlbPlane:
    """The Elastic Load Balancing API, two rules or targets to a page."""

    rules: Rules = ()
    fault: web.Response | None = None
    health: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """State and reason of each target, by Service; all are healthy unless told."""
    servers: Mapping[str, Sequence[str]] = field(default_factory=lambda: SERVERS)
    host: ClassVar[str] = "internal-k8s-shop-web-0a1b2c3d4e-1234567890.eu-central-1.elb.amazonaws.com"

    def answer(self, asked: Asked) -> web.Response:
        form = {key: values[0] for key, values in parse_qs(asked.body).items()}
        assert form["Version"] == "2015-12-01"
        scope = "Credential=AKIDEXAMPLE/20260101/eu-central-1/elasticloadbalancing/aws4_request"
        assert scope in asked.headers["Authorization"]
        action = form["Action"]
        name = {"DescribeTags": "TagDescriptions", "DescribeTargetHealth": "TargetHealthDescriptions"}
        result = name.get(action, action.removeprefix("Describe"))
        members = list(getattr(self, f"_{action}")(form))
        start = int(form.get("Marker", "0"))
        page = "".join(f"<member>{member}</member>" for member in members[start : start + 2])
        more = f"<NextMarker>{start + 2}</NextMarker>" if start + 2 < len(members) else ""
        text = (
            f'<{action}Response xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">'
            f"<{action}Result><{result}>{page}</{result}>{more}</{action}Result></{action}Response>"
        )
        return web.Response(text=text, content_type="text/xml")

    def _DescribeLoadBalancers(self, form: Mapping[str, str]) -> Sequence[str]:
        assert form["Names.member.1"] == "k8s-shop-web-0a1b2c3d4e"
        return [f"<LoadBalancerArn>arn:lb</LoadBalancerArn><DNSName>{self.host}</DNSName>"]

    def _DescribeListeners(self, form: Mapping[str, str]) -> Sequence[str]:
        assert form["LoadBalancerArn"] == "arn:lb"
        return ["<ListenerArn>arn:listener</ListenerArn>"]

    def _DescribeRules(self, form: Mapping[str, str]) -> Sequence[str]:
        assert form["ListenerArn"] == "arn:listener"
        answered = (
            "<IsDefault>true</IsDefault><Actions><member><Type>fixed-response</Type></member></Actions>"
        )
        return [answered, *(self._rule(rule) for rule in self.rules)]

    def _rule(self, rule: Mapping[str, int]) -> str:
        groups = "".join(
            f"<member><TargetGroupArn>arn:tg/{name}</TargetGroupArn><Weight>{weight}</Weight></member>"
            for name, weight in rule.items()
        )
        forward = f"<ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig>"
        return f"<Actions><member><Type>forward</Type>{forward}</member></Actions>"

    def _DescribeTags(self, form: Mapping[str, str]) -> Sequence[str]:
        arns = [value for key, value in form.items() if key.startswith("ResourceArns.member.")]
        return [
            f"<ResourceArn>{arn}</ResourceArn><Tags><member><Key>ingress.k8s.aws/resource</Key>"
            f"<Value>shop/web-{arn.rpartition('/')[2]}:80</Value></member></Tags>"
            for arn in arns
        ]

    def _DescribeTargetHealth(self, form: Mapping[str, str]) -> Sequence[str]:
        service = form["TargetGroupArn"].rpartition("/")[2]
        servers = self.servers.get(service, ("i-0a1b2c3d",))
        states = self.health.get(service, [("healthy", "")] * len(servers))
        return [
            f"<Target><Id>{address}</Id><Port>80</Port></Target><TargetHealth><State>{state}</State>"
            f"<Reason>{escape(reason)}</Reason></TargetHealth>"
            for address, (state, reason) in zip((*servers, *servers, *servers), states, strict=False)
        ]

    def verifier(self, url: str) -> Verifier:
        http = GuardedHttp(LOOPBACK)
        variables = KEYS | {"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": url}
        return AlbApi(http, AwsCredentials(http, lambda: NOW, variables, Hidden()), variables)

    def live(self, rules: Rules) -> Manifest:
        return ingress(rules, self.host)


def ingress(rules: Rules, *hosts: str) -> Manifest:
    """Return an Ingress whose actions have these weights."""
    actions = {
        f"alb.ingress.kubernetes.io/actions.a{number}": _action(rule) for number, rule in enumerate(rules)
    }
    return {
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop", "annotations": {"other": "{", **actions}},
        "status": {"loadBalancer": {"ingress": [{"hostname": host} for host in hosts]}},
    }


def _action(rule: Mapping[str, int]) -> str:
    groups = ",".join(f'{{"ServiceName":"{n}","ServicePort":"80","Weight":{w}}}' for n, w in rule.items())
    return f'{{"Type":"forward","ForwardConfig":{{"TargetGroups":[{groups}]}}}}'


@asynccontextmanager
async def answering(plane: Plane) -> AsyncIterator[tuple[Verifier, Backend]]:
    """Serve a data plane and yield its verifier; ``fault`` replaces every answer."""

    def respond(asked: Asked) -> web.Response:
        return plane.fault if plane.fault is not None else plane.answer(asked)

    async with serving(respond) as backend, closing(plane.verifier(backend.url)) as verifier:
        yield verifier, backend


@asynccontextmanager
async def closing(verifier: Verifier) -> AsyncIterator[Verifier]:
    """Close a verifier's connections in the end."""
    try:
        yield verifier
    finally:
        await verifier.close()
