"""Frame description records: which addresses each call frame program covers.

    length 28 · CIE 0x18 back · from 0x1040, 43 bytes · no augmentation · program 0e 10 46 0e 18 …

`.eh_frame` (in every binary that can unwind exceptions) and `.debug_frame` (in debug files and Go
binaries) hold the same records with other pointers. Most functions share their program with others
(half of libc's, three quarters of libLLVM's), so each program is run once.

Format: Linux Standard Base 5.0, chapter 10.6 (.eh_frame); DWARF 5, section 6.4.1 (.debug_frame).
"""

import re
import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from collector.unwind import cfi
from profiler.errors import FormatError

MAX_PROGRAM_BYTES = 16 << 20
"""Bytes of distinct programs that are run for one file: seconds of work. libLLVM has 2.7 MB."""

Number = TypeVar("Number", np.uint32, np.uint64)

_U32 = struct.Struct("<I").unpack_from
_U64 = struct.Struct("<Q").unpack_from
_RANGE = struct.Struct("<iI").unpack_from

PCREL_SDATA4 = 0x1B
ABSOLUTE = 0x00
OMITTED = 0xFF
_FIXED = {0x00: "<Q", 0x02: "<H", 0x03: "<I", 0x04: "<Q", 0x0A: "<h", 0x0B: "<i", 0x0C: "<q"}


Encode = Callable[[cfi.Rules, bool], int]
"""`encode(rules, signal)` is the row without its address; `signal`: the function is the return
trampoline of a signal handler."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What differs between architectures: the DWARF numbers of two registers, how rules become
    rows, the bytes of code that returns from a signal, calls the system or sets up a frame pointer,
    the row at a function's first instruction, and whether code can be where a program begins (the
    linker gives libraries an entry point too)."""

    frame_pointer: int
    return_address: int
    encode: Encode
    signal_returns: tuple[bytes, ...]
    system_call: bytes
    at_entry: int
    prologues: tuple[bytes, ...]
    is_entry: Callable[[bytes], bool]
    calls_with_result: re.Pattern[bytes]
    """`pointer`: an indirect call, whose result the next call, to `target` (relative to its own
    end), has as its argument."""


@dataclass(frozen=True, slots=True)
class Functions:
    """Every function with its program, in columns.

    Function i covers `size[i]` bytes from the address `start[i]`; its rows are those of program
    p = `program[i]`: `first[p]` to `first[p + 1]` of `offset` (from the function's start) and
    `code` (see `abi.code`). A broken program has no rows.
    """

    start: NDArray[np.uint64]
    size: NDArray[np.uint64]
    program: NDArray[np.uint32]
    first: NDArray[np.uint32]
    offset: NDArray[np.uint64]
    code: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Cie:
    """The common part of many records."""

    coding: cfi.Coding
    encoding: int
    augmented: bool
    signal: bool


