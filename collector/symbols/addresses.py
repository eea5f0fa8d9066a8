"""The addresses and Python frames of one program that a process runs.

What an unnamed address is shown as depends on whether anyone could name it later. In a file,
yes: it keeps its exact address and the file's build-id. In memory without a file, or in a process
that is gone, never: such an address is different in every process, so keeping it would fill the
store with frames that say nothing. Code without a file is shown by the page that it lies in,
counted from the start of its mapping, and all else as plain `[unknown]`.
"""

from collections.abc import Callable
from typing import TypeVar

from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.processes.text import printable
from collector.symbols.answer import Answer, unnamed
from collector.symbols.binaries import Binaries
from collector.symbols.binary import Binary
from collector.symbols.counters import Counters
from collector.symbols.perfmap import PerfMap, PerfMaps
from collector.unwind.python.stacks import Entry, PythonFrame
from profiler.model import Frame, Kind

JIT = "[jit]"
PAGE = 4096

E = TypeVar("E")


NamePython = Callable[[int, PythonFrame], Answer]
"""The name of a Python frame of a process, given by its pid."""


def without_python(pid: int, frame: PythonFrame) -> Answer:
    """Where nobody walks Python's frames, there are none."""
    return Answer((Frame("[unknown] Python function", kind=Kind.PYTHON),), "python_unreadable")


class Addresses:
    """Answers for runtime addresses and Python frames of one process, until its mappings change."""

    def __init__(
        self, process: Process, binaries: Binaries, perf_maps: PerfMaps, name_python: NamePython
    ) -> None:
        self._process = process
        self._binaries = binaries
        self._perf_maps = perf_maps
        self._name_python = name_python
        self._files: dict[int, Binary] = {}
        self._perf_map: PerfMap | None = None

    def renew(self, process: Process) -> bool:
        """To be called between drains. False: this is not the program, or more is known of it than
        was answered."""
        known = self._process
        if process.mappings is not known.mappings or process.program != known.program:
            return False
        if any(map(self._binaries.knows_more, self._files.values())):
            return False
        self._process = process
        self._files.clear()
        self._perf_map = None
        return True

    def answer(self, entry: Entry) -> Answer:
        if isinstance(entry, PythonFrame):
            return self._name_python(self._process.pid, entry)
        return self._native(entry)

    def _native(self, address: int) -> Answer:
        mapping = self._process.mapping(address)
        if mapping is None:
            return unnamed("not_mapped" if self._process.mappings else "process_gone")
        if mapping.anonymous and not mapping.vdso:
            return self._compiled(mapping, address)
        return self._in_file(mapping, address)

    def _in_file(self, mapping: Mapping, address: int) -> Answer:
        binary = self._files.get(mapping.start)
        if binary is None:
            binary = self._files[mapping.start] = self._binaries.find(self._process, mapping)
        offset = address - mapping.start + mapping.offset
        answer = binary.at(offset)
        if answer is not None:
            return answer
        if binary.cause == "bad_elf":  # some runtimes compile into a shared file
            return self._compiled(mapping, address)
        return unnamed(binary.cause or "no_symbol", binary.name, offset)

    def _compiled(self, mapping: Mapping, address: int) -> Answer:
        """Code that was written at run time: named by the runtime's perf-map, if at all."""
        if self._perf_map is None:
            self._perf_map = self._perf_maps.load(self._process)
        name = self._perf_map.lookup(address)
        if name:
            return Answer((Frame(printable(name), binary=JIT, kind=Kind.JIT),))
        page = (address - mapping.start) // PAGE * PAGE
        return unnamed("anonymous", mapping.name, page, kind=Kind.JIT)


class Memo(dict[E, tuple[Frame, ...]]):
    """The frames of stack entries, each asked for once and counted: memo[address].

    `passing` are the entries whose frames may be others in the next drain."""

    def __init__(self, answer: Callable[[E], Answer], counters: Counters) -> None:
        super().__init__()
        self.passing: set[E] = set()
        self._answer = answer
        self._counters = counters

    def forget_passing(self) -> None:
        for entry in self.passing:
            del self[entry]
        self.passing.clear()

    def __missing__(self, entry: E) -> tuple[Frame, ...]:
        answer = self._answer(entry)
        if answer.cause:
            self._counters.unnamed[answer.cause] += 1
        else:
            self._counters.named += 1
        self[entry] = answer.frames
        if answer.passing:
            self.passing.add(entry)
        return answer.frames
