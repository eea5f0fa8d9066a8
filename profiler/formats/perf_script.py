"""The text of `perf script`: a line about each sample, its stack innermost first, an empty line.

    make  4711/4712 [003]  1234.567890:    1010101 cpu-clock:pppH:
        ffffffff81a00b20 schedule+0x20 ([kernel.kallsyms])
            55d0c0de1139 work+0x9 (/usr/bin/make)

Which of the fields are there depends on perf's version and its -F; all that is needed is the event
and its colon. A sample without -g has its one frame behind that. Read are inlined frames, lines of
source (-F +srcline) and offsets in files (-F +dsoff) as well. Addresses are those of the process,
which mean nothing afterwards, so that only the kernel's are kept. The period of the clocks is in
nanoseconds; of the other events it counts them, and where there is none a sample counts 1.

https://man7.org/linux/man-pages/man1/perf-script.1.html
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import IO

import re2

from profiler.errors import FormatError
from profiler.formats import limits, lines
from profiler.formats.kinds import kind_of
from profiler.formats.lines import Mistakes
from profiler.model import CPU, Frame, Kind, Profile, ProfileType

_CLOCKS = ("cpu-clock", "task-clock")
# RE2's, whose time is linear in the line's length.
_SAMPLE = re2.compile(
    r"(?P<thread>\S.*?)"
    r"(?:\s+-?\d+(?:[/\s]\s*-?\d+)?)?"  # pid, tid or both
    r"(?:\s+\[\d+\])?"  # -F cpu
    r"(?:\s+[\w.+-]{4,6})?"  # with tracepoints: what interrupts and preemption were like
    r"(?:\s+\d+\.\d+:)?"  # -F time
    r"(?:\s+(?P<period>\d+))?"
    r"\s+(?P<event>[A-Za-z_][\w./:=,*@-]*):(?:\s+(?P<rest>.*))?"
)
_FRAME = re2.compile(
    r"\s*(?:(?P<address>[0-9a-f]+)\s+)?(?P<symbol>\S.*?)\s+\((?P<binary>[^()]*(?:\(.*\))?[^()]*)\)\s*"
)
_WITHOUT_BINARY = re2.compile(r"\s+(?P<address>[0-9a-f]+)(?:\s+(?P<symbol>\S.*?))?\s*")
_SOURCE = re2.compile(
    r"\s+(?:(?P<file>\S.*):(?P<line>\d{1,9})|\S.*\[[0-9a-f]+\])(?P<inlined>\s+\(inlined\))?\s*"
)
"""main.c:12, or libc.so.6[27304] where that is not known."""
_OFFSET = re2.compile(r"(.+)\+0x([0-9a-f]{1,16})")
_MODIFIERS = re2.compile(r"(.+):[ukhGHIpPSDWeb]+")
_UNKNOWN = "[unknown]"
_CACHED_LINES = 1 << 16
_CACHED_LENGTH = 1 << 10
"""Of a line: 64 MB of them at most."""
_MAX_LENGTH = 2 * limits.MAX_NAME
"""Of a line that is read: RE2 takes a second for 40 MB."""


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is one: a line in it is about a sample."""
    text = head.decode("utf-8", "backslashreplace")
    return any(_SAMPLE.fullmatch(line.strip()) for line in text.splitlines() if line[:1] != "#")


def load_all(file: IO[bytes], mistakes: Mistakes | None = None) -> list[Profile]:
    """A profile of each event in the file, in their order.

    Raises FormatError where the bounds of `limits` are passed. Lines that cannot be read are kept
    in `mistakes`, or raise FormatError when none is given; a sample keeps what could be read of it.
    """
    found = Mistakes() if mistakes is None else mistakes
    reader = _Reader()
    for number, line in lines.numbered(file):
        try:
            reader.read(line)
        except _UnreadableError as error:
            found.add(number, str(error))
    reader.finish()
    if mistakes is None:
        found.raise_any()
    return reader.profiles()


class _UnreadableError(Exception):
    """A line that is none of a sample, a frame or its source."""


class _Event:
    """The samples of one event so far."""

    def __init__(self) -> None:
        self.builder = limits.BoundedBuilder()
        self.periods: set[int] = set()

    def add(self, stack: list[Frame], period: int) -> None:
        self.builder.add_bounded(stack, 1, period)
        if len(self.periods) < 2:
            self.periods.add(period)


