"""The data planes that the operator's settings name, ready to be asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from analysis.providers.aws import AwsCredentials
from analysis.providers.egress import EgressPolicy
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from rollouts import logs
from rollouts.settings import Settings, SettingsError
from rollouts.verification.addresses import Replicas, addresses
from rollouts.verification.alb import AlbApi
from rollouts.verification.envoy import EnvoyAdmin
from rollouts.verification.traefik import TraefikApi
from rollouts.verification.verifier import Verifier


def verifiers_for(settings: Settings, now: Callable[[], datetime]) -> tuple[Verifier, ...]:
    """Return the chosen verifiers. Raises SettingsError when an address or the allowlist is none."""
    try:
        policy = EgressPolicy.allowing(settings.egress_allow.split(","))
    except ValueError as error:
        raise SettingsError(f"egress_allow: {error}") from None
    verifiers: list[Verifier] = []
    for name, kind in (("verify_traefik", TraefikApi), ("verify_envoy", EnvoyAdmin)):
        try:
            urls = addresses(getattr(settings, name))
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None
        if urls:
            verifiers.append(kind(Replicas(urls, policy)))
    if settings.verify_alb:
        http = GuardedHttp(policy)
        aws = AwsCredentials(http, now, os.environ, Hidden(logs.redact))
        verifiers.append(AlbApi(http, aws, os.environ))
    return tuple(verifiers)
