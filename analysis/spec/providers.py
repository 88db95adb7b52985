"""What a metric asks of each backend: every provider's fields, as upstream names them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from analysis.spec.base import IntOrString, NoneAsEmpty, SpecModel

DEFAULT_WEB_TIMEOUT_SECONDS = 10
DEFAULT_PROMETHEUS_TIMEOUT_SECONDS = 30

PROVIDER_NAMES = (
    "prometheus",
    "kayenta",
    "web",
    "datadog",
    "wavefront",
    "newRelic",
    "job",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
    "plugin",
)
"""Keys of ``metrics[].provider``; exactly one must be set."""
CANARY_JUDGE = "rollouts.dev/canary"
"""The plugin whose levels are calibrated for being watched, and shared by all analyses of a release."""


class Sigv4(SpecModel):
    """AWS request signing."""

    region: str = ""
    profile: str = ""
    role_arn: str = ""


class OAuth2(SpecModel):
    """OAuth2 client credentials."""

    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: Annotated[tuple[str, ...], NoneAsEmpty] = ()


class BasicAuth(SpecModel):
    """HTTP basic authentication."""

    username: str = ""
    password: str = ""


class Authentication(SpecModel):
    """How a request proves who sends it; at most one is set."""

    sigv4: Sigv4 | None = None
    oauth2: OAuth2 | None = Field(None, alias="oauth2")
    basic_auth: BasicAuth | None = None


class Header(SpecModel):
    """One HTTP header."""

    key: str = ""
    value: str = ""


class RangeQuery(SpecModel):
    """Bounds of a range query. ``start`` and ``end`` are expressions that give a time."""

    start: str = ""
    end: str = ""
    step: str = ""


class PrometheusMetric(SpecModel):
    """A PromQL query. ``timeout`` is in seconds (default 30)."""

    address: str = ""
    query: str = ""
    range_query: RangeQuery | None = None
    authentication: Authentication | None = None
    timeout: int | None = None
    insecure: bool = False
    headers: Annotated[tuple[Header, ...], NoneAsEmpty] = ()


class WebMetric(SpecModel):
    """An HTTP request whose JSON answer is measured."""

    method: str = ""
    url: str = ""
    headers: Annotated[tuple[Header, ...], NoneAsEmpty] = ()
    body: str = ""
    json_body: Any = None
    timeout_seconds: int | None = None
    json_path: str = ""
    insecure: bool = False
    authentication: Authentication | None = None


class JobMetric(SpecModel):
    """A Kubernetes Job; completion is success. Metadata and spec are handed on as they are."""

    metadata: dict[str, Any] | None = None
    spec: dict[str, Any] = {}


class SecretRef(SpecModel):
    """The Secret with a provider's credentials."""

    name: str = ""
    namespaced: bool = False


class DatadogMetric(SpecModel):
    """A Datadog query, or named queries with a formula (API v2)."""

    interval: str = ""
    query: str = ""
    queries: dict[str, str] | None = None
    formula: str = ""
    api_version: str = ""
    aggregator: str = ""
    secret_ref: SecretRef | None = None
    request_timeout: str | None = None


class NewRelicMetric(SpecModel):
    """A NRQL query."""

    profile: str = ""
    query: str = ""
    timeout: int | None = None


class AddressAndQuery(SpecModel):
    """A query to a backend (Wavefront, Graphite)."""

    address: str = ""
    query: str = ""


class InfluxdbMetric(SpecModel):
    """A Flux query."""

    profile: str = ""
    query: str = ""


class SkyWalkingMetric(SpecModel):
    """A SkyWalking GraphQL query."""

    address: str = ""
    query: str = ""
    interval: str = ""


class CloudWatchDimension(SpecModel):
    """One dimension of a CloudWatch metric."""

    name: str = ""
    value: str = ""


class CloudWatchMetricName(SpecModel):
    """Which CloudWatch metric."""

    dimensions: Annotated[tuple[CloudWatchDimension, ...], NoneAsEmpty] = ()
    metric_name: str = ""
    namespace: str | None = None


class CloudWatchStat(SpecModel):
    """A statistic over a CloudWatch metric."""

    metric: CloudWatchMetricName | None = None
    period: IntOrString | None = None
    stat: str = ""
    unit: str = ""


class CloudWatchQuery(SpecModel):
    """One entry of GetMetricData."""

    id: str = ""
    expression: str | None = None
    label: str | None = None
    metric_stat: CloudWatchStat | None = None
    period: IntOrString | None = None
    return_data: bool | None = None


class CloudWatchMetric(SpecModel):
    """A CloudWatch GetMetricData request over the last ``interval`` (default 5m)."""

    interval: str = ""
    metric_data_queries: Annotated[tuple[CloudWatchQuery, ...], NoneAsEmpty] = ()


class KayentaThreshold(SpecModel):
    """Scores from which a canary passes, or is marginal."""

    # "pass" is a Python keyword, so the attribute carries an underscore.
    pass_: int = Field(0, alias="pass")
    marginal: int = 0


class KayentaScopeDetail(SpecModel):
    """Where and when Kayenta looks."""

    scope: str = ""
    region: str = ""
    step: int = 0
    start: str = ""
    end: str = ""


class KayentaScope(SpecModel):
    """Control and experiment of one Kayenta scope."""

    name: str = ""
    control_scope: KayentaScopeDetail | None = None
    experiment_scope: KayentaScopeDetail | None = None


class KayentaMetric(SpecModel):
    """A Kayenta canary judgement."""

    address: str = ""
    application: str = ""
    canary_config_name: str = ""
    metrics_account_name: str = ""
    configuration_account_name: str = ""
    storage_account_name: str = ""
    threshold: KayentaThreshold | None = None
    scopes: Annotated[tuple[KayentaScope, ...], NoneAsEmpty] = ()
    lookback: bool = False


class MetricProvider(SpecModel):
    """Which backend a metric asks; exactly one field is set."""

    prometheus: PrometheusMetric | None = None
    kayenta: KayentaMetric | None = None
    web: WebMetric | None = None
    datadog: DatadogMetric | None = None
    wavefront: AddressAndQuery | None = None
    new_relic: NewRelicMetric | None = None
    job: JobMetric | None = None
    cloud_watch: CloudWatchMetric | None = None
    graphite: AddressAndQuery | None = None
    influxdb: InfluxdbMetric | None = None
    skywalking: SkyWalkingMetric | None = None
    plugin: dict[str, Any] | None = None

    def names(self) -> tuple[str, ...]:
        """Return the keys that are set, such as ``("prometheus",)``; unknown ones are included."""
        manifest = self.manifest()
        return tuple(key for key, value in manifest.items() if value is not None)
