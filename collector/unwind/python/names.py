"""Functions, files and lines of Python frames, asked of the processes that run them.

    with Names(maps["python_codes"], interpreters.inspected) as names:
        names.answer(pid, frame)

The kernel tells of each code object when it first meets it. A thread reads it at once, so that the
names of a process that lives 50 ms are there when its samples are drained.
"""

import os
import select
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from collector.kernel.maps import shape_of
from collector.kernel.ring import Ring
from collector.processes.bounded import Bounded
from collector.symbols.answer import Answer
from collector.unwind.python import abi
from collector.unwind.python.code import Code, read_code
from collector.unwind.python.inspection import Inspected
from collector.unwind.python.memory import Refused, Unread, open_memory
from collector.unwind.python.stacks import PythonFrame
from profiler.model import Frame, Kind

MAX_BYTES = 24 << 20
"""Of all code objects kept: 40,000 of the standard library's size."""
MAX_LINES = 32_768
"""Frames kept whose line is known."""

GONE, CHANGED, UNREADABLE = "process_gone", "python_code_changed", "python_unreadable"

_Key = tuple[int, int, int]


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
        self._lock = threading.Lock()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="python-names", daemon=True)
        self._frame = lru_cache(MAX_LINES)(_frame)

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
        code object lies at its address by now) or `python_unreadable`."""
        code = self._known((pid, frame.code, frame.checksum))
        cause = "" if code else self._read(pid, [(frame.code, frame.checksum)])
        code = code or self._known((pid, frame.code, frame.checksum))
        if code is None:
            unknown = Frame("[unknown] Python function", kind=Kind.PYTHON)
            return Answer((unknown,), cause or CHANGED)
        return Answer((self._frame(code, frame.place),))

    def _known(self, key: _Key) -> Code | None:
        with self._lock:
            return self._codes.get(key)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._ring.fd, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while self._stop not in (fd for fd, _ in poll.poll()):
            records = np.frombuffer(b"".join(self._ring.read()), abi.CODE)
            for pid in np.unique(records["tgid"]).tolist():
                mine = records[records["tgid"] == pid]
                self._read(pid, mine[["address", "checksum"]].tolist())

    def _read(self, pid: int, codes: list[tuple[int, int]]) -> str:
        """Reads code objects, given by address and checksum; the cause if that fails."""
        inspected = self._inspected(pid)
        if inspected is None:
            return GONE
        cause = ""
        try:
            with open_memory(pid, self._proc) as memory:
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


def _frame(code: Code, place: int) -> Frame:
    return Frame(code.function, code.file, code.line(place), kind=Kind.PYTHON)
