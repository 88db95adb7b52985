from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.api.scalars import (
    ScalarError,
    canonical_quantity,
    format_duration,
    int_or_percent,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (0, 0),
        (30, 30),
        (-5, -5),
        ("0", 0),
        ("90", 90),
        ("+90", 90),
        ("-90", -90),
        ("30s", 30),
        ("1h30m", 5400),
        ("1h30m10s", 5410),
        ("-5m", -300),
        ("+5m", 300),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1.s", 1),
        ("100ms", 0.1),
        ("1.5h", 5400),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1500ns", 0.000001),
        ("1m1m", 120),
        ("0s", 0),
        ("-0", 0),
    ],
)
def test_durations_are_seconds_or_go_text(text: str | int, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", ".s", "1h30", "1 h", "1d", "h1", "1.5", "--5s", "1e3s", "٣s", "9999999999h", True, None, 1.5],
)
def test_what_is_not_a_duration_is_refused(text: object) -> None:
    with pytest.raises(ScalarError, match="wanted"):
        parse_duration(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=1), "1s"),
        (timedelta(seconds=60), "1m0s"),
        (timedelta(hours=1, minutes=30), "1h30m0s"),
        (timedelta(days=2), "48h0m0s"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(milliseconds=100), "100ms"),
        (timedelta(microseconds=1500), "1.5ms"),
        (timedelta(microseconds=15), "15µs"),
        (timedelta(minutes=-5), "-5m0s"),
        (timedelta(hours=1, microseconds=1), "1h0m0.000001s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_durations_are_written_as_go_does(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@given(st.timedeltas(min_value=timedelta(days=-90000), max_value=timedelta(days=90000)))
def test_a_written_duration_reads_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [
        (3, 10, 3, 3),
        (0, 10, 0, 0),
        (-1, 10, -1, -1),
        ("25%", 10, 3, 2),
        ("25%", 0, 0, 0),
        ("25%", 1, 1, 0),
        ("100%", 7, 7, 7),
        ("0%", 7, 0, 0),
        ("150%", 3, 5, 4),
        ("1%", 1000, 10, 10),
        ("-25%", 10, -2, -3),
    ],
)
def test_a_percentage_is_a_share_rounded_up_or_down(value: int | str, total: int, up: int, down: int) -> None:
    assert int_or_percent(value, total, round_up=True) == up
    assert int_or_percent(value, total, round_up=False) == down


@pytest.mark.parametrize("value", ["25", "", "%", "2.5%", " 25%", "25 %", True, None])
def test_a_string_that_is_no_percentage_is_refused(value: object) -> None:
    with pytest.raises(ScalarError, match="neither an integer nor a percentage"):
        int_or_percent(value, 10, round_up=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        # zero
        ("0", "0"),
        ("0m", "0"),
        ("0Ki", "0"),
        ("-0", "0"),
        ("0.0", "0"),
        (0, "0"),
        (0.0, "0"),
        # powers of 1000
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        (".5", "500m"),
        (0.5, "500m"),
        ("0.1", "100m"),
        ("0.001", "1m"),
        ("1", "1"),
        (1, "1"),
        (2.0, "2"),
        ("10", "10"),
        ("1000", "1k"),
        ("12000", "12k"),
        ("1100", "1100"),
        ("1.5", "1500m"),
        ("1.1k", "1100"),
        ("100M", "100M"),
        ("1000M", "1G"),
        ("0.1G", "100M"),
        ("1000000k", "1G"),
        ("1000E", "1e21"),
        ("5n", "5n"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("1.0000000001", "1000000001n"),
        ("123u", "123u"),
        # powers of 1024
        ("1Ki", "1Ki"),
        ("1024Ki", "1Mi"),
        ("1000Ki", "1000Ki"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Mi", "512Ki"),
        ("0.5Ki", "512"),
        ("1.1Ki", "1126400m"),
        ("64Mi", "64Mi"),
        ("2048Ki", "2Mi"),
        ("100Ei", "9223372036854775807"),
        ("-1024Ki", "-1Mi"),
        # exponents
        ("1e3", "1e3"),
        ("1E3", "1E3"),
        ("12e6", "12e6"),
        ("1e4", "10e3"),
        ("100e-1", "10"),
        ("1000e3", "1e6"),
        ("1e-3", "1e-3"),
        ("0.5e3", "500"),
        # signs
        ("-1000m", "-1"),
        ("-5", "-5"),
        # text that Go keeps although a shorter or plainer one exists
        ("1.500", "1.500"),
        ("+5", "+5"),
    ],
)
def test_quantities_are_written_as_the_api_server_does(written: str | float, canonical: str) -> None:
    assert canonical_quantity(written) == canonical


@pytest.mark.parametrize(
    "value",
    ["", "m", ".", "1 Gi", "1gi", "1KiB", "1e", "1e1.5", "--1", "0x10", "1e99999999", True, float("nan")],
)
def test_what_is_not_a_quantity_is_refused(value: object) -> None:
    with pytest.raises(ScalarError, match="not a quantity"):
        canonical_quantity(value)  # type: ignore[arg-type]


@given(
    st.integers(-(10**9), 10**9),
    st.sampled_from(["", "m", "u", "n", "k", "M", "G", "Ki", "Mi", "Gi", "e2", "e3"]),
)
def test_a_canonical_quantity_stays_as_it_is(number: int, suffix: str) -> None:
    once = canonical_quantity(f"{number}{suffix}")
    assert canonical_quantity(once) == once
