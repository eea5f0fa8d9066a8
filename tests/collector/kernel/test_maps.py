"""Reading and emptying maps, with the calls of this kernel and with those of older ones."""

import ctypes
import errno
import os
from collections.abc import Iterator

import pytest

from collector.kernel import abi, cpus, maps, syscalls
from collector.kernel.loader import load
from collector.kernel.maps import Bpf, Map, Shape
from collector.kernel.perf_event import CPU_CLOCK, Events
from collector.kernel.program import Loaded
from collector.kernel.sets import Sets

HASH = 1
ENTRIES = {number.to_bytes(4, "little"): (number * 7).to_bytes(8, "little") for number in range(50)}

# What the kernel answers to a command that it does not know, or not for this type of map.
KERNELS = {
    "this kernel": set[int](),
    "before 5.6, no batches": {maps.LOOKUP_AND_DELETE_BATCH},
    "before 4.20, no lookup-and-delete": {maps.LOOKUP_AND_DELETE_BATCH, maps.LOOKUP_AND_DELETE},
}
OLDEST = {maps.LOOKUP_AND_DELETE_BATCH, maps.LOOKUP_AND_DELETE, maps.NEXT_KEY}


def without(commands: set[int], number: int = errno.EINVAL) -> Bpf:
    """bpf(2) as a kernel without these commands has it."""

    def bpf(command: int, attributes: ctypes.Structure) -> int:
        if command in commands:
            raise OSError(number, os.strerror(number))
        return syscalls.bpf(command, attributes)

    return bpf


@pytest.fixture
def sampled() -> Iterator[Loaded]:
    """A program that has sampled for a moment; its set 0 holds stacks and counts."""
    with load("auto") as loaded, Events(loaded.program_fd, CPU_CLOCK, 5000) as events:
        events.follow_cpus(cpus.online())
        events.enable()
        sum(range(3_000_000))  # something to sample
        events.disable()
        yield loaded


@pytest.fixture
def hash_fd() -> Iterator[int]:
    fd = maps.create(Shape(HASH, key_size=4, value_size=8, max_entries=100))
    filled = Map(fd)
    for key, value in ENTRIES.items():
        filled.update(key, value)
    yield fd
    os.close(fd)


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_hash_is_read_whole_and_left_empty(hash_fd: int, kernel: str) -> None:
    entries = Map(hash_fd, bpf=without(KERNELS[kernel]))
    assert dict(entries.take_all()) == ENTRIES
    assert dict(Map(hash_fd).take_all()) == {}


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", [*KERNELS, "before 4.16, no walk over stacks"])
def test_all_stacks_are_read_and_their_slots_freed(sampled: Loaded, kernel: str) -> None:
    unknown = KERNELS.get(kernel, OLDEST)
    counts = [
        abi.CountKey.from_buffer_copy(key) for key, _ in Map(sampled.maps["counts_0"]).take_all()
    ]
    ids = {id_ for key in counts for id_ in (key.user_stack, key.kernel_stack)} - {
        abi.NO_STACK,
        abi.NO_USER_STACK,
    }
    stacks = Map(sampled.maps["stacks_0"], bpf=without(unknown))
    # More than are counted: where one stack of a sample collided, the other was stored.
    assert {int.from_bytes(id_, "little") for id_, _ in stacks.take_all()} >= ids
    assert ids
    assert dict(Map(sampled.maps["stacks_0"]).take_all()) == {}


@pytest.mark.kernel
def test_samples_whose_stacks_are_gone_are_kept_and_marked(sampled: Loaded) -> None:
    with Sets(sampled) as sets:
        assert list(Map(sampled.maps["stacks_0"]).take_all())
        sets.swap()
        contents = sets.take()
    lost = sum(contents.counters[cause] for cause in abi.LOSSES)
    assert contents.counters[abi.Counter.TAKEN] == contents.samples.total() + lost
    assert any(key.truncated == "missing" and key.user == () for key in contents.samples)


@pytest.mark.kernel
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, 524])
def test_every_way_to_say_unknown_is_understood(hash_fd: int, number: int) -> None:
    unknown = {maps.LOOKUP_AND_DELETE_BATCH, maps.LOOKUP_AND_DELETE}
    assert dict(Map(hash_fd, bpf=without(unknown, number)).take_all()) == ENTRIES


@pytest.mark.kernel
def test_another_error_is_not_taken_for_unknown(hash_fd: int) -> None:
    refusing = Map(hash_fd, bpf=without({maps.LOOKUP_AND_DELETE_BATCH}, errno.EPERM))
    with pytest.raises(PermissionError):
        list(refusing.take_all())


@pytest.mark.kernel
def test_a_key_or_value_of_another_size_is_refused(hash_fd: int) -> None:
    entries = Map(hash_fd)
    with pytest.raises(ValueError, match="key of 5 bytes for one of 4"):
        entries.lookup(bytes(5))
    with pytest.raises(ValueError, match="value of 7 bytes for one of 8"):
        entries.update(bytes(4), bytes(7))


@pytest.mark.kernel
def test_the_shape_is_what_the_map_was_made_with(hash_fd: int) -> None:
    assert Map(hash_fd).shape == Shape(HASH, key_size=4, value_size=8, max_entries=100)
