"""Kayenta: a canary judgement that Kayenta makes, looked at until it is complete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from analysis.providers.answers import base_url, complaint, read_json
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.protocol import Answer, Decided, Ongoing, Question
from analysis.spec.objects import Metric
from analysis.spec.providers import KayentaMetric, KayentaScopeDetail, KayentaThreshold
from analysis.spec.status import Measurement, Phase

EXECUTION_ID = "canaryExecutionId"
"""Key of a measurement's metadata: by it a judgement is found again, also after a restart."""
LOOK_AGAIN = timedelta(seconds=15)
TIMEOUT_SECONDS = 15.0


class KayentaProvider:
    """Successful from a score of ``threshold.pass``, Inconclusive from ``marginal``, else Failed."""

    name: ClassVar[str] = "kayenta"

    def __init__(self, http: GuardedHttp) -> None:
        self._http = http

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    async def measure(self, question: Question) -> Answer:
        """Start a judgement. It is not started twice when the answer is lost: that is an error."""
        kayenta = _configured(question)
        address = base_url(kayenta.address, "provider.kayenta.address")
        config = await self._config_id(kayenta, address)
        accounts = {
            "application": kayenta.application,
            "metricsAccountName": kayenta.metrics_account_name,
            "configurationAccountName": kayenta.configuration_account_name,
            "storageAccountName": kayenta.storage_account_name,
        }
        url = f"{address}/canary/{quote(config, safe='')}?{urlencode(accounts)}"
        started = await self._ask("POST", url, _canary(kayenta))
        execution = started.get(EXECUTION_ID) if isinstance(started, dict) else None
        if not execution or not isinstance(execution, str):
            raise BackendError(f"kayenta started a canary without telling its {EXECUTION_ID}")
        return Ongoing(question.now + LOOK_AGAIN, {EXECUTION_ID: execution})

    async def resume(self, question: Question, measurement: Measurement) -> Answer:
        """Look whether the judgement is complete, and read its score."""
        kayenta = _configured(question)
        address = base_url(kayenta.address, "provider.kayenta.address")
        execution = (measurement.metadata or {}).get(EXECUTION_ID)
        if not execution:
            raise BackendError(f"the measurement's metadata have lost the {EXECUTION_ID}")
        document = await self._ask("GET", f"{address}/canary/{quote(execution, safe='')}")
        if not isinstance(document, dict) or not isinstance(document.get("complete"), bool):
            raise BackendError("kayenta does not tell whether the canary is complete")
        if not document["complete"]:
            return Ongoing(question.now + LOOK_AGAIN)
        score = _score(document)
        return Decided(_phase(score, _threshold(kayenta)), text=str(score))

    async def terminate(self, question: Question, measurement: Measurement) -> Answer:
        """Stop looking; Kayenta ends its canary by itself."""
        return Decided(Phase.SUCCESSFUL)

    async def _config_id(self, kayenta: KayentaMetric, address: str) -> str:
        account = kayenta.configuration_account_name or kayenta.storage_account_name
        form = {"application": kayenta.application, "configurationAccountName": account}
        found = await self._ask("GET", f"{address}/canaryConfig?{urlencode(form)}")
        if not isinstance(found, list) or not all(isinstance(config, dict) for config in found):
            raise BackendError("kayenta answered something that is not a list of canary configs")
        for config in found:
            if config.get("name") == kayenta.canary_config_name:
                return str(config.get("id", ""))
        raise ConfigurationError(
            f"provider.kayenta.canaryConfigName: application '{kayenta.application}' has no canary config"
            f" '{kayenta.canary_config_name}'"
        )

    async def _ask(self, method: str, url: str, body: bytes | None = None) -> Any:
        request = HttpRequest(
            method=method,
            url=url,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=body,
            timeout=TIMEOUT_SECONDS,
            repeatable=method == "GET",
        )
        return read_json(await self._http.send(request), "kayenta")


def _configured(question: Question) -> KayentaMetric:
    kayenta = question.metric.provider.kayenta
    if kayenta is None or not kayenta.canary_config_name:
        raise ConfigurationError("provider.kayenta.canaryConfigName is empty")
    _threshold(kayenta)
    return kayenta


def _threshold(kayenta: KayentaMetric) -> KayentaThreshold:
    threshold = kayenta.threshold
    if threshold is None:
        raise ConfigurationError("provider.kayenta.threshold is missing: set pass and marginal")
    if not 0 <= threshold.marginal <= threshold.pass_ <= 100:
        raise ConfigurationError("provider.kayenta.threshold must keep 0 <= marginal <= pass <= 100")
    return threshold


def _canary(kayenta: KayentaMetric) -> bytes:
    threshold = _threshold(kayenta)
    scopes = {
        scope.name: {
            "controlScope": _scope(scope.control_scope),
            "experimentScope": _scope(scope.experiment_scope),
        }
        for scope in kayenta.scopes
    }
    thresholds = {"pass": threshold.pass_, "marginal": threshold.marginal}
    return json.dumps({"scopes": scopes, "thresholds": thresholds}).encode()


def _scope(detail: KayentaScopeDetail | None) -> Mapping[str, Any] | None:
    return detail.model_dump(by_alias=True, include=set(KayentaScopeDetail.model_fields)) if detail else None


def _score(document: Mapping[str, Any]) -> int:
    try:
        return int(document["result"]["judgeResult"]["score"]["score"])
    except (KeyError, TypeError, ValueError):
        status = str(document.get("status") or "unknown")
        why = complaint(document.get("exception"))
        raise BackendError(
            f"kayenta's canary is complete without a score (status {status}){': ' if why else ''}{why}"[:500]
        ) from None


def _phase(score: int, threshold: KayentaThreshold) -> Phase:
    if score >= threshold.pass_:
        return Phase.SUCCESSFUL
    return Phase.INCONCLUSIVE if score >= threshold.marginal else Phase.FAILED
