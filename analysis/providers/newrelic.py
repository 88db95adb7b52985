"""New Relic: a NRQL query through NerdGraph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from analysis.providers.answers import base_url, complaint, read_json
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.profiles import Profiles
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import written

DEFAULT_SECRET = "newrelic"  # noqa: S105 - a Secret's name
DEFAULT_TIMEOUT_SECONDS = 5
REGIONS = {
    "us": "https://api.newrelic.com/graphql",
    "eu": "https://api.eu.newrelic.com/graphql",
    "staging": "https://staging-api.newrelic.com/graphql",
}
_KEYS = ("personal-api-key", "account-id")
_TRANSFER_SECONDS = 5.0
"""Granted beyond the time that New Relic itself spends on the query."""
_NERDGRAPH = (
    "query($account: Int!, $nrql: Nrql!, $timeout: Seconds!) {"
    " actor { account(id: $account) { nrql(query: $nrql, timeout: $timeout) { results } } } }"
)


class NewRelicProvider(Immediate):
    """One row becomes a map, more rows a list of maps; no row is no data.

    ``profile`` names the Secret (default ``newrelic``) in the controller's namespace with
    ``personal-api-key``, ``account-id``, and optionally ``region`` or ``base-url-nerdgraph``.
    """

    name: ClassVar[str] = "newRelic"

    def __init__(self, http: GuardedHttp, profiles: Profiles) -> None:
        self._http = http
        self._profiles = profiles

    async def measure(self, question: Question) -> Reading:
        """Run the query. Raises ProviderError."""
        new_relic = question.metric.provider.new_relic
        if new_relic is None or not new_relic.query:
            raise ConfigurationError("provider.newRelic.query is empty")
        timeout = DEFAULT_TIMEOUT_SECONDS if new_relic.timeout is None else new_relic.timeout
        if timeout <= 0:
            raise ConfigurationError("provider.newRelic.timeout must be a positive number of seconds")
        name = new_relic.profile or DEFAULT_SECRET
        account = await self._profiles.need(name, _KEYS, _KEYS[:1], "provider.newRelic.profile")
        if not account["account-id"].isdecimal():
            raise ConfigurationError(f"account-id in the Secret '{name}' is not a whole number")
        variables = {"account": int(account["account-id"]), "nrql": new_relic.query, "timeout": timeout}
        request = HttpRequest(
            method="POST",
            url=_address(account, name),
            headers={"Content-Type": "application/json", "API-Key": account["personal-api-key"]},
            body=json.dumps({"query": _NERDGRAPH, "variables": variables}).encode(),
            timeout=timeout + _TRANSFER_SECONDS,
            repeatable=True,
        )
        return _reading(read_json(await self._http.send(request), "new relic"))


def _address(account: Mapping[str, str], name: str) -> str:
    own = account.get("base-url-nerdgraph")
    if own:
        return base_url(own, f"base-url-nerdgraph in the Secret '{name}'")
    region = (account.get("region") or "us").lower()
    if region not in REGIONS:
        raise ConfigurationError(f"region in the Secret '{name}' is not one of {', '.join(REGIONS)}")
    return REGIONS[region]


def _reading(document: Any) -> Reading:
    try:
        if document.get("errors"):
            raise BackendError(f"new relic: {complaint(document)}"[:500])
        rows = document["data"]["actor"]["account"]["nrql"]["results"]
    except (AttributeError, KeyError, TypeError):
        raise BackendError("new relic answered without results of the query") from None
    if not rows or (len(rows) == 1 and not rows[0]):
        raise NoData("new relic has no results for the NRQL query")
    result = rows[0] if len(rows) == 1 else rows
    return Reading(result, written(result))
