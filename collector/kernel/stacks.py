"""The stacks of one set of maps: what ids, hashes and records of the ring stand for."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from collector.kernel import abi
from collector.kernel.raw import Addresses, Record
from collector.unwind.abi import Cause
from collector.unwind.later import SavedStack, Walk, parse_saved
from collector.unwind.python.abi import Cause as PythonCause
from collector.unwind.python.stacks import Entry, parse

CAUSES = {
    Cause.COMPLETE: "",
    Cause.NO_USER: "",
    Cause.NO_PROCESS: "new process",
    Cause.NO_MAPPING: "unknown code",
    Cause.NO_TABLE: "no unwind table",
    Cause.NO_ROW: "no unwind row",
    Cause.BAD_FRAME_POINTER: "no frame pointer",
    Cause.READ_FAULT: "stack not readable",
    Cause.NO_PROGRESS: "endless stack",
    Cause.TOO_DEEP: "depth",
    Cause.FOREIGN: "32-bit code",
    Cause.EXPRESSION: "unwind rule",
    Cause.REGISTER: "unwind rule",
    Cause.RETURN_ADDRESS: "unwind rule",
    Cause.OFFSET: "unwind rule",
    Cause.BROKEN: "bad unwind table",
    Cause.NOT_SAVED: "stack not saved",
}
"""What users read; every other cause is a mistake of ours: "walk"."""

PYTHON_CAUSES = {
    PythonCause.WRONG_THREAD: "Python of another thread",
    PythonCause.READ_FAULT: "Python not readable",
    PythonCause.NOT_CODE: "Python not readable",
    PythonCause.TORN: "Python in change",
    PythonCause.TOO_DEEP: "Python depth",
    PythonCause.UNPLACED: "Python out of place",
    PythonCause.TOO_EARLY: "new Python process",
}
"""Likewise, of stacks whose native frames are whole."""

WalkSaved = Callable[[Sequence[SavedStack]], Iterable[Walk]]
"""Walks struct unwind_saved, in the order in which they are given."""


def unwalked(saved: Sequence[SavedStack]) -> Iterable[Walk]:
    """The innermost frames of saved stacks that nobody walks."""
    for stack in saved:
        registers = parse_saved(stack).head["registers"]
        yield Walk((int(registers[-1]),), Cause.NO_TABLE)


class Key(NamedTuple):
    """What makes samples equal. Stacks leaf first, `comm` without its padding; `truncated` as in
    RawSample. `exec_id` tells apart the programs that a process has executed."""

    tgid: int
    exec_id: int
    comm: bytes
    user: tuple[Entry, ...]
    kernel: Addresses
    truncated: str


class _Walked(NamedTuple):
    """A user stack that was walked by us; a count has its hash."""

    exec_id: int
    frames: tuple[Entry, ...]
    truncated: str


class Stacks:
    """`kernel` has the addresses of the stacks with an id, to be filled in. The records must be
    asked for first: they bring the addresses of the stacks that counts have the hash of.

    `times_ns` has a time at which each (tgid, exec_id) ran, as far as that is told.
    """

    def __init__(self, depth: int) -> None:
        self.kernel: dict[int, Addresses] = {}
        self.times_ns: dict[tuple[int, int], int] = {}
        self._walked: dict[int, _Walked] = {}
        self._depth = depth

    def of_record(self, record: Record, walk: Walk | None) -> Key:
        """The sample of a record; `walk` is that of the stack that it saved."""
        self.times_ns.setdefault((record.tgid, record.exec_id), record.time_ns)
        if walk is None and record.cause is Cause.GOING_ON:
            return self._key(record.tgid, record.comm, record.user, record.kernel)
        if walk is not None:
            walked = _walked(record.exec_id, walk)
        elif record.user_stack in self._walked:  # with another stack of the kernel's
            walked = self._walked[record.user_stack]
        else:
            walked = _walked(record.exec_id, Walk(record.user, record.cause))
            self._walked[record.user_stack] = walked
        kernel = record.kernel or self._kernel(record.kernel_stack)
        return self._walked_key(record.tgid, record.comm, walked, kernel)

    def of_count(self, counted: abi.CountKey) -> Key:
        """The samples of a count."""
        kernel = self._kernel(counted.kernel_stack)
        if walked := self._walked.get(counted.user_stack):
            return self._walked_key(counted.tgid, counted.comm, walked, kernel)
        none = counted.user_stack == abi.NO_USER_STACK
        user = () if none else self.kernel.get(counted.user_stack)
        return self._key(counted.tgid, counted.comm, user, kernel)

    def _kernel(self, id_: int) -> Addresses | None:
        return () if id_ == abi.NO_STACK else self.kernel.get(id_)

    def _walked_key(self, tgid: int, comm: bytes, walked: _Walked, kernel: Addresses | None) -> Key:
        cause = walked.truncated
        if kernel is None or len(kernel) >= self._depth:
            cause = cause or ("missing" if kernel is None else "depth")
        return Key(tgid, walked.exec_id, comm, walked.frames, kernel or (), cause)

    def _key(self, tgid: int, comm: bytes, user: Addresses | None, kernel: Addresses | None) -> Key:
        """Of stacks that the kernel walked, down to its depth; None: it does not have it."""
        user_, kernel_ = user or (), kernel or ()
        # The kernel does not say whether it stopped; a stack of just this depth may be whole.
        cut = "depth" if max(len(user_), len(kernel_)) >= self._depth else ""
        missing = user is None or kernel is None
        cause = "missing" if missing else cut
        return Key(tgid, 0, comm, user_[: self._depth], kernel_[: self._depth], cause)


def _walked(exec_id: int, walk: Walk) -> _Walked:
    user = parse(walk.words)
    cause = CAUSES.get(walk.cause, "walk")
    if user.cause is not None:
        cause = cause or PYTHON_CAUSES.get(user.cause, "walk")
    return _Walked(exec_id, user.frames, cause)
