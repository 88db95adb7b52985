"""Credentials of AWS and its query APIs: environment, credentials file, web identity, assumed roles."""

from __future__ import annotations

import configparser
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from analysis.providers.answers import check
from analysis.providers.errors import BackendError, ConfigurationError, CredentialsRefused
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp, HttpAnswer, HttpRequest
from analysis.providers.sigv4 import AwsKeys, Signing, signed_headers

SESSION_NAME = "rollouts-analysis"
TIMEOUT_SECONDS = 10.0
_EARLY = timedelta(minutes=5)
_MOST_ROLES = 64
_REFUSED = frozenset(
    (
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    )
)
_LIMITED = frozenset(("Throttling", "ThrottlingException", "RequestLimitExceeded", "LimitExceeded"))
_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class _Temporary:
    keys: AwsKeys
    until: datetime


class AwsCredentials:
    """Finds keys as AWS's own clients do, and keeps temporary ones until shortly before they end.

    Order: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; then the web identity of AWS_WEB_IDENTITY_TOKEN_FILE
    for AWS_ROLE_ARN (as a ServiceAccount gets it on EKS). A ``profile`` is read from the file of
    AWS_SHARED_CREDENTIALS_FILE instead; a ``role_arn`` is assumed with what was found.
    """

    def __init__(
        self, http: GuardedHttp, now: Callable[[], datetime], variables: Mapping[str, str], hidden: Hidden
    ) -> None:
        self._http = http
        self._now = now
        self._variables = variables
        self._hidden = hidden
        self._temporary: dict[tuple[str, str], _Temporary] = {}

    async def keys(self, region: str, profile: str = "", role_arn: str = "") -> AwsKeys:
        """Return keys for requests to a region. Raises ProviderError."""
        known = self._temporary.get((profile, role_arn))
        if known is not None and known.until > self._now():
            return known.keys
        base = self._from_profile(profile) if profile else self._from_environment()
        if base is None:
            web = await self._with_web_identity(region)
            if not role_arn:
                return self._kept((profile, role_arn), web).keys
            base = web.keys
        if not role_arn:
            return base
        return self._kept((profile, role_arn), await self._assume(base, region, role_arn)).keys

    def signed(self, request: HttpRequest, region: str, service: str, keys: AwsKeys) -> HttpRequest:
        """Return a request with its signature, over its content type and nothing else that is not AWS's own:
        a proxy on the way may touch other headers.
        """
        signing = Signing(keys=keys, region=region, service=service, at=self._now())
        content = {key: value for key, value in request.headers.items() if key.lower() == "content-type"}
        signed = signed_headers(request.method, request.url, content, request.body or b"", signing)
        return replace(request, headers={**_without_authorization(request.headers), **signed})

    def _from_environment(self) -> AwsKeys | None:
        access, secret = (
            self._variables.get(key, "") for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        )
        if not access or not secret:
            return None
        token = self._variables.get("AWS_SESSION_TOKEN", "")
        self._hidden.add(secret, token)
        return AwsKeys(access, secret, token)

    def _from_profile(self, profile: str) -> AwsKeys:
        path = self._variables.get("AWS_SHARED_CREDENTIALS_FILE", "")
        if not path:
            raise ConfigurationError(
                "authentication.sigv4.profile needs a credentials file: set AWS_SHARED_CREDENTIALS_FILE"
            )
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(Path(path).read_text())
            section = parser[profile]
            access, secret = section["aws_access_key_id"], section["aws_secret_access_key"]
        except (OSError, ValueError, KeyError, configparser.Error):
            raise ConfigurationError(
                f"the AWS credentials file has no readable keys for the profile '{profile[:60]}'"
            ) from None
        token = section.get("aws_session_token", "")
        self._hidden.add(secret, token)
        return AwsKeys(access, secret, token)

    async def _with_web_identity(self, region: str) -> _Temporary:
        path, role = (self._variables.get(key, "") for key in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"))
        if not path or not role:
            raise ConfigurationError(
                "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
                " AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"
            )
        token = _identity_token(path)
        self._hidden.add_passing(token)
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role,
            "RoleSessionName": self._variables.get("AWS_ROLE_SESSION_NAME") or SESSION_NAME,
            "WebIdentityToken": token,
        }
        return self._read_keys(await self._http.send(self._sts(region, form)))

    async def _assume(self, base: AwsKeys, region: str, role_arn: str) -> _Temporary:
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": role_arn,
            "RoleSessionName": SESSION_NAME,
        }
        request = self.signed(self._sts(region, form), region, "sts", base)
        return self._read_keys(await self._http.send(request))

    def _sts(self, region: str, form: Mapping[str, str]) -> HttpRequest:
        url = endpoint("sts", region, self._variables)
        body = urlencode(form).encode()
        return HttpRequest(
            method="POST", url=url, headers=_FORM, body=body, timeout=TIMEOUT_SECONDS, repeatable=True
        )

    def _read_keys(self, answer: HttpAnswer) -> _Temporary:
        found = read_xml(answer, "aws sts").find(".//Credentials")
        read = {child.tag: child.text or "" for child in found} if found is not None else {}
        try:
            keys = AwsKeys(read["AccessKeyId"], read["SecretAccessKey"], read["SessionToken"])
            until = datetime.fromisoformat(read["Expiration"].replace("Z", "+00:00"))
        except (KeyError, ValueError):
            raise BackendError("aws sts answered without credentials") from None
        self._hidden.add_passing(keys.secret_key)
        self._hidden.add_passing(keys.session_token)
        return _Temporary(keys, until - _EARLY)

    def _kept(self, key: tuple[str, str], temporary: _Temporary) -> _Temporary:
        while len(self._temporary) >= _MOST_ROLES:
            del self._temporary[next(iter(self._temporary))]
        self._temporary[key] = temporary
        return temporary


