"""Which provider answers a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import entry_points

from analysis.providers.authentication import Credentials
from analysis.providers.aws import AwsCredentials
from analysis.providers.canary.backend import Backend
from analysis.providers.canary.provider import CanaryProvider
from analysis.providers.cloudwatch import CloudWatchProvider
from analysis.providers.connections import CONNECTIONS_VARIABLE, Connections
from analysis.providers.datadog import DatadogProvider
from analysis.providers.errors import ConfigurationError
from analysis.providers.graphite import GraphiteProvider
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from analysis.providers.influxdb import InfluxdbProvider
from analysis.providers.job import JobPort, JobProvider
from analysis.providers.kayenta import KayentaProvider
from analysis.providers.kayenta_judge.provider import KayentaJudgeProvider
from analysis.providers.newrelic import NewRelicProvider
from analysis.providers.pods import PodPort, PodsProvider
from analysis.providers.profiles import Profiles, ReadSecret
from analysis.providers.prometheus import ADDRESS_VARIABLE, PrometheusProvider
from analysis.providers.protocol import Provider
from analysis.providers.skywalking import SkyWalkingProvider
from analysis.providers.slo.provider import SloProvider
from analysis.providers.wavefront import WavefrontProvider
from analysis.providers.web import WebProvider
from analysis.spec.objects import Metric

ENTRY_POINTS = "rollouts.metric_providers"
"""Group of third-party providers: each entry point is ``factory(environment) -> Provider``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEnvironment:
    """What a provider may use: the guarded HTTP client, the time, the process environment, a cluster.

    ``namespace`` is the controller's own, where ``secrets`` finds the accounts that all tenants share.
    Providers add to ``hidden`` what must not be shown.
    """

    http: GuardedHttp
    now: Callable[[], datetime]
    variables: Mapping[str, str] = field(default_factory=dict)
    jobs: JobPort | None = None
    pods: PodPort | None = None
    secrets: ReadSecret | None = None
    namespace: str = ""
    hidden: Hidden = field(default_factory=Hidden)


class ProviderRegistry:
    """Providers by the key of ``metrics[].provider``, plugins by their name; ``hidden`` is what they hide."""

    def __init__(
        self,
        providers: Iterable[Provider] = (),
        plugins: Iterable[Provider] = (),
        hidden: Hidden | None = None,
    ) -> None:
        self.hidden = hidden or Hidden()
        self._providers = {provider.name: provider for provider in providers}
        self._plugins = {provider.name: provider for provider in plugins}

    def provider_of(self, metric: Metric) -> Provider:
        """Return the provider of a metric. Raises ConfigurationError that names what is not supported."""
        names = metric.provider.names()
        if len(names) != 1:
            raise ConfigurationError(f"metric '{metric.name}' must have one provider, not {len(names)}")
        if names[0] == "plugin":
            return self._plugin(metric)
        return self._known(self._providers, names[0], "provider")

    def _plugin(self, metric: Metric) -> Provider:
        names = tuple(metric.provider.plugin or ())
        if len(names) != 1:
            raise ConfigurationError(f"metric '{metric.name}' must name one plugin, not {len(names)}")
        return self._known(self._plugins, names[0], "provider plugin")

    @staticmethod
    def _known(known: Mapping[str, Provider], name: str, kind: str) -> Provider:
        if name not in known:
            have = ", ".join(sorted(known)) or "none"
            raise ConfigurationError(f"{kind} '{name}' is not supported here; supported are: {have}")
        return known[name]


def default_registry(environment: ProviderEnvironment) -> ProviderRegistry:
    """Return the built-in providers and plugins, and the plugins that are installed beside them.

    Raises ConfigurationError when the operator's file of connections cannot be used.
    """
    http, variables, hidden = environment.http, environment.variables, environment.hidden
    aws = AwsCredentials(http, environment.now, variables, hidden)
    connections = Connections.read(variables.get(CONNECTIONS_VARIABLE, ""), hidden)
    credentials = Credentials(http, environment.now, aws=aws, connections=connections, hidden=hidden)
    profiles = Profiles(environment.secrets, environment.namespace, hidden)
    address = variables.get(ADDRESS_VARIABLE, "")
    prometheus = PrometheusProvider(http, credentials, address)
    providers: list[Provider] = [
        prometheus,
        WebProvider(http, credentials),
        DatadogProvider(http, profiles, variables),
        NewRelicProvider(http, profiles),
        WavefrontProvider(http, profiles),
        CloudWatchProvider(http, aws, variables),
        GraphiteProvider(http),
        InfluxdbProvider(http, profiles),
        SkyWalkingProvider(http),
        KayentaProvider(http),
    ]
    if environment.jobs is not None:
        providers.append(JobProvider(environment.jobs))
    plugins = [point.load()(environment) for point in entry_points(group=ENTRY_POINTS)]
    plugins += [
        CanaryProvider(Backend(http, credentials, address)),
        SloProvider(prometheus),
        KayentaJudgeProvider(prometheus),
    ]
    if environment.pods is not None:
        plugins.append(PodsProvider(environment.pods))
    return ProviderRegistry(providers, plugins, hidden)