class _Reader:
    """One sample at a time: begun by its line, grown by frames, ended by the next one."""

    def __init__(self) -> None:
        self._events: dict[ProfileType, _Event] = {}
        self._sample: tuple[ProfileType, int, str] | None = None
        self._stack: list[Frame] = []  # innermost first

    def read(self, line: str) -> None:
        if len(line) > _MAX_LENGTH:
            raise _UnreadableError(f"{len(line):,} characters, more than {_MAX_LENGTH:,}")
        if not line or line.isspace() or line[0] == "#":
            self.finish()
        elif line[0] == "\t" and self._sample:  # else it may be a thread's name, set to the right
            self._grow(line)
        elif sample := _SAMPLE.fullmatch(line.strip()):
            self.finish()
            self._begin(sample)
        elif line[0].isspace() and self._sample:
            self._grow(line)
        else:
            self.finish()
            raise _UnreadableError(f"expected a sample, got {lines.shown(line)}")

    def finish(self) -> None:
        if self._sample:
            type, period, thread = self._sample
            event = self._events.setdefault(type, _Event())
            stack = [Frame(thread, kind=Kind.THREAD), *reversed(self._stack)]
            event.add(stack, period)
        self._sample, self._stack = None, []

    def profiles(self) -> list[Profile]:
        if not self._events:
            raise FormatError("no samples in the text of perf script")
        return [
            event.builder.build(
                type, period=next(iter(event.periods)) if len(event.periods) == 1 else 0
            )
            for type, event in self._events.items()
        ]

    def _begin(self, match: re2._Match) -> None:
        if match["event"].startswith("PERF_RECORD_"):
            return
        period = match["period"] or ""
        if len(period) > 19:
            raise _UnreadableError(f"a period of {len(period)} digits")
        type = _type(match["event"], counted=not period)
        self._sample = type, int(period or "1"), match["thread"]
        if match["rest"] and (frame := _frame(f" {match['rest']}")):
            self._stack.append(frame)

    def _grow(self, line: str) -> None:
        if self._stack and (source := _SOURCE.fullmatch(line)):
            self._stack[-1] = _at_source(self._stack[-1], **source.groupdict())
        elif frame := _frame(line):
            self._stack.append(frame)
            if len(self._stack) > limits.MAX_DEPTH:
                raise FormatError(f"a stack of more than {limits.MAX_DEPTH:,} frames")
        else:
            raise _UnreadableError(f"expected a frame, got {lines.shown(line)}")


def _type(event: str, *, counted: bool) -> ProfileType:
    """cycles:u is cycles, sched:sched_switch stays; the clocks, with a period, are our `cpu`."""
    modified = _MODIFIERS.fullmatch(event)
    name = modified[1] if modified else event
    return CPU if name in _CLOCKS and not counted else ProfileType(name, "count")


def _frame(line: str) -> Frame | None:
    return _cached_frame(line) if len(line) <= _CACHED_LENGTH else _read_frame(line)


def _read_frame(line: str) -> Frame | None:
    match = _FRAME.fullmatch(line) or _WITHOUT_BINARY.fullmatch(line)
    if match is None:
        return None
    fields = match.groupdict()
    function, offset = _split(fields["symbol"] or _UNKNOWN)
    function = limits.name(function)
    binary = limits.name((fields.get("binary") or "").removesuffix(" (deleted)"))
    if binary == "inlined":
        return Frame(function, inlined=True)
    binary, place = _split(binary) if binary.startswith("/") else (binary, 0)
    binary = "" if binary == _UNKNOWN else binary
    kind = kind_of(function, "", binary)
    if kind is Kind.KERNEL:
        place = max(0, int(fields["address"] or "0", 16) - offset)
    if function == _UNKNOWN and binary:
        function = f"{_UNKNOWN} {PurePosixPath(binary).name}" + (f"+{place:#x}" if place else "")
    return Frame(function, "", 0, binary, "", place & (2**64 - 1), kind)


_cached_frame = lru_cache(_CACHED_LINES)(_read_frame)


def _split(text: str) -> tuple[str, int]:
    """A name and the offset behind it."""
    match = _OFFSET.fullmatch(text)
    return (match[1], int(match[2], 16)) if match else (text, 0)


def _at_source(frame: Frame, file: str | None, line: str | None, inlined: str | None) -> Frame:
    frame = replace(frame, inlined=frame.inlined or inlined is not None)
    if file is None or line is None or file == "??":
        return frame
    kind = frame.kind if frame.kind is not Kind.NATIVE else kind_of(frame.function, file, "")
    return replace(frame, file=file, line=int(line), kind=kind)
