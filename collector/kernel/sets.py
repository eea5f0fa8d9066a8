"""The two sets of maps: which one the program fills, and what the other one holds."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from ctypes import sizeof
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from collector.kernel import abi, cpus, grace
from collector.kernel.maps import Map
from collector.kernel.program import Loaded
from collector.kernel.raw import RawSamples, Record, addresses
from collector.kernel.ring import Ring
from collector.kernel.stacks import Key, Stacks, WalkSaved, unwalked
from profiler.errors import ProfilerError

Totals = NDArray[np.uint64]
"""By abi.Counter."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a set held since it was last taken:

    counters[TAKEN] == sum(samples.values()) + sum(counters[cause] for cause in LOSSES)

    `values` are what the samples of a key add up to, 0 where each has the same value. `times_ns`
    has a monotonic time at which each (tgid, exec_id) ran, as far as that is told.
    """

    counters: dict[abi.Counter, int]
    samples: Counter[Key]
    values: Counter[Key]
    times_ns: dict[tuple[int, int], int]


class Sets:
    """The maps of a loaded program, from entry to exit; the program begins with set 0."""

    def __init__(self, loaded: Loaded) -> None:
        fds, sizes = loaded.maps, loaded.sizes
        self._sizes = sizes
        self._ring_fd = fds.get(abi.RING)
        self._stacks = [map_of(fds, name, 4, 8 * sizes.depth) for name in abi.STACKS]
        sizes_of_count = sizeof(abi.CountKey), sizeof(abi.Count)
        self._counts = [map_of(fds, name, *sizes_of_count) for name in abi.COUNTS]
        self._counters = map_of(fds, abi.COUNTERS, 4, sizeof(abi.Counters), copies=cpus.possible())
        self._active = map_of(fds, abi.ACTIVE, 4, 4)
        self._drain = 0
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

    def look(self) -> None:
        """To be called before a swap and before the end: the last that this set hears of."""

    def swap(self) -> None:
        """From now on, programs that start fill the other set."""
        self._drain = (self._drain + 1) % (1 << 32)
        self._active.update(bytes(4), _u32(self._drain))

    def take(self, walk: WalkSaved = unwalked) -> Contents:
        """What the set held that was active before the swap; leaves it empty. `walk` goes over
        the stacks that were saved to be walked now."""
        grace.wait()
        number = self._filled
        stacks = self._walked_stacks(number)
        samples, values = Counter[Key](), Counter[Key]()
        for _, key, count, value in self._records(number, stacks, walk):
            samples[key] += count
            values[key] += value
        for counted, found in self._counted(number):
            if found.samples:  # 0: its only sample came through the ring
                key = stacks.of_count(counted)
                samples[key] += found.samples
                values[key] += found.value
        return Contents(self._count(number), samples, values, stacks.times_ns)

    @property
    def counted(self) -> Counter[str]:
        """By the program, up to what was taken last: samples taken, and lost by cause."""
        return samples_of(self._read)

    @property
    def _filled(self) -> int:
        """The set that was active before the swap."""
        return (self._drain + 1) % abi.SETS

    def _walked_stacks(self, number: int) -> Stacks:
        stacks = Stacks(self._sizes.depth)
        for id_, data in self._stacks[number].take_all():
            stacks.kernel[int.from_bytes(id_, "little")] = addresses(data)
        return stacks

    def _records(
        self, number: int, stacks: Stacks, walk: WalkSaved
    ) -> Iterator[tuple[Record, Key, int, int]]:
        """What came through the ring: how often, and what it adds up to."""
        records = self._raw.take(number) if self._raw else []
        walks = iter(walk([record.saved for record, _, _ in records if record.saved]))
        for record, count, value in records:
            key = stacks.of_record(record, next(walks) if record.saved else None)
            yield record, key, count, value

    def _counted(self, number: int) -> Iterator[tuple[abi.CountKey, abi.Count]]:
        for key, count in self._counts[number].take_all():
            yield abi.CountKey.from_buffer_copy(key), abi.Count.from_buffer_copy(count)

    def _count(self, number: int) -> dict[abi.Counter, int]:
        now = total(self._counters, number)
        since = now - self._read[number]
        self._read[number] = now
        return dict(zip(abi.Counter, since.tolist(), strict=True))


def total(counters: Map, number: int) -> Totals:
    """What all CPUs counted of a set since the program was loaded."""
    value = counters.lookup(_u32(number))
    if value is None:
        raise ProfilerError(f"BPF map {abi.COUNTERS} has no set {number}: a stale BPF object")
    sums: Totals = np.frombuffer(value, np.uint64).reshape(-1, len(abi.Counter)).sum(axis=0)
    return sums


def samples_of(totals: Iterable[Totals]) -> Counter[str]:
    """Of several sets together: samples taken, and those of them that the program lost by cause."""
    sums = sum(totals, np.zeros(len(abi.Counter), np.uint64)).tolist()
    return Counter({one.name.lower(): sums[one] for one in (abi.Counter.TAKEN, *abi.LOSSES)})


def map_of(
    fds: Mapping[str, int], name: str, key_size: int, value_size: int, copies: int = 1
) -> Map:
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
