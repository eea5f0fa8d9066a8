"""The blobs give back what was put in, stay small, and say so when they are damaged."""

from contextlib import suppress
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.model import Frame
from server.store import blob as blobs
from server.store import codec
from server.store.blob import DamagedError
from server.store.codec import Entries
from tests.profiler import strategies

counts = st.one_of(st.integers(0, 255), st.integers(256, 2**50))


@st.composite
def entries(draw: st.DrawFn) -> Entries:
    nodes = sorted(draw(st.sets(st.one_of(st.integers(0, 300), st.integers(0, 2**31 - 1)))))
    samples = draw(st.lists(counts, min_size=len(nodes), max_size=len(nodes)))
    values = [draw(counts) for _ in nodes] if draw(st.booleans()) else []
    return Entries(*(np.array(column, np.int64) for column in (nodes, samples, values)))


@given(st.lists(entries(), min_size=1, max_size=4))
def test_entries_come_back(given_entries: list[Entries]) -> None:
    blobs = codec.encode_entries(given_entries)
    for blob, one in zip(blobs, given_entries, strict=True):
        read = codec.decode_entries(blob)
        assert read.nodes.tolist() == one.nodes.tolist()
        assert read.samples.tolist() == one.samples.tolist()
        assert read.values.tolist() == one.values.tolist()


def test_a_blob_does_not_depend_on_those_that_are_made_with_it() -> None:
    one, other = (np.array(column, np.int64) for column in ([70_000, 200_000], [3, 300]))
    given = [
        Entries(one, other, other),
        Entries(one[:0], one[:0], one[:0]),
        Entries(other, one, one),
    ]
    alone = [codec.encode_entries([entries])[0] for entries in given]
    assert codec.encode_entries(given) == alone


@given(st.lists(strategies.frames, min_size=1, max_size=20))
def test_frames_come_back(frames: list[Frame]) -> None:
    rows = [astuple(frame) for frame in frames]
    assert codec.decode_frames(codec.encode_frames(rows)) == rows


@given(st.integers(1, 2**20), st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 2**31))))
def test_nodes_come_back(first: int, rows: list[tuple[int, int]]) -> None:
    parents = np.array([min(parent, first + i - 1) for i, (parent, _) in enumerate(rows)], np.int64)
    frames = np.array([frame for _, frame in rows], np.int64)
    read = codec.decode_nodes(codec.encode_nodes(parents, frames, first), first)
    assert [column.tolist() for column in read] == [parents.tolist(), frames.tolist()]


def test_an_entry_takes_less_than_two_bytes() -> None:
    choose = np.random.default_rng(1)
    nodes = np.sort(choose.choice(100_000, 1000, replace=False)).astype(np.int64)
    samples = choose.geometric(0.6, 1000).astype(np.int64)
    assert len(codec.encode_entries([Entries(nodes, samples, samples[:0])])[0]) < 2000


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(0, 255))
def test_whatever_a_damaged_blob_holds_it_is_refused_or_read(
    tail: bytes, at: int, byte: int
) -> None:
    """The database may rot; what is read from it must not end the server."""
    one = np.array([1, 2, 300], np.int64)
    blob = bytearray(codec.encode_entries([Entries(one, one, one)])[0])
    blob[min(at, len(blob) - 1)] = byte
    for damaged in (bytes(blob), b"\x01" + tail, bytes(blob[:at])):
        for decode in (codec.decode_entries, codec.decode_frames):
            with suppress(DamagedError):
                decode(damaged)


def test_a_blob_of_a_later_version_is_refused_by_its_number() -> None:
    with pytest.raises(DamagedError, match="version '02', this server knows '01'"):
        codec.decode_entries(b"\x02")


def test_a_blob_that_unpacks_to_more_than_it_may_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = np.arange(1000, dtype=np.int64)
    (blob,) = codec.encode_entries([Entries(many, many, many)])
    monkeypatch.setattr(blobs, "_PLAIN_BYTES", 1000)
    with pytest.raises(DamagedError, match="at most 1000"):
        codec.decode_entries(blob)