@dataclass(slots=True)
class _Reader:
    """One pass over a section's `data`, which is mapped at `address`."""

    data: bytes
    address: int
    is_eh: bool
    machine: Machine
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    sizes: "array[int]" = field(default_factory=lambda: array("Q"))
    numbers: "array[int]" = field(default_factory=lambda: array("I"))
    cies: dict[int, _Cie | None] = field(default_factory=dict)
    programs: dict[tuple[int, bytes], int] = field(default_factory=dict)
    codes: dict[tuple[cfi.Rules, bool], int] = field(default_factory=dict)
    first: "array[int]" = field(default_factory=lambda: array("I", [0]))
    offset: "array[int]" = field(default_factory=lambda: array("Q"))
    code: "array[int]" = field(default_factory=lambda: array("Q"))
    program_bytes: int = 0

    def functions(self) -> Functions:
        at = 0
        while at + 4 <= len(self.data):
            at = self.record(at)
        return Functions(
            start=np.frombuffer(self.starts, np.uint64),
            size=np.frombuffer(self.sizes, np.uint64),
            program=np.frombuffer(self.numbers, np.uint32),
            first=np.frombuffer(self.first, np.uint32),
            offset=np.frombuffer(self.offset, np.uint64),
            code=np.frombuffer(self.code, np.uint64),
        )

    def record(self, at: int) -> int:
        """Reads the record at `at`; the answer is where the next one begins."""
        identifier, end, wide = self.extent(at)
        if end == identifier:  # a terminator; linkers leave some in the middle
            return end
        if identifier + (8 if wide else 4) > end:
            raise FormatError(f"the frame record at {at:#x} is too short for its kind")
        value: int = (_U64 if wide else _U32)(self.data, identifier)[0]
        body = identifier + (8 if wide else 4)
        if self.is_eh:
            cie = identifier - value if value else None
        else:
            cie = None if value == (2**64 - 1 if wide else 2**32 - 1) else value
        if cie is not None:
            self.function(cie, body, end)
        return end

    def extent(self, at: int) -> tuple[int, int, bool]:
        """Where a record's identifier stands, where the record ends, and whether it is 64-bit."""
        (size,) = _U32(self.data, at)
        start, wide = at + 4, size == 0xFFFFFFFF
        if wide and start + 8 <= len(self.data):
            (size,) = _U64(self.data, start)
            start += 8
        if start + size > len(self.data):
            raise FormatError(f"the frame record at {at:#x} ends behind its section")
        return start, start + size, wide

    def function(self, cie_at: int, at: int, end: int) -> None:
        if cie_at not in self.cies:
            self.cies[cie_at] = self.cie(cie_at)
        cie = self.cies[cie_at]
        if cie is None:
            return
        if cie.encoding == PCREL_SDATA4 and at + 8 <= end:
            start, size = _RANGE(self.data, at)
            start += self.address + at
            at += 8
        else:
            start, at = self.pointer(at, cie.encoding)
            size, at = self.pointer(at, cie.encoding & 0x0F)
        if cie.augmented:
            skip, at = cfi.uleb128(self.data, at)
            at += skip
        if size > 0 and 0 <= start < 1 << 63 and size < 1 << 63:
            self.starts.append(start)
            self.sizes.append(size)
            self.numbers.append(self.program(cie_at, cie, self.data[at:end]))

    def program(self, cie_at: int, cie: _Cie, code: bytes) -> int:
        """The number of a program, which is run when it is met for the first time."""
        number = self.programs.get((cie_at, code))
        if number is None:
            number = self.programs[cie_at, code] = len(self.programs)
            self.program_bytes += len(code)
            if self.program_bytes > MAX_PROGRAM_BYTES:
                raise FormatError(f"more than {MAX_PROGRAM_BYTES} bytes of call frame programs")
            self.run(code, cie)
        return number

    def run(self, code: bytes, cie: _Cie) -> None:
        try:
            rows = cfi.run(code, cie.coding)
        except FormatError:
            rows = []
        for offset, rules in rows:
            key = rules, cie.signal
            if key not in self.codes:
                self.codes[key] = self.machine.encode(rules, cie.signal)
            self.offset.append(offset)
            self.code.append(self.codes[key])
        self.first.append(len(self.offset))

    def cie(self, at: int) -> _Cie | None:
        """The CIE at `at`, None where functions that refer to it cannot be read."""
        if not 0 <= at <= len(self.data) - 4:
            return None
        identifier, end, wide = self.extent(at)
        try:
            return self.parse_cie(identifier + (8 if wide else 4), end)
        except (IndexError, FormatError, struct.error):
            return None

    def parse_cie(self, at: int, end: int) -> _Cie:
        data = self.data
        version = data[at]
        text_end = data.find(b"\0", at + 1, end)
        if text_end < 0:
            raise FormatError(f"the augmentation at {at:#x} has no end")
        augmentation = data[at + 1 : text_end].decode("ascii", "replace")
        at = text_end + (3 if version >= 4 else 1)  # version 4 adds the sizes of addresses
        code_align, at = cfi.uleb128(data, at)
        data_align, at = cfi.sleb128(data, at)
        return_address, at = (data[at], at + 1) if version == 1 else cfi.uleb128(data, at)
        encoding = ABSOLUTE
        if augmentation.startswith("z"):
            size, at = cfi.uleb128(data, at)
            encoding = self.pointer_encoding(augmentation, at)
            at += size
        elif augmentation:
            raise FormatError(f"unknown augmentation {augmentation!r}")
        if return_address != self.machine.return_address:
            raise FormatError(f"the return address is in register {return_address}")
        return _Cie(
            _coding(code_align, data_align, self.machine, data[at:end]),
            encoding,
            augmentation.startswith("z"),
            "S" in augmentation,
        )

    def pointer_encoding(self, augmentation: str, at: int) -> int:
        """The encoding of a function's range, from the augmentation data at `at`."""
        for letter in augmentation[1:]:
            if letter == "R":
                return self.data[at]
            if letter == "P":
                _, at = self.pointer(at + 1, self.data[at] & 0x0F)
            elif letter == "L":
                at += 1
            elif letter not in "SB":
                raise FormatError(f"unknown augmentation {augmentation!r}")
        return ABSOLUTE

    def pointer(self, at: int, encoding: int) -> tuple[int, int]:
        """An encoded pointer and where it ends."""
        form = _FIXED.get(encoding & 0x0F)
        if form is None or encoding & 0xF0 not in (0x00, 0x10):
            raise FormatError(f"unknown pointer encoding {encoding:#04x}")
        end = at + struct.calcsize(form)
        if end > len(self.data):
            raise FormatError(f"a pointer at {at:#x} ends behind its section")
        (value,) = struct.unpack_from(form, self.data, at)
        return value + (self.address + at if encoding & 0x10 else 0), end


