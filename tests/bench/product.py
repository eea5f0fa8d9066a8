"""The product at work on one program: its own sampler, sources and names, beside its sampler by
frame pointers on the same processes.

    tree = Tree()
    with Watch(tree, 499, folder, whole_machine=False) as watch:
        …
        seen = watch.drain()
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.labels.labeller import Labelling
from collector.processes.events import Event, Forked
from collector.sources.live import LiveSource
from collector.sources.raw import RawDrain
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Drain, Frame
from tests.bench import bpf, proc

HOST = "bench"
MAX_ANCESTORS = 100

Stack = tuple[tuple[Frame, ...], int]
"""Frames, root first, and the samples that have them."""


class Tree(ProcessEvents):
    """The process events that the collector reads; remembers from them who descends from whom.

    `pid in tree`: a process of `roots`, or one that descends from them, alive or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.roots: frozenset[int] = frozenset()
        self._parents: dict[int, int] = {}

    def begin(self, roots: Iterable[int]) -> None:
        """From now on, these are the roots."""
        self.roots = frozenset(roots)
        self.alive()

    def read(self) -> list[Event]:
        events = super().read()
        for event in events:
            if isinstance(event, Forked):
                self._parents[event.pid] = event.parent
        return events

    def __contains__(self, pid: int) -> bool:
        for _ in range(MAX_ANCESTORS):
            if pid in self.roots:
                return True
            if pid not in self._parents:
                return False
            pid = self._parents[pid]
        return False  # numbers were used again, and go round in a circle

    def alive(self) -> list[int]:
        """Those that run now; a process that outlived its parent has another one by now."""
        known = proc.parents()
        for pid, parent in known.items():
            self._parents.setdefault(pid, parent)
        return [pid for pid in known if pid in self]


class Chosen(Symbolizer):
    """Names the samples of a tree alone."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(Labelling(HOST))
        self._tree = tree

    def symbolize(self, raw: RawDrain, *rest: Any) -> Drain:
        chosen = tuple(sample for sample in raw.samples if sample.pid in self._tree)
        return super().symbolize(replace(raw, samples=chosen), *rest)


@dataclass(frozen=True, slots=True)
class Seen:
    """The stacks of one drain, by call frame information and by frame pointers; how many samples
    of the whole machine each program took, and for how long it ran."""

    dwarf: tuple[Stack, ...] = ()
    fp: tuple[Stack, ...] = ()
    dwarf_taken: int = 0
    fp_taken: int = 0
    dwarf_ns: int = 0
    fp_ns: int = 0

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            self.dwarf + other.dwarf,
            self.fp + other.fp,
            self.dwarf_taken + other.dwarf_taken,
            self.fp_taken + other.fp_taken,
            self.dwarf_ns + other.dwarf_ns,
            self.fp_ns + other.fp_ns,
        )


class Watch:
    """Samples a tree from entry to exit: the whole machine, as `profiler collect` does, or the
    tree's processes alone, as `profiler record -p` does; with `beside`, by frame pointers too."""

    def __init__(
        self,
        tree: Tree,
        frequency_hz: int,
        folder: Path,
        *,
        whole_machine: bool,
        beside: bool = True,
    ) -> None:
        self._tree = tree
        self._frequency_hz = frequency_hz
        self._folder = folder
        self._whole_machine = whole_machine
        self._beside = beside
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._symbolizer = Chosen(self._tree)
            dwarf = self._sampler("dwarf")
            source = LiveSource(Sampling([dwarf]), self._tree, self._symbolizer, HOST, self._folder)
            before = set(bpf.programs())
            self._source = opened.enter_context(source)
            (self._dwarf_program,) = set(bpf.programs()) - before
            self._fp = opened.enter_context(self._sampler("fp")) if self._beside else None
            self._fp_program = max(set(bpf.programs()) - before)
            self._ran = bpf.programs()
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def drain(self) -> Seen:
        """What was sampled since entry or the drain before."""
        (drain,) = self._source.drain()
        raw = self._fp.drain() if self._fp else RawDrain(0, 0, 0, 0)
        before, self._ran = self._ran, bpf.programs()
        return Seen(
            dwarf=_stacks(drain),
            fp=_stacks(self._symbolizer.symbolize(raw)),
            dwarf_taken=drain.taken,
            fp_taken=raw.taken,
            dwarf_ns=self._ran[self._dwarf_program].ns - before[self._dwarf_program].ns,
            fp_ns=self._ran[self._fp_program].ns - before[self._fp_program].ns,
        )

    def _sampler(self, call_graph: str) -> Sampler:
        target: Sequence[int] | None = None if self._whole_machine else self._tree.alive()
        return Sampler(frequency_hz=self._frequency_hz, target=target, call_graph=call_graph)


def _stacks(drain: Drain) -> tuple[Stack, ...]:
    return tuple(
        (frames, samples) for profile in drain.profiles for frames, samples, _ in profile.stacks()
    )
