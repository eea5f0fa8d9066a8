"""The reader of ring buffers, over a file laid out as the kernel lays out the map."""

import mmap
import os
import struct
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.kernel.ring import Ring

PAGE = mmap.PAGESIZE
SIZE = 4 * PAGE
BUSY, DISCARDED = 1 << 31, 1 << 30


class Producer:
    """The kernel's side: what it would write, into a file in memory."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.truncate(self.fd, 2 * PAGE + SIZE)

    def start_at(self, position: int) -> None:
        os.pwrite(self.fd, struct.pack("Q", position), 0)
        os.pwrite(self.fd, struct.pack("Q", position), PAGE)

    @property
    def consumed(self) -> int:
        return int(struct.unpack("Q", os.pread(self.fd, 8, 0))[0])

    @property
    def produced(self) -> int:
        return int(struct.unpack("Q", os.pread(self.fd, 8, PAGE))[0])

    def write(self, data: bytes, flags: int = 0) -> int:
        """The place of the header, for `finish`."""
        position = self.produced
        self._write(position, struct.pack("II", len(data) | flags, 0) + data)
        end = position + (8 + len(data) + 7) // 8 * 8
        os.pwrite(self.fd, struct.pack("Q", end), PAGE)
        return position

    def finish(self, position: int, length: int) -> None:
        self._write(position, struct.pack("I", length))

    def _write(self, position: int, data: bytes) -> None:
        for offset, byte in enumerate(data):
            os.pwrite(self.fd, bytes([byte]), 2 * PAGE + (position + offset) % SIZE)


@pytest.fixture
def producer() -> Iterator[Producer]:
    producer = Producer()
    yield producer
    os.close(producer.fd)


def test_a_record_is_read_once_and_its_room_given_back(producer: Producer) -> None:
    with Ring(producer.fd, SIZE) as ring:
        producer.write(b"sample")
        assert ring.read() == [b"sample"]
        assert producer.consumed == producer.produced
        assert ring.read() == []


def test_reading_stops_before_a_record_that_is_still_being_written(producer: Producer) -> None:
    with Ring(producer.fd, SIZE) as ring:
        producer.write(b"first")
        busy = producer.write(b"second", BUSY)
        producer.write(b"third")
        assert ring.read() == [b"first"]
        producer.finish(busy, 6)
        assert ring.read() == [b"second", b"third"]


def test_read_all_waits_for_the_records_begun_before_it(producer: Producer) -> None:
    with Ring(producer.fd, SIZE) as ring:
        busy = producer.write(b"slow", BUSY)
        finishing = threading.Timer(0.05, producer.finish, (busy, 4))
        finishing.start()
        assert ring.read_all() == [b"slow"]
        finishing.join()


def test_a_discarded_record_is_passed_over(producer: Producer) -> None:
    with Ring(producer.fd, SIZE) as ring:
        producer.write(b"gone", DISCARDED)
        producer.write(b"kept")
        assert ring.read() == [b"kept"]


@settings(max_examples=30)
@given(
    start=st.integers(0, 2 * SIZE // 8).map(lambda words: words * 8),
    batches=st.lists(st.lists(st.binary(max_size=300), max_size=8), max_size=6),
)
def test_what_is_written_is_read_wherever_the_ring_begins(
    producer: Producer, start: int, batches: list[list[bytes]]
) -> None:
    producer.start_at(start)
    with Ring(producer.fd, SIZE) as ring:
        for batch in batches:
            for record in batch:
                producer.write(record)
            assert ring.read() == batch
