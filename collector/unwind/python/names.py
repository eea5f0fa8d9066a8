"""Functions, files and lines of Python frames, asked of the processes that run them.

    with Names(maps["python_codes"], interpreters.inspected) as names:
        names.answer(pid, frame)

The kernel tells of each code object when it first meets it. A thread reads it at once, so that the
names of a process that lives 50 ms are there when its samples are drained.

A program may make up code objects by the thousand, with tables of lines that take a tenth of a
second each to read. So the time that is spent on a process, and on all of them, is bounded.
"""

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from collector.kernel.maps import shape_of
from collector.kernel.ring import Ring
from collector.processes.bounded import Bounded
from collector.symbols.answer import Answer
from collector.unwind.python import abi
from collector.unwind.python.allowance import Allowance
from collector.unwind.python.code import Code, read_code
from collector.unwind.python.inspection import Inspected
from collector.unwind.python.lines import Table
from collector.unwind.python.memory import Refused, Unread, open_memory
from collector.unwind.python.stacks import PythonFrame
from profiler.model import Frame, Kind

MAX_BYTES = 24 << 20
"""Of all code objects kept: 35,000 of the standard library's size."""
MAX_FRAME_BYTES = 12 << 20
"""Of frames kept whose line is known: 25,000."""
MAX_LINES_BYTES = 1 << 20
"""Of line tables kept decoded: those of the 1,000 functions that were last seen at a new place."""

READS = 8
"""Of memory, for a code object."""
SHARE, MOST_NS = 0.1, 1_000_000_000
"""Of a CPU for all processes, and in advance: 50,000 code objects."""
PROCESS_SHARE, PROCESS_MOST_NS = 0.05, 300_000_000
MAX_PROCESSES = 4096
BATCH = 64
"""Code objects read before the time is looked at."""

GONE, CHANGED, UNREADABLE = "process_gone", "python_code_changed", "python_unreadable"
POSTPONED = "python_postponed"

_Key = tuple[int, int, int]
_UNKNOWN = Frame("[unknown] Python function", kind=Kind.PYTHON)


class Names:
    """`inspected(pid)` is what is known of a process (see `Interpreters`); it is asked from the
    thread too."""

    def __init__(
        self,
        codes_fd: int,
        inspected: Callable[[int], Inspected | None],
        proc: Path = Path("/proc"),
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._ring = Ring(codes_fd, shape_of(codes_fd).max_entries)
        self._inspected = inspected
        self._proc = proc
        self._codes: Bounded[_Key, Code] = Bounded(max_bytes, lambda code: code.weight)
        self._frames: Bounded[tuple[_Key, int], Frame] = Bounded(MAX_FRAME_BYTES, _weight)
        self._lines: Bounded[_Key, Table] = Bounded(MAX_LINES_BYTES, lambda table: table.weight)
        self._allowance = Allowance(SHARE, MOST_NS)
        self._allowances: Bounded[int, Allowance] = Bounded(MAX_PROCESSES, lambda one: 1)
        self._lock = threading.Lock()
        self._answering = threading.Lock()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="python-names", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)
        self._ring.close()

    def answer(self, pid: int, frame: PythonFrame) -> Answer:
        """The frame by name, or the cause why not: `process_gone`, `python_code_changed` (another
        code object lies at its address by now), `python_unreadable`, or `python_postponed` where
        too much was asked of the process. For any thread."""
        with self._answering:
            return self._answer_within_allowance(pid, frame)

    def _answer_within_allowance(self, pid: int, frame: PythonFrame) -> Answer:
        place = (pid, frame.code, frame.checksum), frame.place
        named = self._frames.get(place)
        if named is not None:
            return Answer((named,))
        if not self._may_read(pid):
            return Answer((_UNKNOWN,), POSTPONED)
        with self._reading(pid):
            answer = self._answer(pid, frame)
        if not answer.cause:
            self._frames[place] = answer.frames[0]
        return answer

    def _answer(self, pid: int, frame: PythonFrame) -> Answer:
        key = pid, frame.code, frame.checksum
        code = self._known(key)
        cause = "" if code else self._read(pid, [(frame.code, frame.checksum)])
        code = code or self._known(key)
        if code is None:
            return Answer((_UNKNOWN,), cause or CHANGED)
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = code.lines()
        line = lines.line(frame.place)
        return Answer((Frame(code.function, code.file, line, kind=Kind.PYTHON),))

    def _known(self, key: _Key) -> Code | None:
        with self._lock:
            return self._codes.get(key)

    def _may_read(self, pid: int) -> bool:
        with self._lock:
            own = self._allowances.get(pid)
            return self._allowance.left and (own is None or own.left)

    @contextmanager
    def _reading(self, pid: int) -> Iterator[None]:
        """Takes what the block costs from what is allowed."""
        begun_ns = time.thread_time_ns()
        try:
            yield
        finally:
            spent_ns = time.thread_time_ns() - begun_ns
            with self._lock:
                own = self._allowances.get(pid)
                if own is None:
                    own = self._allowances[pid] = Allowance(PROCESS_SHARE, PROCESS_MOST_NS)
                own.spend(spent_ns)
                self._allowance.spend(spent_ns)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._ring.fd, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while self._stop not in (fd for fd, _ in poll.poll()):
            records = np.frombuffer(b"".join(self._ring.read()), abi.CODE)
            for pid in np.unique(records["tgid"]).tolist():
                mine = records[records["tgid"] == pid][["address", "checksum"]].tolist()
                self._read_ahead(pid, mine)

    def _read_ahead(self, pid: int, codes: list[tuple[int, int]]) -> None:
        """What may not be read now is read when its name is asked for."""
        for at in range(0, len(codes), BATCH):
            if not self._may_read(pid):
                break
            with self._reading(pid):
                self._read(pid, codes[at : at + BATCH])

    def _read(self, pid: int, codes: Sequence[tuple[int, int]]) -> str:
        """Reads code objects, given by address and checksum; the cause if that fails."""
        inspected = self._inspected(pid)
        if inspected is None:
            return GONE
        cause = ""
        try:
            with open_memory(pid, self._proc, READS * len(codes)) as memory:
                for address, checksum in codes:
                    try:
                        code = read_code(memory, inspected.layout, address, inspected.code_type)
                    except Unread:
                        cause = UNREADABLE
                        continue
                    if code.checksum == checksum:
                        with self._lock:
                            self._codes[pid, address, checksum] = code
        except Refused:
            return GONE
        return cause


def _weight(frame: Frame) -> int:
    """Bytes, at most: frames share names."""
    return 300 + sys.getsizeof(frame.function) + sys.getsizeof(frame.file)
