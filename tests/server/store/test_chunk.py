"""Profiles come back out of a chunk one by one, cut anywhere, and stay small in it."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from server.store import chunk
from server.store.chunk import Chunk
from server.store.codec import Entries, decode_sums, encode_sums

HOUR_NS = 490_896 * 3600 * 10**9
Profile = tuple[int, int, dict[int, tuple[int, int]]]
"""Start after the hour's, duration, (samples, value) by node."""

counts = st.one_of(st.integers(0, 3), st.integers(0, 2**40))
nodes = st.one_of(st.integers(0, 300), st.integers(0, 2**20))
moments = st.one_of(st.integers(0, 20), st.integers(0, 3600 * 10**9 - 1))
profiles = st.lists(
    st.tuples(
        moments, moments, st.dictionaries(nodes, st.tuples(counts, counts), min_size=1, max_size=8)
    ),
    min_size=1,
    max_size=8,
)


def one(profile: Profile, implied: bool) -> Chunk:
    start, duration, counted = profile
    held = sorted(counted)
    samples, values = ([counted[node][column] for node in held] for column in (0, 1))
    columns = (held, samples, [] if implied else values)
    entries = Entries(*(np.array(column, np.int64) for column in columns))
    return Chunk.of(HOUR_NS + start, duration, entries)


def summed(profiles: list[Profile], implied: bool) -> dict[int, tuple[int, int]]:
    total: dict[int, tuple[int, int]] = {}
    for _, _, counted in profiles:
        for node, (samples, value) in counted.items():
            before = total.get(node, (0, 0))
            total[node] = before[0] + samples, before[1] + (0 if implied else value)
    return total


def as_dictionary(entries: Entries) -> dict[int, tuple[int, int]]:
    values = entries.values if len(entries.values) else np.zeros_like(entries.nodes)
    rows = zip(entries.nodes.tolist(), entries.samples.tolist(), values.tolist(), strict=True)
    found = {node: (samples, value) for node, samples, value in rows}
    assert list(found) == sorted(found) and len(found) == len(entries.nodes)
    return found


@given(profiles, st.booleans(), st.integers(0, 8), moments, moments)
def test_a_chunk_gives_the_sums_of_any_part_of_its_hour(
    given_profiles: list[Profile], implied: bool, first: int, a: int, b: int
) -> None:
    chunks = [one(profile, implied) for profile in given_profiles]
    earlier, later = chunks[:first], chunks[first:]
    whole = chunk.merge([*([chunk.merge(earlier)] if earlier else []), *later])
    sums = decode_sums(encode_sums(whole.sums()))
    times = chunk.decode_times(chunk.encode_times(whole.times, HOUR_NS), HOUR_NS)
    blob = chunk.encode_profiles(whole.entries, sums.nodes)
    stored = chunk.decode_profiles(blob, sums.nodes)

    assert as_dictionary(sums) == summed(given_profiles, implied)
    starts = sorted(HOUR_NS + start for start, _, _ in given_profiles)
    assert times.t0_ns.tolist() == starts
    part = times.between(HOUR_NS + min(a, b), HOUR_NS + max(a, b))
    inside = [profile for profile in given_profiles if min(a, b) <= profile[0] < max(a, b)]
    found = chunk.cut(times, stored, sums.nodes, part)
    assert as_dictionary(found) == summed(inside, implied)
    totals = times[part].totals(period=3)
    values = summed(inside, implied).values()
    assert totals.profiles == len(inside)
    assert totals.samples == sum(samples for samples, _ in values)
    has_values = not implied and any(counted for _, _, counted in given_profiles)
    if has_values:
        assert totals.value == sum(value for _, value in values)


def test_profiles_of_one_time_stay_in_their_order() -> None:
    first, second = (one((5, 1, {node: (1, 0)}), True) for node in (9, 3))
    both = chunk.merge([second, first])
    assert both.entries.nodes.tolist() == [3, 9]
    late = chunk.merge([both, replace(first, times=one((4, 1, {9: (1, 0)}), True).times)])
    assert late.entries.nodes.tolist() == [9, 3, 9]


def test_an_entry_takes_less_than_a_byte_and_a_half_with_the_sums_of_the_hour() -> None:
    choose = np.random.default_rng(1)
    weights = 1 / (np.arange(20_000) + 4) ** 1.07
    chunks = []
    for number in range(60):
        held = choose.choice(20_000, 700, replace=False, p=weights / weights.sum())
        samples = choose.geometric(0.6, 700).astype(np.int64)
        entries = Entries(np.sort(held).astype(np.int64), samples, samples[:0])
        chunks.append(Chunk.of(HOUR_NS + number * 60 * 10**9, 60 * 10**9, entries))
    whole = chunk.merge(chunks)
    sums = whole.sums()
    blobs = (
        chunk.encode_times(whole.times, HOUR_NS),
        chunk.encode_profiles(whole.entries, sums.nodes),
        encode_sums(sums),
    )
    assert sum(map(len, blobs)) < 1.5 * len(whole.entries.nodes)
