"""Keeps the kernel's unwinder fed: the mappings of processes, and the tables of what they map.

    with Unwinder(maps_of_the_program, cache_folder) as unwinder:
        unwinder.add_process(pid, mappings)
        …
        unwinder.poll()     loads what stacks ended for want of

Mappings are small and told at once. Tables are built when a stack first ends for want of one, in a
child process of low priority, and loaded at a later poll.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Named
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from collector.elf.source import of_descriptor
from collector.kernel import grace, maps
from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.processes.vdso import read_vdso
from collector.symbols.files import Unreadable, open_mapped
from collector.unwind import abi, tablefile
from collector.unwind.abi import Cause, Rule
from collector.unwind.builder import Builder
from collector.unwind.files import File, Files, stamp
from collector.unwind.later import WAITING, LaterWalker, SavedStack, Walk
from collector.unwind.processes import Processes, entries, parts
from collector.unwind.table import EVERY_OTHER, Column
from collector.unwind.tables import MAX_BYTES, Tables
from profiler.clock import Clock, SystemClock
from profiler.errors import FormatError

ReadMappings = Callable[[int], Sequence[Mapping] | None]
"""The executable mappings of a process now; None where it has ended."""

CHANGING_NS = 250_000_000
UNCHANGED_NS = 1_000_000_000
"""A process whose stacks leave its known mappings is read again after this long, the longer if
its mappings were the same the last time: a JIT compiler maps new code all the time, and reading
costs 0.1 to 1 ms."""

LEFT = 0
"""The number of the idle task, which has no user stack."""

EMPTY = np.array([abi.code(Rule.NONE)], np.uint64)
FAILED = np.array([abi.unsupported(Cause.BROKEN)], np.uint64)


@dataclass(frozen=True, slots=True)
class UnwindStats:
    """What is known and loaded now, and what was since the start (`refreshed`, `evicted`,
    `failed`: files without rows by what is wrong with them)."""

    processes: int
    files: int
    tables: int
    table_bytes: int
    pending: int
    refreshed: int
    evicted: int
    failed: int
    no_room: int

    @property
    def supplied(self) -> tuple[int, int]:
        """Changes when stacks may be walked further than before."""
        return self.processes, self.tables


class Unwinder:
    """Owns the maps of one loaded program from entry to exit; serves one thread.

    `descriptors` are those of the program's maps by name (see bpf/unwind.h), and that of the
    program unwind_later_start; they stay the caller's. `folder` keeps tables between runs; None:
    nothing is kept.
    """

    def __init__(
        self,
        descriptors: Named[str, int],
        folder: Path | None,
        read_mappings: ReadMappings,
        *,
        max_table_bytes: int = MAX_BYTES,
        clock: Clock | None = None,
        proc: Path = Path("/proc"),
    ) -> None:
        self._descriptors = descriptors
        self._folder = folder
        self._read_mappings = read_mappings
        self._max_table_bytes = max_table_bytes
        self._clock = clock or SystemClock()
        self._proc = proc
        self._mappings: dict[int, Sequence[Mapping]] = {}
        self._quiet_until_ns: dict[int, int] = {}
        self._refreshed = self._failed = self._no_room = 0
        self._open = ExitStack()

    def __enter__(self) -> Self:
        fds = self._descriptors
        capacity = maps.shape_of(fds["unwind_tables"]).max_entries
        with ExitStack() as opened:
            self._tables = Tables(fds["unwind_tables"], fds["unwind_epoch"], self._max_table_bytes)
            self._files = Files(capacity, grace.wait, self._tables.drop)
            self._processes = Processes(
                fds["unwind_processes"], fds["unwind_mappings"], self._files.release
            )
            opened.callback(self._processes.close)
            self._wanted = maps.Map(fds["unwind_wanted"])
            self._later = LaterWalker(
                fds["unwind_later_start"], fds["unwind_later"], fds["python_later"]
            )
            opened.callback(self._later.close)
            self._builder = opened.enter_context(Builder[File](self._folder, self._clock))
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def child_pid(self) -> int | None:
        return self._builder.child_pid

    def __contains__(self, pid: int) -> bool:
        """Whether the kernel was told of a process."""
        return pid in self._mappings

    def add_process(self, pid: int, mappings: Sequence[Mapping]) -> None:
        """Tells the kernel the executable mappings of a process, or that they have changed."""
        if self._tell(pid, mappings) or (self._make_room(mappings) and self._tell(pid, mappings)):
            self._mappings.pop(pid, None)  # to its end
            self._mappings[pid] = mappings
        else:
            self._no_room += 1

    def _tell(self, pid: int, mappings: Sequence[Mapping]) -> bool:
        known = []
        for mapping in mappings:
            file = self._files.of(pid, mapping)
            for part in parts(mapping):
                number = self._files.number(file, part.window) if file else 0
                if number or not file:
                    known.append((part, number))
                else:
                    self._no_room += 1
        return self._processes.set(pid, entries(known))

    def _make_room(self, mappings: Sequence[Mapping]) -> bool:
        """Forgets the quarter of the processes that was told first: most of thousands do nothing,
        and one that does asks again. Not for one process as large as a quarter of all."""
        if len(mappings) > self._processes.capacity // 4:
            return False
        first = list(self._mappings)[: len(self._mappings) // 4 + 1]
        for pid in first:
            self.remove_process(pid)
        return bool(first)

    def copy_process(self, pid: int, parent: int) -> None:
        """A process was forked and has the mappings of its parent until it executes another."""
        if parent in self._mappings and self._processes.copy(pid, parent):
            self._mappings[pid] = self._mappings[parent]

    def remove_process(self, pid: int) -> None:
        """A process has ended, or executes another program. Unknown ones do not matter."""
        self._quiet_until_ns.pop(pid, None)
        if self._mappings.pop(pid, None) is not None:
            self._processes.remove(pid)

    def poll(self) -> None:
        """Answers what stacks ended for want of: reads processes, asks for tables, loads them."""
        for want, _ in self._wanted.take_all():
            pid, number = np.frombuffer(want, abi.WANT)[0].tolist()
            if number:
                self._ask_for(pid, number)
            else:
                self._refresh(pid)
        for file, answer in self._builder.answers():
            self._load(file, answer)

    def walk_later(self, saved: SavedStack, left: Sequence[Mapping] | None = None) -> Walk:
        """The walk of a stack that was saved (struct unwind_saved): in the same way and by the
        same code, with what is known by now. What it ends for want of, `poll` looks for.

        `left` are the mappings of a program that the process has left for another since. They
        are then those of the process LEFT, until the next such walk.
        """
        if left is None:
            return self._later.walk(saved)
        if self._mappings.get(LEFT) != left:
            self.add_process(LEFT, left)
        walk = self._later.walk(saved, LEFT)
        if walk.cause in WAITING:
            self.poll()
        return walk

    def pause(self) -> bool:
        """Begins no table until `resume`. Whether none is being built any more, by a child that has
        ended; where it is, `poll` takes it."""
        return self._builder.pause()

    def resume(self) -> None:
        self._builder.resume()

    def remove_ended(self) -> None:
        """Forgets processes that are no more, where nobody saw them end."""
        gone = (pid for pid in self._mappings if not (self._proc / str(pid)).exists())
        for pid in [pid for pid in gone if pid != LEFT]:
            self.remove_process(pid)

    def stats(self) -> UnwindStats:
        return UnwindStats(
            processes=len(self._processes),
            files=len(self._files),
            tables=len(self._tables),
            table_bytes=self._tables.bytes,
            pending=self._builder.pending,
            refreshed=self._refreshed,
            evicted=self._tables.evicted,
            failed=self._failed,
            no_room=self._no_room,
        )

    def _refresh(self, pid: int) -> None:
        now = self._clock.monotonic_ns()
        if now < self._quiet_until_ns.get(pid, 0):
            return  # its stacks will ask again
        self._refreshed += 1
        mappings = self._read_mappings(pid)
        if not mappings:
            self.remove_process(pid)
        elif mappings == self._mappings.get(pid):
            self._quiet_until_ns[pid] = now + UNCHANGED_NS
        else:
            self._quiet_until_ns[pid] = now + CHANGING_NS
            self.add_process(pid, mappings)

    def _ask_for(self, pid: int, number: int) -> None:
        found = self._files.find(number)
        if found is None:
            return
        file, window = found
        if file.failure:
            self._put({number: FAILED})
        elif not file.pending:
            if pid not in self._mappings:  # it is walked by the mappings of its parent
                self._refresh(pid)
            descriptor = self._open_file(pid, file)
            if descriptor is not None:
                file.pending.add(window)
                file.stamp = stamp(os.fstat(descriptor))
                self._builder.submit(file, descriptor)
        else:
            file.pending.add(window)

    def _open_file(self, pid: int, file: File) -> int | None:
        for mapping in self._mappings.get(pid, ()):
            if (*mapping.device, mapping.inode) == file.key:
                if mapping.vdso:
                    return _vdso()
                try:
                    return open_mapped(self._proc, Process(pid, alive=True), mapping)
                except Unreadable:
                    return None
        return None

    def _load(self, file: File, answer: int | FormatError) -> None:
        wanted = {window: file.numbers[window] for window in file.pending if window in file.numbers}
        file.pending.clear()
        found = answer if isinstance(answer, FormatError) else _read_windows(answer, wanted)
        if isinstance(found, FormatError):
            file.failure = str(found)
            self._failed += 1
            self._put(dict.fromkeys(wanted.values(), FAILED))
        else:
            other = found.get(EVERY_OTHER, EMPTY)
            self._put({number: found.get(window, other) for window, number in wanted.items()})

    def _put(self, tables: dict[int, Column]) -> None:
        try:
            self._tables.load(tables)
        except OSError:  # the kernel has no memory for them now
            self._no_room += 1


def _read_windows(descriptor: int, wanted: Iterable[int]) -> dict[int, Column] | FormatError:
    """The rows of these windows from a table file, which is closed."""
    try:
        return dict(tablefile.read_windows(of_descriptor(descriptor), [*wanted, EVERY_OTHER]))
    except FormatError as error:
        return error
    finally:
        os.close(descriptor)


def _vdso() -> int:
    """A file with the vdso."""
    descriptor = os.memfd_create("vdso", os.MFD_CLOEXEC)
    os.write(descriptor, read_vdso())
    return descriptor
