"""Durations are read and written as Go does."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.spec.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("300ms", 0.3),
        ("0", 0),
        ("-2s", -2),
        ("+1m0.5s", 60.5),
        (".5s", 0.5),
        ("1us", 0.000001),
        ("1µs", 0.000001),
        ("1500ns", 0.000001),
    ],
)
def test_go_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "5 m", "m5", "1d", "s", "-", "1h 2m", "1e3s", "9999999999h", "1.2.3s"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (5400, "1h30m0s"), (1.5, "1.5s"), (0.25, "250ms"), (-90, "-1m30s"), (0.000003, "3µs")],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@given(st.timedeltas(min_value=timedelta(days=-365), max_value=timedelta(days=365)))
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration
