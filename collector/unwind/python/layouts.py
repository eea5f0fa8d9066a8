"""Where CPython keeps what, version by version.

From 3.13 on an interpreter publishes its own offsets (`_Py_DebugOffsets`, at the beginning of
`_PyRuntime`). Those of older versions are constant within a version and stand here, as the C
compiler lays out CPython's headers: pystate.h, pycore_runtime.h, pycore_interp.h, pycore_frame.h,
frameobject.h, code.h. Neither is trusted before `inspection` has found the running interpreter to
agree.

    >>> LAYOUTS[3, 11].code_name     # co_qualname
    128
"""

import struct
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from collector.unwind.python import abi
from collector.unwind.python.abi import Runs
from collector.unwind.python.memory import Refused

Version = tuple[int, int]

OLDEST, NEWEST = (3, 8), (3, 14)


class Lines(Enum):
    """The form of a code object's line table."""

    LNOTAB = "co_lnotab, Objects/lnotab_notes.txt of 3.9"
    LINETABLE = "co_linetable, PEP 626"
    LOCATIONS = "co_linetable, PEP 657"


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets in bytes; those up to `code_instructions` are `struct python_layout`.

    `code_name` is co_qualname where there is one, else co_name. 0 in `thread_frame`: the innermost
    frame is in the CFrame. 0 in `code_instructions`: frames hold an index and no pointer.
    """

    runs: Runs
    thread_id: int
    thread_frame: int
    thread_cframe: int
    cframe_frame: int
    cframe_previous: int
    frame_size: int
    frame_previous: int
    frame_code: int
    frame_place: int
    frame_owner: int
    code_size: int
    code_type: int
    code_line: int
    code_file: int
    code_name: int
    code_lines: int
    code_instructions: int
    # Not for the kernel: the newest interpreter in _PyRuntime, the next one and its threads in
    # PyInterpreterState, and in a str, where its characters begin.
    runtime_interpreters: int
    interpreter_next: int
    interpreter_threads: int
    thread_next: int
    thread_interpreter: int
    text_ascii: int
    text_wide: int
    lines: Lines

    def packed(self) -> np.void:
        """As the kernel reads it."""
        values = tuple(getattr(self, name) for name in abi.LAYOUT_FIELDS)
        record: np.void = np.array([values], abi.LAYOUT)[0]
        return record


_V3_8 = Layout(
    runs=Runs.BY_CODE,
    thread_id=176, thread_frame=24, thread_cframe=0,
    cframe_frame=0, cframe_previous=0,
    frame_size=112, frame_previous=24, frame_code=32, frame_place=104, frame_owner=0,
    code_size=128, code_type=8, code_line=40, code_file=104, code_name=112, code_lines=120,
    code_instructions=0,
    runtime_interpreters=32, interpreter_next=0, interpreter_threads=8,
    thread_next=8, thread_interpreter=16,
    text_ascii=48, text_wide=72, lines=Lines.LNOTAB,
)  # fmt: skip

_V3_10 = replace(
    _V3_8,
    runs=Runs.BY_CFRAME,
    thread_cframe=48, cframe_previous=8,
    frame_size=104, frame_place=96,
    lines=Lines.LINETABLE,
)  # fmt: skip

_V3_11 = replace(
    _V3_10,
    runs=Runs.BY_FLAG,
    thread_id=152, thread_frame=0, thread_cframe=56,
    cframe_frame=8, cframe_previous=16,
    frame_size=72, frame_previous=48, frame_code=32, frame_place=56, frame_owner=68,
    code_size=144, code_line=72, code_file=112, code_name=128, code_lines=136,
    code_instructions=184,
    runtime_interpreters=40, interpreter_threads=16,
    lines=Lines.LOCATIONS,
)  # fmt: skip

_V3_12 = replace(
    _V3_11,
    runs=Runs.BY_FRAME,
    thread_id=136,
    cframe_frame=0, cframe_previous=8,
    frame_previous=8, frame_code=0, frame_owner=70,
    code_line=68, code_instructions=192,
    interpreter_threads=72,
    text_ascii=40, text_wide=56,
)  # fmt: skip

LAYOUTS = {(3, 8): _V3_8, (3, 9): _V3_8, (3, 10): _V3_10, (3, 11): _V3_11, (3, 12): _V3_12}

_COOKIE = b"xdebugpy"

# struct _Py_DebugOffsets (pycore_runtime.h of 3.13, pycore_debug_offsets.h of 3.14): after the
# cookie, the version and whether there is no GIL, 64-bit offsets, structure by structure.
_RUNTIME = "size finalizing interpreters_head"
_INTERPRETER = (
    "size id next threads_head gc imports_modules sysdict builtins ceval_gil"
    " gil_runtime_state gil_runtime_state_enabled gil_runtime_state_locked gil_runtime_state_holder"
)
_THREAD = "size prev next interp current_frame thread_id native_thread_id datastack_chunk status"
_FRAME = "size previous executable instr_ptr localsplus owner"
_CODE = (
    "size filename name qualname linetable firstlineno argcount localsplusnames localspluskinds"
    " co_code_adaptive"
)
PUBLISHED = {
    (3, 13): (_RUNTIME, _INTERPRETER, _THREAD, _FRAME, _CODE),
    (3, 14): (
        _RUNTIME,
        _INTERPRETER.replace("threads_head", "threads_head threads_main")
        + " code_object_generation tlbc_generation",
        _THREAD,
        _FRAME + " stackpointer tlbc_index",
        _CODE,
    ),
}
_HEAD = struct.Struct("<8sQQ")
PUBLISHED_SIZE = _HEAD.size + max(8 * len(" ".join(names).split()) for names in PUBLISHED.values())
"""Bytes to be read of `_PyRuntime`."""


def published(version: Version, data: bytes) -> Layout:
    """The layout that an interpreter from 3.13 on publishes at the beginning of `_PyRuntime`."""
    cookie, hexversion, free_threaded = _HEAD.unpack_from(data)
    if cookie != _COOKIE or (hexversion >> 24, hexversion >> 16 & 0xFF) != version:
        raise Refused("layout_mismatch", f"_PyRuntime begins with {cookie!r} {hexversion:#x}")
    if free_threaded:
        raise Refused("free_threaded", "an interpreter without a global lock")
    numbers = iter(struct.unpack(f"<{(PUBLISHED_SIZE - _HEAD.size) // 8}Q", data[_HEAD.size :]))
    runtime, interpreter, thread, frame, code = (
        dict(zip(names.split(), numbers, strict=False)) for names in PUBLISHED[version]
    )
    layout = replace(
        _V3_12,
        thread_id=thread["thread_id"],
        thread_frame=thread["current_frame"],
        thread_cframe=0,
        cframe_frame=0,
        cframe_previous=0,
        frame_size=_words_up_to(frame["previous"], frame["instr_ptr"], frame["owner"]),
        frame_previous=frame["previous"],
        frame_code=frame["executable"],
        frame_place=frame["instr_ptr"],
        frame_owner=frame["owner"],
        code_size=_words_up_to(code["filename"], code["qualname"], code["linetable"]),
        code_line=code["firstlineno"],
        code_file=code["filename"],
        code_name=code["qualname"],
        code_lines=code["linetable"],
        code_instructions=code["co_code_adaptive"],
        runtime_interpreters=runtime["interpreters_head"],
        interpreter_next=interpreter["next"],
        interpreter_threads=interpreter["threads_head"],
        thread_next=thread["next"],
        thread_interpreter=thread["interp"],
    )
    return _checked(layout)


def _words_up_to(*offsets: int) -> int:
    """Bytes from the beginning of a structure that hold the words at these offsets."""
    return (max(offsets) // 8 + 1) * 8


def _checked(layout: Layout) -> Layout:
    """The kernel reads so many bytes of a structure, and pointers only where they are aligned."""
    limits = {"frame": abi.FRAME_SIZE, "code": abi.CODE_SIZE}
    for name in abi.LAYOUT_FIELDS:
        offset, limit = getattr(layout, name), limits.get(name.partition("_")[0], 1 << 16)
        if name == "code_instructions":
            limit = 1 << 16
        aligned = 1 if name == "frame_owner" else 4 if name == "code_line" else 8
        if name != "runs" and (offset > limit or offset % aligned):
            raise Refused("layout_mismatch", f"{name} is published as {offset}")
    return layout
