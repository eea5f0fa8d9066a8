"""The two sets of maps: which one the program fills, and what the other one holds."""

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from ctypes import sizeof
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from collector.kernel import abi, cpus, grace
from collector.kernel.maps import Map
from collector.kernel.program import Loaded
from collector.kernel.raw import RawSamples, addresses
from collector.kernel.ring import Ring
from collector.kernel.stacks import Key, Stacks, WalkSaved, unwalked
from profiler.errors import ProfilerError


@dataclass(frozen=True, slots=True)
class Contents:
    """What a set held since it was last taken:

    counters[TAKEN] == sum(samples.values()) + sum(counters[cause] for cause in LOSSES)

    `times_ns` has a monotonic time at which each (tgid, exec_id) ran, as far as that is told.
    """

    counters: Mapping[abi.Counter, int]
    samples: Counter[Key]
    times_ns: Mapping[tuple[int, int], int]


class Sets:
    """The maps of a loaded program, from entry to exit; the program begins with set 0."""

    def __init__(self, loaded: Loaded) -> None:
        fds, sizes = loaded.maps, loaded.sizes
        self._sizes = sizes
        self._ring_fd = fds.get(abi.RING)
        self._stacks = [_map(fds, name, 4, 8 * sizes.depth) for name in abi.STACKS]
        self._counts = [_map(fds, name, sizeof(abi.CountKey), 8) for name in abi.COUNTS]
        self._counters = _map(fds, abi.COUNTERS, 4, sizeof(abi.Counters), copies=cpus.possible())
        self._active = _map(fds, abi.ACTIVE, 4, 4)
        self._number = 0
        self._read = [np.zeros(len(abi.Counter), np.uint64) for _ in range(abi.SETS)]
        self._raw: RawSamples | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._ring_fd is not None:
            ring = self._open.enter_context(Ring(self._ring_fd, self._sizes.ring_bytes))
            self._raw = self._open.enter_context(RawSamples(ring))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def swap(self) -> None:
        """From now on, programs that start fill the other set."""
        self._number = 1 - self._number
        self._active.update(bytes(4), _u32(self._number))

    def take(self, walk: WalkSaved = unwalked) -> Contents:
        """What the set held that was active before the swap; leaves it empty. `walk` goes over
        the stacks that were saved to be walked now."""
        grace.wait()
        number = 1 - self._number
        stacks = Stacks(self._sizes.depth)
        for id_, data in self._stacks[number].take_all():
            stacks.kernel[int.from_bytes(id_, "little")] = addresses(data)
        samples = Counter[Key]()
        records = self._raw.take(number) if self._raw else []
        walks = iter(walk([record.saved for record, _ in records if record.saved]))
        for record, count in records:
            samples[stacks.of_record(record, next(walks) if record.saved else None)] += count
        for counted, value in self._counts[number].take_all():
            if any(value):  # 0: its only sample came through the ring
                sample = stacks.of_count(abi.CountKey.from_buffer_copy(counted))
                samples[sample] += int.from_bytes(value, "little")
        return Contents(self._count(number), samples, stacks.times_ns)

    def _count(self, number: int) -> dict[abi.Counter, int]:
        value = self._counters.lookup(_u32(number))
        if value is None:
            raise ProfilerError(f"BPF map {abi.COUNTERS} has no set {number}: a stale BPF object")
        total = np.frombuffer(value, np.uint64).reshape(-1, len(abi.Counter)).sum(axis=0)
        since = total - self._read[number]
        self._read[number] = total
        return dict(zip(abi.Counter, since.tolist(), strict=True))


def _map(fds: Mapping[str, int], name: str, key_size: int, value_size: int, copies: int = 1) -> Map:
    """Raises ProfilerError where the map is not what profile.h says."""
    found = Map(fds[name], copies=copies)
    if (found.shape.key_size, found.shape.value_size) != (key_size, value_size):
        raise ProfilerError(
            f"BPF map {name} has keys of {found.shape.key_size} and values of "
            f"{found.shape.value_size} bytes, expected {key_size} and {value_size}: "
            "rebuild the BPF object (make bpf)"
        )
    return found


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")
