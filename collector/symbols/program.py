"""An ELF file that a process has mapped, while it is open."""

from dataclasses import dataclass

from collector.elf.file import Elf, read_elf
from collector.elf.notes import build_id
from collector.elf.source import of_descriptor
from collector.symbols.files import Identity, identity


@dataclass(frozen=True, slots=True)
class Program:
    """`path` is that of the mapping, as the process `pid` sees it; `build_id` is hexadecimal, or
    "" where the file has none."""

    fd: int
    name: str
    path: bytes
    pid: int
    file: Identity
    elf: Elf
    build_id: str


def read_program(fd: int, name: str, path: bytes = b"", pid: int = 0) -> Program:
    """What `fd` is open on; it stays the caller's. Raises FormatError, and Unreadable for a file
    that is too large."""
    elf = read_elf(of_descriptor(fd))
    return Program(fd, name, path, pid, identity(fd), elf, build_id(elf))