def parse(data: bytes, address: int, is_eh: bool, machine: Machine) -> Functions:
    """The functions of an .eh_frame section (or .debug_frame, if not `is_eh`) at `address`."""
    try:
        return _Reader(data, address, is_eh, machine).functions()
    except (IndexError, struct.error) as error:
        raise FormatError(f"a frame record ends too early: {error}") from None


def join(parts: Sequence[Functions]) -> Functions:
    """The functions of several sections, one after the other."""
    programs = np.cumsum([0] + [len(part.first) - 1 for part in parts], dtype=np.uint32)
    rows = np.cumsum([0] + [len(part.code) for part in parts], dtype=np.uint32)
    first = [part.first[:-1] + skip for part, skip in zip(parts, rows, strict=False)]
    return Functions(
        start=_concatenate([part.start for part in parts], np.uint64),
        size=_concatenate([part.size for part in parts], np.uint64),
        program=_concatenate(
            [part.program + skip for part, skip in zip(parts, programs, strict=False)], np.uint32
        ),
        first=_concatenate([*first, rows[-1:]], np.uint32),
        offset=_concatenate([part.offset for part in parts], np.uint64),
        code=_concatenate([part.code for part in parts], np.uint64),
    )


def _concatenate(columns: list[NDArray[Number]], kind: type[Number]) -> NDArray[Number]:
    return np.concatenate([np.zeros(0, kind), *columns])


def until_terminator(data: bytes) -> bytes:
    """The records up to the empty one that ends them, where no section says their size."""
    at = 0
    while at + 4 <= len(data) and (size := _U32(data, at)[0]):
        at += 4 + size
    return data[:at]


def header_target(data: bytes, address: int) -> int:
    """The address of .eh_frame from an .eh_frame_hdr at `address`.

    version 1 · encodings 1b 03 3b · .eh_frame 0x5c on · 14 entries · …
    """
    if len(data) < 8 or data[0] != 1 or data[1] != PCREL_SDATA4:
        raise FormatError(f"unknown .eh_frame_hdr: {data[:4].hex(' ')}")
    return address + 4 + int.from_bytes(data[4:8], "little", signed=True)


def _coding(code_align: int, data_align: int, machine: Machine, program: bytes) -> cfi.Coding:
    """The coding whose initial rules are what the CIE's own program leaves."""
    coding = cfi.Coding(code_align, data_align, machine.frame_pointer, machine.return_address)
    return replace(coding, initial=cfi.run(program, coding)[-1][1])
