"""Logs: fields, formats and no secrets."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from rollouts import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    target = io.StringIO()
    yield target
    root.handlers[:] = handlers
    root.setLevel(level)
    logs.forget_secrets()


def test_json_lines_carry_the_fields_of_the_context_and_of_the_record(stream: io.StringIO):
    logs.configure("info", "json", stream)
    with logs.bound(key="ns/r", uid="u1"), logs.bound(revision="3"):
        logging.getLogger("x").info("step %d", 2, extra={"attempt": 4})
    logging.getLogger("x").info("outside")
    first, second = (orjson.loads(line) for line in stream.getvalue().splitlines())
    assert first["message"] == "step 2"
    assert (first["key"], first["uid"], first["revision"], first["attempt"]) == ("ns/r", "u1", "3", 4)
    assert first["level"] == "info"
    assert first["time"].endswith("+00:00")
    assert "key" not in second


def test_a_traceback_is_a_field_in_json_and_lines_in_text(stream: io.StringIO):
    logs.configure("info", "json", stream)
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("x").exception("failed")
        logs.configure("info", "text", stream)
        logging.getLogger("x").exception("failed")
    line, rest = stream.getvalue().split("\n", 1)
    assert "ValueError: no" in orjson.loads(line)["error"]
    assert "Traceback" in rest


def test_text_is_one_line_with_the_fields_at_its_end(stream: io.StringIO):
    logs.configure("warning", "text", stream)
    logging.getLogger("x").info("too quiet")
    with logs.bound(key="ns/r"):
        logging.getLogger("x").warning("slow")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("WARNING slow key=ns/r")


def test_what_is_not_a_terminal_gets_json(stream: io.StringIO):
    logs.configure("info", "auto", stream)
    logging.getLogger("x").info("hello")
    assert orjson.loads(stream.getvalue())["message"] == "hello"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_registered_secret_appears_in_no_form(stream: io.StringIO, form: logs.Format):
    logs.configure("info", form, stream)
    secret = 'p@ss "w0rd"'
    logs.redact(secret)
    try:
        raise ValueError(f"login with {secret} failed")
    except ValueError:
        with logs.bound(reason=f"token {secret}"):
            logging.getLogger("x").exception(
                "tried %s, base64 cEBzcyAidzByZCI=, p%%40ss%%20%%22w0rd%%22", secret
            )
    text = stream.getvalue()
    for form_of_it in ("w0rd", "cEBzcyAidzByZCI=", "p%40ss"):
        assert form_of_it not in text
    assert text.count("***") >= 5


def test_scrubbing_takes_the_longest_secret_first_and_leaves_short_words_alone(stream: io.StringIO):
    logs.redact("secret")
    logs.redact("secretsquared")
    logs.redact("ab")
    assert logs.scrub("ab secretsquared secret") == "ab *** ***"


@pytest.mark.parametrize(
    ("level", "form", "message"),
    [("loud", "json", "log level is 'loud'"), ("info", "xml", "log format is 'xml'")],
)
def test_an_unknown_level_or_format_is_refused(level: str, form: logs.Format, message: str):
    with pytest.raises(ValueError, match=message):
        logs.configure(level, form, io.StringIO())
