"""What leaves a measurement says nothing of a secret, an address's host and token included."""

import pytest

from analysis.runner import redact

HOOK = "https://robot:pass-word@hooks.example.com:8443/services/T0KEN?key=abcdefgh"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"GET {HOOK}: no answer", "GET *****: no answer"),
        ("Cannot connect to host hooks.example.com:8443", "Cannot connect to host *****:8443"),
        ("401 for /services/T0KEN", "401 for *****"),
        ("redirected with key=abcdefgh", "redirected with *****"),
        ("wrong password pass-word", "wrong password *****"),
    ],
    ids=["whole", "host", "path", "query", "password"],
)
def test_no_part_of_a_secret_address_is_left(text: str, said: str) -> None:
    assert redact(text, [HOOK]) == said


def test_a_one_word_host_and_a_secret_that_is_no_address_hide_nothing_else() -> None:
    assert redact("provider.prometheus: prometheus is down", ["http://prometheus/"]) == (
        "provider.prometheus: prometheus is down"
    )
    assert redact("a: b", ["//[broken", "s3cret"]) == "a: b"
