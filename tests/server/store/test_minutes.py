"""The rows of sums by minute; that their answers are right, tests/server/test_laws.py says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.store.blob import DamagedError
from server.store.minutes import Minutes, decode, encode
from server.store.spread import Windows

HOUR = 490_000
HOUR_NS = 3600 * 1_000_000_000

counts = st.integers(0, 2**55)


@st.composite
def hours(draw: st.DrawFn) -> Minutes:
    series = sorted(draw(st.sets(st.integers(1, 5000), max_size=4)))
    samples, rest = (np.zeros((len(series), 60), np.int64) for _ in range(2))
    for column in (samples, rest):
        drawn = draw(st.lists(counts, max_size=column.size))
        column.reshape(-1)[: len(drawn)] = drawn
    rest &= 255
    if period := draw(st.sampled_from((0, 1, 10_101_010))):
        samples >>= 30
        parts = (samples * 256 + rest) * period
        values, values_rest = parts >> 8, parts & 255
    else:
        values, values_rest = samples // 3, rest
    beyond = draw(st.lists(st.tuples(*[counts] * 5), max_size=3))
    columns = np.array(beyond, np.int64).reshape(-1, 5).T
    windows = Windows(3, columns[0], columns[1] + HOUR * HOUR_NS, *columns[2:])
    sums = np.array([[samples, values], [rest, values_rest]])
    return Minutes(3, HOUR, np.array(series, np.int64), sums, windows)


@given(hours())
def test_minutes_come_back(sent: Minutes) -> None:
    found = decode(encode(sent), 3, HOUR)
    assert found.series_ids.tolist() == sent.series_ids.tolist()
    assert found.sums.tolist() == sent.sums.tolist()
    for mine, theirs in zip(found.beyond.columns, sent.beyond.columns, strict=True):
        assert mine.tolist() == theirs.tolist()


def test_a_minute_of_a_steady_series_takes_a_few_bytes() -> None:
    samples = np.random.default_rng(1).integers(0, 60 * 64 * 99, (50, 60))
    sums = np.array([[samples, samples * 10_101_010], [samples * 0, samples * 0]])
    nothing = Windows(3, *(np.zeros(0, np.int64) for _ in range(5)))
    blob = encode(Minutes(3, HOUR, np.arange(1, 51), sums, nothing))
    assert len(blob) < 3.1 * samples.size


def test_a_damaged_row_is_refused() -> None:
    nothing = Windows(3, *(np.zeros(0, np.int64) for _ in range(5)))
    blob = encode(Minutes(3, HOUR, np.array([1]), np.ones((2, 2, 1, 60), np.int64), nothing))
    with pytest.raises(DamagedError):
        decode(blob[:-3], 3, HOUR)
