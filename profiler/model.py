"""The values that every part of the profiler speaks of: frames, profiles, drains.

A profile keeps its stacks as a prefix tree in columns, so that stacks that share their callers
share their storage, and numpy can add a million of them without a Python loop:

    >>> builder = ProfileBuilder()
    >>> main, work = Frame("main"), Frame("work")
    >>> builder.add((main, work), samples=3)
    >>> builder.add((main,), samples=1)
    >>> profile = builder.build()
    >>> profile.parents.tolist(), profile.samples.tolist()
    ([-1, 0, 1], [0, 1, 3])
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from profiler.session import Progress

Labels = tuple[tuple[str, str], ...]
"""Sorted name=value pairs."""


class Kind(IntEnum):
    """What a frame is. The numbers are those of the wire and the store; none is ever reused."""

    NATIVE = 0
    KERNEL = 1
    PYTHON = 2
    JIT = 3
    THREAD = 4
    """The thread's name, the root of its stacks, as `perf script` and flamegraph.pl show it."""
    MARKER = 5
    """Not code: `[truncated: CAUSE]` and the like."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry of a stack, as far as it could be named.

    `address` is an address in the file `binary` (an ELF virtual address; for the kernel, the
    runtime address). A named frame carries the address of its function's first instruction, so
    that equal functions are equal frames; an unnamed one carries the sampled address itself, so
    that it can be named later. `line` is the sampled line, 0 where none is known. `inlined`
    frames have no call of their own: the compiler put them into the frame before them.
    """

    function: str
    file: str = ""
    line: int = 0
    binary: str = ""
    build_id: str = ""
    address: int = 0
    kind: Kind = Kind.NATIVE
    inlined: bool = False

    def __hash__(self) -> int:
        """What tells nearly all frames apart; with all fields it takes three times as long."""
        return hash((self.function, self.line, self.address))


@dataclass(frozen=True, slots=True)
class ProfileType:
    """What is counted: `cpu` in `nanoseconds`, `page_faults` in `count`."""

    name: str
    unit: str


CPU = ProfileType("cpu", "nanoseconds")
OFF_CPU = ProfileType("off_cpu", "nanoseconds")
WALL = ProfileType("wall", "nanoseconds")
"""The time of threads: on a CPU, waiting for one or for something else, and both."""

ROOT = 0
"""The number of the root node, which stands for no frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Samples of one type over a window, as a prefix tree of stacks.

    Columns, one entry a node, node 0 the root, parents before their children:
    `parents` int32 (-1 at the root), `node_frames` int32 index into `frames` (-1 at the root),
    `samples` int64 the number of samples whose leaf this node is, `values` int64 the same in the
    unit of the type (for `cpu`: samples x `period`, so that profiles of different rates add up).
    `period` is the value of one sample, 0 where it varies. Times are Unix nanoseconds; the
    window is [start_ns, start_ns + duration_ns).
    """

    frames: tuple[Frame, ...]
    parents: NDArray[np.int32]
    node_frames: NDArray[np.int32]
    samples: NDArray[np.int64]
    values: NDArray[np.int64]
    type: ProfileType = CPU
    period: int = 0
    start_ns: int = 0
    duration_ns: int = 0
    labels: Labels = ()

    @property
    def total_samples(self) -> int:
        return int(self.samples.sum())

    @property
    def total_value(self) -> int:
        return int(self.values.sum())

    def stack(self, node: int) -> tuple[Frame, ...]:
        """The frames from the root to `node`, root first."""
        frames: list[Frame] = []
        while node != ROOT:
            frames.append(self.frames[self.node_frames[node]])
            node = int(self.parents[node])
        return tuple(reversed(frames))

    def stacks(self) -> Iterator[tuple[tuple[Frame, ...], int, int]]:
        """Every stack that has samples, as (frames root first, samples, value)."""
        for node in np.flatnonzero(self.samples | self.values).tolist():
            yield self.stack(node), int(self.samples[node]), int(self.values[node])


