"""The profiles of one drain, as its samples find their names.

    profiles = Profiles("node-a", period_ns, look_at, kernel)
    profiles.add(sample)
    profiles.builders

A stack has some 30 frames, and all but the last few were in another one. So the tree of a profile
is grown by the entries of the stacks, one look-up each; frames are asked for where a stack leaves
what has grown so far.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from collector.processes.cache import Process
from collector.processes.labels import process_labels
from collector.processes.text import printable
from collector.pyspy.placement import Sample, Sighting, place, runs_python
from collector.sources.raw import RawSample
from collector.symbols.addresses import Memo
from collector.symbols.counters import Counters
from collector.unwind.python.stacks import Entry
from profiler.model import ROOT, Frame, Kind, Labels, ProfileBuilder

LookAt = Callable[[int, int], tuple[Process, Memo[Entry]]]
"""A process by its pid and a time, and the frames of its stacks' entries."""


class Profiles:
    """`sightings` are what py-spy saw of processes, by pid: `place_sighted` puts its stacks in
    place of theirs, once all samples are added."""

    def __init__(
        self,
        host_name: str,
        period_ns: int,
        look_at: LookAt,
        kernel: Memo[int],
        sightings: Mapping[int, Sighting],
    ) -> None:
        self.builders: defaultdict[Labels, ProfileBuilder] = defaultdict(ProfileBuilder)
        self._host_name = host_name
        self._period_ns = period_ns
        self._look_at = look_at
        self._kernel = kernel
        self._sightings = sightings
        self._sighted: dict[int, tuple[Process, ProfileBuilder]] = {}
        self._programs: dict[tuple[int, int], tuple[Process, Memo[Entry]]] = {}
        self._trees: dict[tuple[int, int, str, str], _Tree] = {}

    def add(self, sample: RawSample) -> None:
        key = sample.pid, sample.time_ns, sample.thread_name, sample.truncated
        tree = self._trees.get(key)
        if tree is None:
            tree = self._trees[key] = self._tree(sample)
        tree.add(sample, sample.count * self._period_ns)

    def place_sighted(self, duration_ns: int, counters: Counters) -> None:
        for pid, (process, builder) in self._sighted.items():
            stacks = builder.build().stacks()
            samples = [Sample(frames[0].function, frames, count) for frames, count, _ in stacks]
            of_python = [sample for sample in samples if runs_python(sample.frames)]
            room = self._sightings[pid].room(duration_ns, self._period_ns)
            for sample in place(of_python, self._sightings[pid], room):
                counters.spied["python" if sample.spied else "native"] += sample.count
                self._put(process, sample)
            for sample in samples:
                if not runs_python(sample.frames):
                    self._put(process, sample)

    def _put(self, process: Process, sample: Sample) -> None:
        builder = self._builder(process, sample.thread)
        builder.add(sample.frames, sample.count, sample.count * self._period_ns)

    def _tree(self, sample: RawSample) -> "_Tree":
        program = sample.pid, sample.time_ns
        if program not in self._programs:
            self._programs[program] = self._look_at(*program)
        process, user = self._programs[program]
        thread = printable(sample.thread_name)
        top = [Frame(thread, kind=Kind.THREAD)]
        if sample.truncated:
            top.append(Frame(f"[truncated: {sample.truncated}]", kind=Kind.MARKER))
        if sample.pid not in self._sightings:
            builder = self._builder(process, thread)
        else:
            _, builder = self._sighted.get(sample.pid) or (process, ProfileBuilder())
            self._sighted[sample.pid] = process, builder
        return _Tree(builder, top, user, self._kernel)

    def _builder(self, process: Process, thread: str) -> ProfileBuilder:
        return self.builders[process_labels(self._host_name, process, thread)]


class _Tree:
    """The part of a profile below `top`: the stacks of one process and thread name."""

    def __init__(
        self,
        builder: ProfileBuilder,
        top: Sequence[Frame],
        user: Memo[Entry],
        kernel: Memo[int],
    ) -> None:
        self._builder = builder
        self._top = builder.node(ROOT, top)
        self._user = _Nodes(builder, user)
        self._kernel = _Nodes(builder, kernel)

    def add(self, sample: RawSample, value: int) -> None:
        node = self._user.leaf(self._top, sample.user)
        node = self._kernel.leaf(node, sample.kernel)
        self._builder.count(node, sample.count, value)


class _Nodes(dict[tuple[int, Entry], int]):
    """The nodes below others: nodes[above, entry].

    An entry is the address that a call returns to, which may be the first of the next line or
    function: the call lies before it.
    """

    def __init__(self, builder: ProfileBuilder, frames: Memo[Any]) -> None:
        super().__init__()
        self._builder = builder
        self._frames = frames

    def leaf(self, node: int, stack: Sequence[Entry]) -> int:
        """The node of a stack, leaf first, below `node`. The leaf's address is where it stands."""
        for entry in stack[:0:-1]:
            node = self[node, entry]
        return self[node, _after(stack[0])] if stack else node

    def __missing__(self, key: tuple[int, Entry]) -> int:
        above, entry = key
        node = self[key] = self._builder.node(above, self._frames[_before(entry)])
        return node


def _before(entry: Entry) -> Entry:
    return max(entry - 1, 0) if isinstance(entry, int) else entry


def _after(entry: Entry) -> Entry:
    return entry + 1 if isinstance(entry, int) else entry
