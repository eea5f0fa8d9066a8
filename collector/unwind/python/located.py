"""The interpreter that a process has mapped: in which file, and where.

The file is the executable itself (Debian's python3.11) or a library (libpython3.12.so.1.0), and has
`python` in its name, or is the process's executable, for programs that embed the interpreter.
"""

import mmap
import os
import re
from dataclasses import dataclass
from pathlib import Path

from collector.elf.file import Segment, read_elf
from collector.elf.source import of_descriptor
from collector.processes.bounded import Bounded
from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.symbols.files import Identity, Unreadable, identity, open_mapped
from collector.unwind.python.interpreter import Interpreter, read_interpreter
from collector.unwind.python.memory import Refused
from profiler.errors import FormatError

MAX_FILES = 4096

_PYTHON = re.compile(r"^(?:lib)?python\d")


@dataclass(frozen=True, slots=True)
class Located:
    """An interpreter whose virtual addresses begin at `base` in the process, by the `mapping` that
    tells so."""

    interpreter: Interpreter
    file: Identity
    base: int
    mapping: Mapping


@dataclass(frozen=True, slots=True)
class _File:
    """What was read of a file: an interpreter, or why there is none for us; both are None where
    there is none at all."""

    interpreter: Interpreter | None = None
    segments: tuple[Segment, ...] = ()
    refusal: Refused | None = None


class Locator:
    """Reads each file once."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._files: Bounded[Identity, _File] = Bounded(MAX_FILES, lambda file: 1)

    def find(self, process: Process) -> Located | None:
        """The interpreter of a process, None where it has none. Raises Refused for one that we
        do not know, or whose file cannot be read."""
        refusal = None
        for mapping in _candidates(process):
            key, file = self._read(process, mapping)
            base = _base(mapping, file.segments)
            if file.interpreter is not None and base is not None:
                return Located(file.interpreter, key, base, mapping)
            refusal = refusal or file.refusal
        if refusal is not None:
            raise refusal
        return None

    def _read(self, process: Process, mapping: Mapping) -> tuple[Identity, _File]:
        try:
            fd = open_mapped(self._proc, process, mapping)
        except Unreadable as error:
            raise Refused(error.cause, mapping.name) from None
        try:
            key = identity(fd)
            file = self._files.get(key)
            if file is None:
                file = self._files[key] = _read_file(fd, mapping.name)
            return key, file
        except Unreadable as error:
            raise Refused(error.cause, mapping.name) from None
        finally:
            os.close(fd)


def _candidates(process: Process) -> list[Mapping]:
    return [
        mapping
        for mapping in process.mappings
        if not mapping.anonymous
        and (_PYTHON.match(mapping.name) or mapping.name == process.executable)
    ]


def _read_file(fd: int, name: str) -> _File:
    try:
        elf = read_elf(of_descriptor(fd))
        if elf.architecture:
            return _File(read_interpreter(elf, name), elf.executable())
    except Refused as refusal:
        return _File(refusal=refusal)
    except FormatError:
        pass
    return _File()


def _base(mapping: Mapping, segments: tuple[Segment, ...]) -> int | None:
    """Runtime address less virtual address, if the mapping shows one of the segments."""
    for segment in segments:
        first = segment.offset // mmap.PAGESIZE * mmap.PAGESIZE
        if first <= mapping.offset < segment.offset + segment.size:
            return mapping.start - mapping.offset + segment.offset - segment.address
    return None