class ProfileBuilder:
    """Collects stacks into a Profile: equal stacks become one node, counts are added."""

    def __init__(self) -> None:
        self._frames: dict[Frame, int] = {}
        self._nodes: dict[tuple[int, int], int] = {}
        self._parents = [-1]
        self._node_frames = [-1]
        self._counts: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        """Nodes so far, the root included; readers of files from outside bound it."""
        return len(self._parents)

    def add(self, stack: Iterable[Frame], samples: int, value: int = 0) -> None:
        """Adds `samples` samples worth `value` with the frames of `stack`, root first."""
        self.count(self.node(ROOT, stack), samples, value)

    def node(self, above: int, frames: Iterable[Frame]) -> int:
        """The node of `frames` below the node `above`, for `count` and for other nodes."""
        for frame in frames:
            number = self._frames.setdefault(frame, len(self._frames))
            above = self._child(above, number)
        return above

    def count(self, node: int, samples: int, value: int = 0) -> None:
        before, worth = self._counts.get(node, (0, 0))
        self._counts[node] = before + samples, worth + value

    def _child(self, parent: int, frame: int) -> int:
        key = (parent, frame)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = len(self._parents)
            self._parents.append(parent)
            self._node_frames.append(frame)
        return node

    def build(
        self,
        type: ProfileType = CPU,
        *,
        period: int = 0,
        start_ns: int = 0,
        duration_ns: int = 0,
        labels: Labels = (),
    ) -> Profile:
        counts = np.zeros((2, len(self._parents)), dtype=np.int64)
        counts[:, list(self._counts)] = np.array(list(self._counts.values()), dtype=np.int64).T
        return Profile(
            frames=tuple(self._frames),
            parents=np.array(self._parents, dtype=np.int32),
            node_frames=np.array(self._node_frames, dtype=np.int32),
            samples=counts[0],
            values=counts[1],
            type=type,
            period=period,
            start_ns=start_ns,
            duration_ns=duration_ns,
            labels=labels,
        )

    def take(self) -> Profile:
        """What was counted since the last time, with no nodes but those of its stacks. All nodes
        stay as they are, to be counted anew."""
        nodes = self._counted()
        node_of = {node: number for number, node in enumerate(nodes)}
        frame_of: dict[int, int] = {}
        for node in nodes[1:]:
            frame_of.setdefault(self._node_frames[node], len(frame_of))
        frames = list(self._frames)
        counts = np.array([self._counts.get(node, (0, 0)) for node in nodes], dtype=np.int64)
        self._counts = {}
        parents = (node_of[self._parents[node]] for node in nodes[1:])
        node_frames = (frame_of[self._node_frames[node]] for node in nodes[1:])
        return Profile(
            frames=tuple([frames[number] for number in frame_of]),
            parents=np.array([-1, *parents], dtype=np.int32),
            node_frames=np.array([-1, *node_frames], dtype=np.int32),
            samples=counts[:, 0].copy(),
            values=counts[:, 1].copy(),
        )

    def _counted(self) -> list[int]:
        """The nodes that were counted and those above them, parents before their children."""
        found = {ROOT}
        for node in self._counts:
            while node not in found:
                found.add(node)
                node = self._parents[node]
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Drain:
    """What a node's collector took from the kernel at once, symbolized, with its accounts.

    `taken` counts the samples that the kernel program took in this window (idle left out), and
    `losses` those of them that no profile holds, by cause; so for every drain

        taken == sum(profile.total_samples for profile in profiles) + sum(losses.values())

    `progress` says of which session the samples are; None: of the usual profile.
    """

    host_name: str
    start_ns: int
    duration_ns: int
    taken: int
    losses: Mapping[str, int] = field(default_factory=dict)
    profiles: tuple[Profile, ...] = ()
    type: ProfileType = CPU
    progress: Progress | None = None

    @property
    def unaccounted(self) -> int:
        """Samples neither held nor lost by name; anything but 0 is a bug in the collector."""
        held = sum(profile.total_samples for profile in self.profiles)
        return self.taken - held - sum(self.losses.values())