def endpoint(service: str, region: str, variables: Mapping[str, str]) -> str:
    """Return a service's address: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, or the region's own.

    Raises ConfigurationError for a region that is no name of one.
    """
    named = {"monitoring": "CLOUDWATCH", "elasticloadbalancing": "ELASTIC_LOAD_BALANCING_V2"}
    name = named.get(service, service.upper())
    own = variables.get(f"AWS_ENDPOINT_URL_{name}") or variables.get("AWS_ENDPOINT_URL")
    if own:
        return own.rstrip("/") + "/"
    if not region or not all(part.isalnum() and part.isascii() for part in region.split("-")):
        raise ConfigurationError(
            f"{region[:40]!r} is not an AWS region: set AWS_REGION, such as eu-central-1"
        )
    return f"https://{service}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}/"


def read_xml(answer: HttpAnswer, backend: str) -> ElementTree.Element:
    """Return a query API's answer, its tags without namespace.

    Raises CredentialsRefused or BackendError with AWS's code and message.
    """
    root = _parsed(answer.body)
    error = root.find(".//Error") if root is not None else None
    if error is not None:
        code, message = error.findtext("Code") or "error", (error.findtext("Message") or "")[:300]
        if code in _REFUSED or answer.status in (401, 403):
            raise CredentialsRefused(f"{backend} refuses the credentials ({code}): {message}")
        if code in _LIMITED:
            raise BackendError(f"{backend} limits the rate of queries ({code}): {message}")
        raise BackendError(f"{backend} answered {answer.status} {code}: {message}")
    check(answer, backend)
    if root is None:
        raise BackendError(f"{backend} answered {answer.status} with something that is not its XML")
    return root


def _parsed(body: bytes) -> ElementTree.Element | None:
    """Parse XML that declares nothing: no answer of AWS has a document type, and entities are bombs."""
    if b"<!" in body:
        return None
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - declarations are refused above
    except (ElementTree.ParseError, ValueError):
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _without_authorization(headers: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() != "authorization"}


def _identity_token(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError):
        raise ConfigurationError("the file of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read") from None
