"""Whether a running interpreter is what we take it for, and where its threads keep their state.

The way from `_PyRuntime` to the code object of a running frame is walked once by user space. Only
if all of it makes sense does the kernel get the layout:

    _PyRuntime → main interpreter → its PyThreadStates → frames → code objects → names and lines
                                     ↑ back to the interpreter    ↑ of the type PyCode_Type

The interpreter goes on meanwhile, so a walk that fails is tried again.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np

from collector.unwind.python import abi, layouts
from collector.unwind.python.abi import Runs
from collector.unwind.python.code import read_code
from collector.unwind.python.interpreter import Interpreter
from collector.unwind.python.layouts import LAYOUTS, Layout
from collector.unwind.python.memory import Memory, Refused, Unread

PASSING = ("not_initialized", "idle", "no_thread_slot", "layout_mismatch")
"""Causes that time may mend: reading a busy interpreter may always go wrong."""
ATTEMPTS = 3
MAX_INTERPRETERS = 16
MAX_THREADS = 64
"""Those of the rest are not needed."""
MAX_FRAMES = 512
CHECKED_FRAMES = 16
"""Code objects read in full; the rest of the frames is only followed."""

# The C library's structure of a thread, which pthread_self() points to, as far as it is searched
# for the PyThreadState. glibc keeps the values of the first 32 keys in it (from byte 0x310 on),
# and pointers to blocks of 32 more; musl a pointer to all values.
_THREAD_BYTES = 0x800
_BLOCK_BYTES = 0x400
_GLIBC_BLOCKS = range(0x518, 0x610, 8)
_MUSL_BLOCK = 0x80


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a thread keeps its PyThreadState; see `slot_block` and `slot` in bpf/python.h."""

    block: int
    offset: int


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the kernel is told of a process. `code_type` and `eval` are runtime addresses."""

    layout: Layout
    slot: Slot
    code_type: int
    eval: tuple[tuple[int, int], ...] = ()

    def at(self, interpreter: Interpreter, base: int) -> "Inspected":
        """The same of another process that has the interpreter loaded at `base`."""
        return replace(
            self,
            code_type=base + interpreter.code_type,
            eval=tuple((base + start, base + end) for start, end in interpreter.eval),
        )

    def packed(self) -> bytes:
        """`struct python_process`."""
        return _packed(self)


@lru_cache(256)  # every child of a process has what its parent has
def _packed(inspected: Inspected) -> bytes:
    record = np.zeros(1, abi.PROCESS)
    record["code_type"] = inspected.code_type
    record["slot_block"], record["slot"] = inspected.slot.block, inspected.slot.offset
    for index, (start, end) in enumerate(inspected.eval[: abi.EVAL_RANGES]):
        record["eval"][0, index] = start, end
    record["layout"] = inspected.layout.packed()
    return record.tobytes()


def inspect(memory: Memory, interpreter: Interpreter, base: int) -> Inspected:
    """Checks the interpreter that is loaded at `base`.

    Raises Refused, with one of the causes PASSING where it may be otherwise later.
    """
    failure = Unread()
    for _ in range(ATTEMPTS):
        try:
            return _inspect(memory, interpreter, base)
        except Unread as error:
            failure = error
    raise Refused("layout_mismatch", str(failure))


def _inspect(memory: Memory, interpreter: Interpreter, base: int) -> Inspected:
    runtime, code_type = base + interpreter.runtime, base + interpreter.code_type
    layout = LAYOUTS.get(interpreter.version) or layouts.published(
        interpreter.version, memory.exactly(runtime, layouts.PUBLISHED_SIZE)
    )
    threads = list(islice(_threads(memory, layout, runtime), MAX_THREADS))
    if not threads:
        raise Refused("not_initialized", "the interpreter has no threads yet")
    _check_threads(memory, layout, threads, code_type)
    slot = find_slot(memory, layout, threads)
    return Inspected(layout, slot, code_type).at(interpreter, base)


def _threads(memory: Memory, layout: Layout, runtime: int) -> Iterator[int]:
    """The PyThreadStates of all interpreters, each of which must lead back to its own."""
    interpreter = memory.word(runtime + layout.runtime_interpreters)
    for _ in range(MAX_INTERPRETERS):
        if not interpreter:
            return
        thread = memory.word(interpreter + layout.interpreter_threads)
        while thread:
            if memory.word(thread + layout.thread_interpreter) != interpreter:
                raise Unread(f"the thread state at {thread:#x} belongs to another interpreter")
            yield thread
            thread = memory.word(thread + layout.thread_next)
        interpreter = memory.word(interpreter + layout.interpreter_next)


def _check_threads(memory: Memory, layout: Layout, threads: list[int], code_type: int) -> None:
    """One thread whose frames make sense will do: those of others may just have changed."""
    failure = None
    for thread in threads:
        try:
            if _check_frames(memory, layout, thread, code_type):
                return
        except Unread as error:
            failure = error
    raise failure or Refused("idle", "no thread of the interpreter runs Python")


def _check_frames(memory: Memory, layout: Layout, thread: int, code_type: int) -> int:
    """The number of frames of a thread. Raises Unread where one makes no sense."""
    frame = _innermost(memory, layout, thread)
    for count in range(MAX_FRAMES):
        if not frame:
            return count
        data = memory.exactly(frame, layout.frame_size)
        if count < CHECKED_FRAMES and not _is_entry(layout, data):
            _check_frame(memory, layout, data, code_type)
        (frame,) = struct.unpack_from("<Q", data, layout.frame_previous)
    return MAX_FRAMES


def _check_frame(memory: Memory, layout: Layout, frame: bytes, code_type: int) -> None:
    (address,) = struct.unpack_from("<Q", frame, layout.frame_code)
    address &= ~7
    code = read_code(memory, layout, address, code_type)
    place = place_in_code(layout, frame, address)
    if not (code.function and -2 <= place < 1 << 24):
        raise Unread(f"a frame at place {place} of {code.function!r}")


def place_in_code(layout: Layout, frame: bytes, address: int) -> int:
    """As the kernel computes it: an index up to 3.10, then the distance in bytes."""
    if not layout.code_instructions:
        index: int = struct.unpack_from("<i", frame, layout.frame_place)[0]
        return index
    (pointer,) = struct.unpack_from("<Q", frame, layout.frame_place)
    return int(pointer - address - layout.code_instructions)


def _innermost(memory: Memory, layout: Layout, thread: int) -> int:
    if layout.thread_frame:
        return memory.word(thread + layout.thread_frame)
    cframe = memory.word(thread + layout.thread_cframe)
    return memory.word(cframe + layout.cframe_frame)


def _is_entry(layout: Layout, frame: bytes) -> bool:
    """Whether it only stands for a run of the loop."""
    return layout.runs is Runs.BY_FRAME and frame[layout.frame_owner] >= abi.OWNER_STACK


def find_slot(memory: Memory, layout: Layout, threads: list[int]) -> Slot:
    """The place that holds each thread's state for most threads.

    A state may not be bound to its thread yet, and a thread that ends has already let go of its.
    """
    votes: Counter[Slot] = Counter()
    for thread in threads:
        base = memory.word(thread + layout.thread_id)
        votes.update(_slots(memory, base, thread.to_bytes(8, "little")))
    if not votes:
        raise Refused("no_thread_slot", "no thread keeps its state where the C library's are known")
    best = max(votes.values())
    return min((slot for slot in votes if votes[slot] == best), key=lambda s: (s.block, s.offset))


def _slots(memory: Memory, base: int, state: bytes) -> Iterator[Slot]:
    """Where the state stands in the thread at `base`, or in a block that it points to."""
    thread = memory.some(base, _THREAD_BYTES)
    for offset in _aligned(thread, state):
        yield Slot(0, offset)
    for block in (_MUSL_BLOCK, *_GLIBC_BLOCKS):
        if block + 8 <= len(thread):
            (address,) = struct.unpack_from("<Q", thread, block)
            for offset in _aligned(memory.some(address, _BLOCK_BYTES), state):
                yield Slot(block, offset)


def _aligned(data: bytes, word: bytes) -> Iterator[int]:
    """Where a word stands at a multiple of its size."""
    words = np.frombuffer(data, "<u8", len(data) // 8)
    yield from (8 * np.flatnonzero(words == int.from_bytes(word, "little"))).tolist()
