"""What has grown of the trees of profiles, kept from drain to drain.

Most stacks are called as others of the drain before were: of Python, node and PostgreSQL, 80 %. So
the nodes stay, and the frames that were asked for; a drain asks for what is new in it. What may
have other frames in the next drain is forgotten after each.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from collector.processes.cache import Process
from collector.sources.raw import RawSample
from collector.symbols.addresses import Addresses, Memo
from collector.symbols.answer import Answer
from collector.symbols.counters import Counters
from collector.unwind.python.stacks import Entry
from profiler.model import ROOT, Frame, Kind, Labels, Profile, ProfileBuilder, ProfileType

MAX_NODES = 10_000
"""With more, everything is forgotten. Some 600 bytes each; the three programs above, on two CPUs,
begin with 3,000 and add 500 a drain."""

_Key = tuple[Labels, int, str, str]
"""A series, a process, the name of a thread, and why its stacks are cut."""


class Forest:
    """`kernel` answers for the kernel's addresses. A drain ends with `take`."""

    def __init__(self, kernel: Callable[[int], Answer], counters: Counters) -> None:
        self._answer_kernel = kernel
        self._counters = counters
        self.forget()

    def forget(self) -> None:
        self.kernel = Memo(self._answer_kernel, self._counters)
        self._programs: dict[int, tuple[Addresses, Memo[Entry]]] = {}
        self._builders: dict[Labels, ProfileBuilder] = {}
        self._trees: dict[_Key, Tree] = {}
        self._begin()

    def frames(self, process: Process, look: Callable[[], Addresses]) -> Memo[Entry]:
        """The frames of a program's stack entries; `look` is where they are asked for."""
        known = self._programs.get(process.pid)
        if known is None or not known[0].renew(process):
            addresses = look()
            known = addresses, Memo(addresses.answer, self._counters)
        self._used_programs[process.pid] = known
        return known[1]

    def builder(self, labels: Labels) -> ProfileBuilder:
        builder = self._builders.get(labels) or ProfileBuilder()
        return self._used_builders.setdefault(labels, builder)

    def tree(
        self, labels: Labels, pid: int, thread: str, truncated: str, user: Memo[Entry]
    ) -> "Tree":
        """The tree of the samples of `thread`, whose user stacks have the frames `user`."""
        key = labels, pid, thread, truncated
        builder = self.builder(labels)
        tree = self._trees.get(key)
        if tree is None or tree.frames is not user:
            tree = Tree(builder, thread, truncated, user, self.kernel)
        self._used_trees[key] = tree
        return tree

    def take(
        self, type: ProfileType, period: int, start_ns: int, duration_ns: int
    ) -> tuple[Profile, ...]:
        """The profiles of the drain. What was not in it is forgotten."""
        taken = tuple(
            replace(
                builder.take(),
                type=type,
                period=period,
                start_ns=start_ns,
                duration_ns=duration_ns,
                labels=labels,
            )
            for labels, builder in self._used_builders.items()
        )
        if sum(map(len, self._used_builders.values())) > MAX_NODES:
            self.forget()
            return taken
        self._programs, self._builders = self._used_programs, self._used_builders
        self._trees = self._used_trees
        for tree in self._trees.values():
            tree.forget_passing()
        for _, frames in self._programs.values():
            frames.forget_passing()
        self.kernel.forget_passing()
        self._begin()
        return taken

    def _begin(self) -> None:
        self._used_programs: dict[int, tuple[Addresses, Memo[Entry]]] = {}
        self._used_builders: dict[Labels, ProfileBuilder] = {}
        self._used_trees: dict[_Key, Tree] = {}


class Tree:
    """The part of a profile with the stacks of one process and thread name."""

    def __init__(
        self,
        builder: ProfileBuilder,
        thread: str,
        truncated: str,
        user: Memo[Entry],
        kernel: Memo[int],
    ) -> None:
        top = [Frame(thread, kind=Kind.THREAD)]
        if truncated:
            top.append(Frame(f"[truncated: {truncated}]", kind=Kind.MARKER))
        self.frames = user
        self._builder = builder
        self._top = builder.node(ROOT, top)
        self._user = _Nodes(builder, user)
        self._kernel = _Nodes(builder, kernel)

    def add(self, sample: RawSample, value: int) -> None:
        node = self._user.leaf(self._top, sample.user)
        node = self._kernel.leaf(node, sample.kernel)
        self._builder.count(node, sample.count, value)

    def forget_passing(self) -> None:
        self._user.forget_passing()
        self._kernel.forget_passing()


class _Nodes(dict[tuple[int, Entry], int]):
    """The nodes below others: nodes[above, entry].

    An entry is the address that a call returns to, which may be the first of the next line or
    function: the call lies before it.
    """

    def __init__(self, builder: ProfileBuilder, frames: Memo[Any]) -> None:
        super().__init__()
        self._builder = builder
        self._frames = frames
        self._passing: list[tuple[int, Entry]] = []

    def leaf(self, node: int, stack: Sequence[Entry]) -> int:
        """The node of a stack, leaf first, below `node`. The leaf's address is where it stands."""
        for entry in stack[:0:-1]:
            node = self[node, entry]
        return self[node, _after(stack[0])] if stack else node

    def forget_passing(self) -> None:
        for key in self._passing:
            del self[key]
        self._passing.clear()

    def __missing__(self, key: tuple[int, Entry]) -> int:
        above, entry = key
        asked = _before(entry)
        node = self[key] = self._builder.node(above, self._frames[asked])
        if asked in self._frames.passing:
            self._passing.append(key)
        return node


def _before(entry: Entry) -> Entry:
    return max(entry - 1, 0) if isinstance(entry, int) else entry


def _after(entry: Entry) -> Entry:
    return entry + 1 if isinstance(entry, int) else entry
