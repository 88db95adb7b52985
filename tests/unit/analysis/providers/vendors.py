"""Every vendor's provider with an account and a metric, to be asked against a server on loopback."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from analysis.providers.aws import AwsCredentials
from analysis.providers.cloudwatch import CloudWatchProvider
from analysis.providers.datadog import DatadogProvider
from analysis.providers.graphite import GraphiteProvider
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp, HttpAnswer, HttpRequest
from analysis.providers.influxdb import InfluxdbProvider
from analysis.providers.kayenta import KayentaProvider
from analysis.providers.newrelic import NewRelicProvider
from analysis.providers.profiles import Profiles
from analysis.providers.protocol import Answer, Provider, Question
from analysis.providers.skywalking import SkyWalkingProvider
from analysis.providers.wavefront import WavefrontProvider
from tests.unit.analysis.providers.backend import NOW, Asked, Respond, question, serving

TOKEN = "s3cr3t-token-0123"
OWN = "rollouts-system"


def secrets(found: Mapping[tuple[str, str], Mapping[str, str]]) -> Callable[..., Awaitable[Any]]:
    async def read(namespace: str, name: str) -> Mapping[str, str] | None:
        return found.get((namespace, name))

    return read


def profiles(name: str = "", hidden: Hidden | None = None, **values: str) -> Profiles:
    found = {(OWN, name): {key.replace("_", "-"): value for key, value in values.items()}} if name else {}
    return Profiles(secrets(found), OWN, hidden or Hidden())


@dataclass(frozen=True)
class Vendor:
    """How a vendor's provider is built, and what it measures when it is not the point of the test."""

    name: str
    build: Callable[[GuardedHttp, str, Hidden], Provider]
    metric: Callable[[str], Mapping[str, Any]]


def _host(url: str) -> str:
    return url.removeprefix("http://")


def _datadog(http: GuardedHttp, url: str, hidden: Hidden) -> Provider:
    return DatadogProvider(
        http, profiles("datadog", hidden, address=url, api_key=TOKEN, app_key=TOKEN + "-app"), {}
    )


def _new_relic(http: GuardedHttp, url: str, hidden: Hidden) -> Provider:
    account = {"personal_api_key": TOKEN, "account_id": "42", "base_url_nerdgraph": f"{url}/graphql"}
    return NewRelicProvider(http, profiles("newrelic", hidden, **account))


def _wavefront(http: GuardedHttp, url: str, hidden: Hidden) -> Provider:
    read = secrets({(OWN, "wavefront-api-tokens"): {_host(url): TOKEN}})
    return WavefrontProvider(http, Profiles(read, OWN, hidden), scheme="http")


def _influxdb(http: GuardedHttp, url: str, hidden: Hidden) -> Provider:
    return InfluxdbProvider(http, profiles("influxdb", hidden, address=url, org="acme", authToken=TOKEN))


AWS_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": TOKEN, "AWS_REGION": "eu-west-1"}


def _cloudwatch(http: GuardedHttp, url: str, hidden: Hidden) -> Provider:
    variables = {**AWS_KEYS, "AWS_ENDPOINT_URL_CLOUDWATCH": url}
    return CloudWatchProvider(http, AwsCredentials(http, lambda: NOW, variables, hidden), variables)


KAYENTA = {
    "application": "shop",
    "canaryConfigName": "canary",
    "metricsAccountName": "prom",
    "configurationAccountName": "config",
    "storageAccountName": "store",
    "threshold": {"pass": 90, "marginal": 75},
    "scopes": [
        {
            "name": "default",
            "controlScope": {"scope": "app=stable", "region": "eu", "step": 60, "start": "a", "end": "b"},
            "experimentScope": {"scope": "app=canary", "region": "eu", "step": 60, "start": "a", "end": "b"},
        }
    ],
}
QUERIES = [{"id": "errors", "expression": "SUM(METRICS())"}]

VENDORS = {
    vendor.name: vendor
    for vendor in (
        Vendor("datadog", _datadog, lambda _: {"query": "avg:errors{*}"}),
        Vendor("newRelic", _new_relic, lambda _: {"query": "SELECT count(*) FROM Transaction"}),
        Vendor("wavefront", _wavefront, lambda url: {"address": _host(url), "query": "ts(errors)"}),
        Vendor("cloudWatch", _cloudwatch, lambda _: {"metricDataQueries": QUERIES}),
        Vendor(
            "graphite",
            lambda http, _, __: GraphiteProvider(http),
            lambda url: {"address": url, "query": "target=app.errors&from=-5min"},
        ),
        Vendor("influxdb", _influxdb, lambda _: {"query": 'from(bucket: "b") |> range(start: -5m)'}),
        Vendor(
            "skywalking",
            lambda http, _, __: SkyWalkingProvider(http),
            lambda url: {"address": url, "query": "query q($duration: Duration!) { x }"},
        ),
        Vendor("kayenta", lambda http, _, __: KayentaProvider(http), lambda url: {"address": url, **KAYENTA}),
    )
}


class Impatient(GuardedHttp):
    """A client that waits 50 ms for every answer, whatever the provider wants."""

    async def send(self, request: HttpRequest) -> HttpAnswer:
        return await super().send(replace(request, timeout=0.05))


async def ask(
    vendor: str,
    respond: Respond,
    *,
    http: GuardedHttp | None = None,
    hidden: Hidden | None = None,
    **fields: Any,
) -> tuple[Answer, list[Asked]]:
    """Measure once; ``fields`` replace those of the vendor's metric."""
    this = VENDORS[vendor]
    async with serving(respond) as backend, http or GuardedHttp() as client:
        provider = this.build(client, backend.url, hidden or Hidden())
        metric = {**this.metric(backend.url), **fields}
        return await provider.measure(question(**{vendor: metric})), backend.asked


def saying(document: Any, status: int = 200) -> Respond:
    return lambda _: web.json_response(document, status=status)


def asked_of(vendor: str, url: str) -> Question:
    return question(**{vendor: VENDORS[vendor].metric(url)})
