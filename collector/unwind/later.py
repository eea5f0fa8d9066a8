"""Walks of stacks that were saved, because the kernel did not yet know what they needed.

The first samples of a program come before its tables, and a process that lives for 50 ms has ended
before anybody read its mappings. So those samples bring their registers and their stack along,
and the same BPF code walks them here once everything is known: the collector runs it with
BPF_PROG_TEST_RUN, and what it takes for the thread's stack is a buffer of the collector's.
"""

import ctypes
import mmap
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collector.kernel import maps
from collector.kernel.program_run import ProgramRun
from collector.unwind import abi
from collector.unwind.abi import Cause
from collector.unwind.python import abi as python
from profiler.errors import FormatError

WAITING = frozenset((Cause.NO_PROCESS, Cause.NO_MAPPING, Cause.NO_TABLE))
"""Causes that the collector can remove: unwind_can_go_on_later() of bpf/unwind_walk.h."""

SavedStack = bytes | memoryview
"""A struct unwind_saved; up to 32 MB of them stand in one drain, so they are not copied."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Addresses and Python frames, innermost first, as struct unwind has them, and why they end."""

    words: tuple[int, ...]
    cause: Cause


class Saved(NamedTuple):
    """A struct unwind_saved, taken apart; `head` is its fixed part, `frames` those of Python."""

    head: np.void
    stack: bytes
    frames: NDArray[np.void]


class LaterWalker:
    """Runs `program_fd` (unwind_later_start) over the maps unwind_later and python_later."""

    def __init__(self, program_fd: int, walk_fd: int, python_fd: int) -> None:
        self._memories = _mapped(walk_fd), _mapped(python_fd)
        self._walk = np.frombuffer(self._memories[0], abi.UNWIND, 1)
        self._python = np.frombuffer(self._memories[1], python.WALK, 1)
        self._stack = ctypes.create_string_buffer(abi.SAVED_BYTES)
        self._run = ProgramRun(program_fd)

    def close(self) -> None:
        del self._walk, self._python
        for memory in self._memories:
            memory.close()

    def walk(self, saved: SavedStack, tgid: int | None = None) -> Walk:
        """Walks what save_walk() sent, by the mappings of another process where `tgid` is given.
        Raises OSError before Linux 5.10."""
        head, stack, frames = parse_saved(saved)
        ctypes.memmove(self._stack, stack, len(stack))
        thread = self._walk["thread"]
        thread["registers"] = head["registers"]
        thread["saved"] = ctypes.addressof(self._stack)
        thread["saved_from"] = head["from"]
        thread["saved_size"] = len(stack)
        self._walk["tgid"] = head["tgid"] if tgid is None else tgid
        self._python["chain"] = head["python"]
        self._python["chain"]["count"] = len(frames)
        self._python["frames"][0, : len(frames)] = frames
        self._run.here()
        (walk,) = self._walk
        return Walk(tuple(walk["words"][: walk["count"]].tolist()), Cause(int(walk["cause"])))


def parse_saved(saved: SavedStack) -> Saved:
    """Whatever was cut off at its end is left out."""
    if len(saved) < abi.SAVED.itemsize:
        raise FormatError(
            f"a saved stack has at least {abi.SAVED.itemsize} bytes, not {len(saved)}"
        )
    head = np.frombuffer(saved, abi.SAVED, 1)[0]
    rest = saved[abi.SAVED.itemsize :]
    size = min(int(head["size"]), abi.SAVED_BYTES)
    count = min(len(rest[size:]) // python.FRAME.itemsize, int(head["python"]["count"]))
    frames = rest[size:][: count * python.FRAME.itemsize]
    return Saved(head, bytes(rest[:size]), np.frombuffer(frames, python.FRAME))


def _mapped(map_fd: int) -> mmap.mmap:
    """The one element of an array that can be mapped."""
    size = -(-maps.shape_of(map_fd).value_size // mmap.PAGESIZE) * mmap.PAGESIZE
    return mmap.mmap(map_fd, size)
