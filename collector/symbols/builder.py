"""Turns ELF files into SymCaches in a child process (see `worker`), one after the other.

    with Builder() as builder:
        symbols = builder.build(descriptor).symbols

A SymCache is a table of functions, files, lines and inlined calls that `symbolic` reads in place.
It lies in a temporary file without a name and is mapped, so that it costs page cache, not heap.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from symbolic.exceptions import SymbolicError
from symbolic.symcache import SymCache

from collector.confined.child import Child, Died
from collector.symbols.files import Unreadable

PATIENCE_SECONDS = 20.0
"""For one file. The child may use 10 s of a CPU; a busy machine gives it half of one."""
LOOK_SECONDS = 0.25
"""Between two looks at whether patience is at its end: it may be cut meanwhile."""
LARGE_BYTES = 32 << 20
"""Node and libLLVM, 20 of a Debian's 2,500 programs and libraries: one of 78 MB (symbolic's) with
DWARF takes the child 110 MB. Below it, one of 11 MB (zstandard's) takes 91, and 20 to 50 are
usual."""


@dataclass(frozen=True, slots=True)
class Built:
    """`size` in bytes; `names_only`: the file's DWARF could not be read."""

    symbols: SymCache
    size: int
    names_only: bool = False


class Builder:
    """Starts its child when it is needed, until it is closed. `alone` is entered for the first
    large file, and left then: another child would end for each of them, and start again."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._in_a_hurry = False
        self.alone: Callable[[], AbstractContextManager[None]] = nullcontext
        self._reads_alone = False
        self._open = ExitStack()
        self._child = Child("collector.symbols.worker")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def child_pid(self) -> int | None:
        return self._child.pid

    def build(self, descriptor: int) -> Built:
        """The SymCache of an ELF file. Raises Unreadable.

        Where DWARF is broken, or more than the child may read, there are still the names of the
        symbol table.
        """
        try:
            return self._build(descriptor, b"all")
        except Unreadable as error:
            if error.cause == "no_symbols" or self._in_a_hurry:
                raise
            try:
                return replace(self._build(descriptor, b"names"), names_only=True)
            except Unreadable:
                raise error from None

    def _build(self, descriptor: int, request: bytes) -> Built:
        try:
            with tempfile.TemporaryFile() as target:
                if not self._reads_alone and os.fstat(descriptor).st_size >= LARGE_BYTES:
                    self._open.enter_context(self.alone())
                    self._reads_alone = True
                answer = self._ask(request, descriptor, target.fileno())
                if answer != "ok":
                    raise Unreadable(answer)
                path = f"/proc/self/fd/{target.fileno()}"
                symbols = SymCache.open(path)
                return Built(symbols, os.fstat(target.fileno()).st_size)
        except SymbolicError:
            raise Unreadable("bad_elf") from None
        except OSError:  # no room for a temporary file, or for a process
            self.close()
            raise Unreadable("no_room") from None

    def _ask(self, request: bytes, source: int, target: int) -> str:
        try:
            begun = time.monotonic()
            self._child.ask(request, source, target)
            answer = None
            while answer is None and time.monotonic() < begun + self._patience_seconds:
                answer = self._child.answer(min(LOOK_SECONDS, self._patience_seconds))
        except Died:
            return "crashed"
        if answer is None:
            self.close()
            return "timeout"
        return answer

    def hurry(self, patience_seconds: float) -> None:
        """From now on, for the file that is being read too; and each is tried once. From any
        thread."""
        self._in_a_hurry = True
        self._patience_seconds = patience_seconds

    def close(self) -> None:
        """Ends the child; the next file starts another, in 0.07 s of a CPU."""
        self._child.close()
        self._open.close()
        self._reads_alone = False
