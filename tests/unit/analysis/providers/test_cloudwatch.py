"""CloudWatch's GetMetricData as it is documented, and the credentials it is asked with."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import pytest
from aiohttp import web

from analysis.conditions.condition import assess, compile_condition
from analysis.conditions.errors import ConditionError
from analysis.providers.aws import AwsCredentials, endpoint
from analysis.providers.errors import BackendError, ConfigurationError, CredentialsRefused
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from analysis.providers.protocol import Reading
from analysis.providers.sigv4 import AwsKeys, Signing, signed_headers
from tests.unit.analysis.providers.backend import NOW, Asked, Respond, serving
from tests.unit.analysis.providers.vendors import AWS_KEYS, TOKEN, ask


def result(identity: str, *values: float, status: str = "Complete", messages: str = "") -> str:
    times = "".join("<member>2025-12-31T23:55:00Z</member>" for _ in values)
    numbers = "".join(f"<member>{value}</member>" for value in values)
    return (
        f"<member><Id>{identity}</Id><Label>l</Label><StatusCode>{status}</StatusCode>"
        f"<Messages>{messages}</Messages><Timestamps>{times}</Timestamps><Values>{numbers}</Values></member>"
    )


def answer(*results: str, more: str = "") -> Respond:
    text = (
        '<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">'
        f"<GetMetricDataResult><MetricDataResults>{''.join(results)}</MetricDataResults>{more}"
        "</GetMetricDataResult></GetMetricDataResponse>"
    )
    return lambda _: web.Response(text=text, content_type="text/xml")


def failing(code: str, message: str, status: int = 400) -> Respond:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    text = f'<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">{error}</ErrorResponse>'
    return lambda _: web.Response(text=text, status=status, content_type="text/xml")


async def measured(respond: Respond, **fields: Any) -> tuple[Reading, Asked]:
    reading, asked = await ask("cloudWatch", respond, **fields)
    assert isinstance(reading, Reading)
    return reading, asked[0]


async def test_results_have_the_shape_that_conditions_know() -> None:
    reading, _ = await measured(answer(result("errors", 0.5, 2), result("rate")))
    assert compile_condition("result[0].Values[0] < 1 && result[0].Id == 'errors'").evaluate(
        reading.result, NOW
    )
    assert compile_condition("all(result[0].Values, {# <= 2}) && len(result[1].Values) == 0").evaluate(
        reading.result, NOW
    )
    assert reading.result[0]["Timestamps"][0] == NOW - timedelta(minutes=5)
    assert reading.text == "[[0.5 2] []]"


async def test_a_query_without_values_reads_as_no_data() -> None:
    reading, _ = await measured(answer(result("errors")))
    with pytest.raises(ConditionError, match="no data: metric result is nil or empty"):
        assess(reading.result, "result[0].Values[0] < 1", "", NOW)


async def test_the_request_is_the_documented_form_and_is_signed() -> None:
    queries = [
        {"id": "rate", "expression": "errors / requests", "label": "l", "period": "60"},
        {
            "id": "errors",
            "metricStat": {
                "metric": {
                    "namespace": "AWS/ApplicationELB",
                    "metricName": "HTTPCode_Target_5XX_Count",
                    "dimensions": [{"name": "LoadBalancer", "value": "app/x"}],
                },
                "period": 300,
                "stat": "Sum",
                "unit": "Count",
            },
            "returnData": False,
        },
    ]
    _, asked = await measured(answer(result("rate", 1)), metricDataQueries=queries, interval="30m")
    assert dict(parse_qsl(asked.body)) == {
        "Action": "GetMetricData",
        "Version": "2010-08-01",
        "StartTime": "2025-12-31T23:30:00Z",
        "EndTime": "2026-01-01T00:00:00Z",
        "MetricDataQueries.member.1.Id": "rate",
        "MetricDataQueries.member.1.Expression": "errors / requests",
        "MetricDataQueries.member.1.Label": "l",
        "MetricDataQueries.member.1.Period": "60",
        "MetricDataQueries.member.2.Id": "errors",
        "MetricDataQueries.member.2.ReturnData": "false",
        "MetricDataQueries.member.2.MetricStat.Metric.MetricName": "HTTPCode_Target_5XX_Count",
        "MetricDataQueries.member.2.MetricStat.Metric.Namespace": "AWS/ApplicationELB",
        "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Name": "LoadBalancer",
        "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Value": "app/x",
        "MetricDataQueries.member.2.MetricStat.Period": "300",
        "MetricDataQueries.member.2.MetricStat.Stat": "Sum",
        "MetricDataQueries.member.2.MetricStat.Unit": "Count",
    }
    keys = AwsKeys("AKIDEXAMPLE", TOKEN)
    signing = Signing(keys=keys, region="eu-west-1", service="monitoring", at=NOW)
    content = {"Content-Type": asked.headers["Content-Type"]}
    url = f"http://{asked.headers['Host']}{asked.path}"
    expected = signed_headers(asked.method, url, content, asked.body.encode(), signing)
    assert asked.headers["Authorization"] == expected["Authorization"]
    assert TOKEN not in repr(asked)


async def test_messages_and_cut_data_are_kept() -> None:
    note = "<member><Code>ArithmeticError</Code><Value>divided by zero</Value></member>"
    reading, _ = await measured(
        answer(result("a", 1, status="PartialData", messages=note), more="<NextToken>t</NextToken>")
    )
    assert reading.metadata["messages"].startswith(
        "ArithmeticError: divided by zero; the data are not complete"
    )


@pytest.mark.parametrize(
    ("respond", "kind", "message"),
    [
        (
            failing("ValidationError", "MetricDataQueries.1 is <bad>"),
            BackendError,
            "400 ValidationError: .* is <bad>",
        ),
        (failing("Throttling", "Rate exceeded"), BackendError, r"limits the rate of queries \(Throttling\)"),
        (
            failing("ExpiredToken", "old", 403),
            CredentialsRefused,
            r"refuses the credentials \(ExpiredToken\)",
        ),
        (failing("InvalidClientTokenId", "x"), CredentialsRefused, "refuses the credentials"),
        (
            answer(result("a", status="InternalError")),
            BackendError,
            "could not answer query 'a': InternalError",
        ),
        (answer("<member><Values><member>x</member></Values></member>"), BackendError, "cannot be read"),
        (
            lambda _: web.Response(text='<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
            BackendError,
            "something that is not its XML",
        ),
    ],
    ids=["bad-query", "throttled", "expired", "unknown-key", "internal", "no-number", "entities"],
)
async def test_what_aws_complains_about_is_told_apart(respond: Respond, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        await measured(respond)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"id": "", "expression": "x"}, r"\[0\]\.id is empty"),
        ({"id": "a"}, r"\[0\] needs either expression or metricStat"),
        ({"id": "a", "expression": "x", "period": 0}, r"\[0\]\.period must be a positive number"),
        ({"id": "a", "expression": "x", "period": "5m"}, r"\[0\]\.period: '5m' is not a whole number"),
        ({"id": "a", "metricStat": {"stat": "Sum"}}, r"metricStat needs metric\.metricName and stat"),
        (
            {"id": "a", "metricStat": {"metric": {"metricName": "m"}, "stat": "Sum"}},
            r"metricStat\.period must be a positive",
        ),
    ],
)
async def test_a_wrong_query_names_its_field(query: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await measured(answer(), metricDataQueries=[query])


# -- credentials --------------------------------------------------------------------------------------------


def assumed(action: str, number: int = 1, lasts: timedelta = timedelta(hours=1)) -> web.Response:
    keys = (
        f"<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>temporary-secret-{number}</SecretAccessKey>"
        f"<SessionToken>session-token-{number}</SessionToken>"
        f"<Expiration>{NOW + lasts:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
    )
    text = (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
        f"<Credentials>{keys}</Credentials></{action}Result></{action}Response>"
    )
    return web.Response(text=text, content_type="text/xml")


class Sts:
    """Answers as STS does, new keys each time."""

    def __init__(self, lasts: timedelta = timedelta(hours=1)) -> None:
        self.lasts = lasts
        self.count = 0

    def __call__(self, asked: Asked) -> web.Response:
        self.count += 1
        return assumed(dict(parse_qsl(asked.body))["Action"], self.count, self.lasts)


ROLE = "arn:aws:iam::1:role/r"


async def test_a_web_identity_is_exchanged_once_and_kept(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("identity-token\n")
    hidden = Hidden()
    async with serving(Sts()) as backend, GuardedHttp() as http:
        variables = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_ROLE_ARN": ROLE,
            "AWS_ENDPOINT_URL_STS": backend.url,
        }
        credentials = AwsCredentials(http, lambda: NOW, variables, hidden)
        first = await credentials.keys("eu-west-1")
        assert await credentials.keys("eu-west-1") == first
        assert first == AwsKeys("ASIA1", "temporary-secret-1", "session-token-1")
        (asked,) = backend.asked
        assert dict(parse_qsl(asked.body)) == {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "rollouts-analysis",
            "WebIdentityToken": "identity-token",
        }
        assert "Authorization" not in asked.headers
    assert {"identity-token", "temporary-secret-1", "session-token-1"} <= set(hidden.values())


async def test_keys_that_end_soon_are_fetched_anew(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("identity-token")
    async with serving(Sts(timedelta(minutes=4))) as backend, GuardedHttp() as http:
        variables = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_ROLE_ARN": ROLE,
            "AWS_ENDPOINT_URL_STS": backend.url,
        }
        credentials = AwsCredentials(http, lambda: NOW, variables, Hidden())
        assert [(await credentials.keys("eu")).access_key for _ in range(2)] == ["ASIA1", "ASIA2"]


async def test_a_role_is_assumed_with_signed_keys_of_the_environment() -> None:
    async with serving(Sts()) as backend, GuardedHttp() as http:
        variables = {**AWS_KEYS, "AWS_ENDPOINT_URL_STS": backend.url}
        credentials = AwsCredentials(http, lambda: NOW, variables, Hidden())
        keys = await credentials.keys("eu-west-1", role_arn=ROLE)
        assert (keys.access_key, keys.session_token) == ("ASIA1", "session-token-1")
        (asked,) = backend.asked
        assert dict(parse_qsl(asked.body))["RoleArn"] == ROLE
        assert "Credential=AKIDEXAMPLE/20260101/eu-west-1/sts/aws4_request" in asked.headers["Authorization"]


async def test_a_profile_is_read_from_the_credentials_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[team]\naws_access_key_id = AKIDTEAM\naws_secret_access_key = te%am\n")
    async with GuardedHttp() as http:
        variables = {**AWS_KEYS, "AWS_SHARED_CREDENTIALS_FILE": str(file)}
        credentials = AwsCredentials(http, lambda: NOW, variables, Hidden())
        assert await credentials.keys("eu", profile="team") == AwsKeys("AKIDTEAM", "te%am")
        with pytest.raises(ConfigurationError, match="no readable keys for the profile 'other'"):
            await credentials.keys("eu", profile="other")


async def test_without_any_credentials_the_places_are_named(tmp_path: Path) -> None:
    async with GuardedHttp() as http:
        with pytest.raises(ConfigurationError, match="no AWS credentials: set AWS_ACCESS_KEY_ID"):
            await AwsCredentials(http, lambda: NOW, {}, Hidden()).keys("eu")
        gone = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "gone"), "AWS_ROLE_ARN": ROLE}
        with pytest.raises(ConfigurationError, match="AWS_WEB_IDENTITY_TOKEN_FILE cannot be read"):
            await AwsCredentials(http, lambda: NOW, gone, Hidden()).keys("eu")


async def test_sts_that_refuses_is_told() -> None:
    async with (
        serving(failing("AccessDenied", "not authorized to assume", 403)) as backend,
        GuardedHttp() as http,
    ):
        variables = {**AWS_KEYS, "AWS_ENDPOINT_URL_STS": backend.url}
        with pytest.raises(CredentialsRefused, match=r"aws sts refuses the credentials \(AccessDenied\)"):
            await AwsCredentials(http, lambda: NOW, variables, Hidden()).keys("eu", role_arn=ROLE)


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-central-1", "https://monitoring.eu-central-1.amazonaws.com/"),
        ("cn-north-1", "https://monitoring.cn-north-1.amazonaws.com.cn/"),
    ],
)
def test_the_region_is_part_of_the_address(region: str, url: str) -> None:
    assert endpoint("monitoring", region, {}) == url


@pytest.mark.parametrize("region", ["", "evil.example/", "eu west", "a@b"])
def test_a_region_that_is_none_is_refused(region: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an AWS region"):
        endpoint("monitoring", region, {})
