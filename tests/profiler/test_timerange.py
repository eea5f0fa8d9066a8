from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.timerange import parse_duration, parse_time

NOW = 1_772_366_400_000_000_000
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T13:00:00+01:00", NOW),
        ("2026-03-01 12:00:00z", NOW),
        ("2026-03-01T12:00:00.123456789Z", NOW + 123_456_789),
        ("1772366400", NOW),
        ("1772366400.25", NOW + SECOND // 4),
        ("1772366400000", NOW),
        ("1772366400000.5", NOW + 500_000),
        ("now", NOW),
        ("now-15m", NOW - 900 * SECOND),
        ("now-1d12h", NOW - 36 * 3600 * SECOND),
        ("0", 0),
    ],
)
def test_a_time_is_exact_to_the_nanosecond(text: str, expected: int) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "now-",
        "now-5",
        "now-5y",
        "now+5m",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-02-30T12:00:00Z",
        "2026-03-01T12:00:60Z",
        "2026-03-01T12:00:00+99:00",
        "1e9",
        "-5",
        "٣",
        "now-9999w",
        "2300-01-01T00:00:00Z",
        "9" * 19,
        "9" * 5000,
        "now\n",
    ],
)
def test_what_is_no_time_is_refused_on_one_short_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_time(text, NOW)
    assert repr(text[:20])[:-1] in str(caught.value)
    assert len(str(caught.value)) < 150 and "\n" not in str(caught.value)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2262, 1, 1), timezones=st.just(UTC)))
def test_what_isoformat_writes_is_read_back(moment: datetime) -> None:
    micros = parse_time(moment.isoformat(), NOW) // 1000
    assert micros % 1_000_000 == moment.microsecond
    assert micros // 1_000_000 == int(moment.replace(microsecond=0).timestamp())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("15s", 15), ("1m", 60), ("1h30m", 5400), ("2w", 14 * 86400), ("15", 15), ("0.5", 0.5)],
)
def test_a_duration_has_units_or_counts_seconds(text: str, expected: float) -> None:
    assert parse_duration(text) == expected * SECOND


def test_milliseconds_are_not_minutes() -> None:
    assert parse_duration("5m250ms") == 300_250_000_000


@pytest.mark.parametrize("text", ["", "s", "5y", "-5s", "1.5h", "5 s", "9" * 12 + "w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"duration|292 years"):
        parse_duration(text)
