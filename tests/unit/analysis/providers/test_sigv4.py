"""AWS Signature Version 4 against the vectors of AWS's published test suite and documentation."""

import re
from datetime import UTC, datetime

import pytest

from analysis.providers.sigv4 import AwsKeys, Signing, signed_headers, signing_key

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SUITE = Signing(
    keys=KEYS, region="us-east-1", service="service", at=datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
)
HOST = "https://example.amazonaws.com"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "signature"),
    [
        pytest.param(*vector[1:], id=vector[0])
        for vector in (
            (
                "get-vanilla",
                "GET",
                "/",
                {},
                b"",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "/?Param2=value2&Param1=value1",
                {},
                b"",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-unreserved",
                "GET",
                "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                {},
                b"",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "get-utf8",
                "GET",
                "/ሴ",
                {},
                b"",
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            (
                "get-vanilla-utf8-query",
                "GET",
                "/?ሴ=bar",
                {},
                b"",
                "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
            ),
            (
                "get-header-value-trim",
                "GET",
                "/",
                {"My-Header1": " value1", "My-Header2": ' "a   b   c"'},
                b"",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "normalize-path/get-relative",
                "GET",
                "/example/..",
                {},
                b"",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "normalize-path/get-slash-pointless-dot",
                "GET",
                "/./example",
                {},
                b"",
                "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
            ),
            (
                "normalize-path/get-slashes",
                "GET",
                "//example//",
                {},
                b"",
                "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            ),
            (
                "post-vanilla",
                "POST",
                "/",
                {},
                b"",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-header-key-sort",
                "POST",
                "/",
                {"My-Header1": "value1"},
                b"",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                "/",
                FORM,
                b"Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        )
    ],
)
def test_signatures_equal_the_published_suite(
    method: str, url: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    signed = signed_headers(method, HOST + url, headers, body, SUITE)
    assert signed["X-Amz-Date"] == "20150830T123600Z"
    assert signed["Authorization"].endswith(f"Signature={signature}")


def test_the_documented_iam_example_is_signed() -> None:
    iam = Signing(keys=KEYS, region="us-east-1", service="iam", at=SUITE.at)
    content = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
    assert signing_key(iam).hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
    assert signed_headers("GET", url, content, b"", iam)["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_a_session_token_is_sent_and_signed() -> None:
    keys = AwsKeys("AKIDEXAMPLE", "secret", "the-session-token")
    signed = signed_headers("GET", HOST, {}, b"", Signing(keys=keys, region="eu", service="aps", at=SUITE.at))
    assert signed["X-Amz-Security-Token"] == "the-session-token"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in signed["Authorization"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://x.example:443/a", "x.example"),
        ("http://x.example:8080/a", "x.example:8080"),
        ("http://[::1]:9/a", "[::1]:9"),
    ],
)
def test_the_signed_host_is_the_one_that_is_sent(url: str, host: str) -> None:
    assert signed_headers("GET", url, {}, b"", SUITE)["Host"] == host


def test_escapes_and_blanks_of_a_query_do_not_change_what_is_signed() -> None:
    one, other = (
        signed_headers("GET", f"{HOST}/?{query}", {}, b"", SUITE)["Authorization"]
        for query in ("b=x%20y&a=%2f", "a=%2F&b=x%20y")
    )
    assert one == other


def test_keys_do_not_show_their_secrets() -> None:
    shown = repr(Signing(keys=AwsKeys("AKID", "hunter2", "hunter3"), region="r", service="s", at=SUITE.at))
    assert re.search("hunter", shown) is None
    assert "AKID" in shown
