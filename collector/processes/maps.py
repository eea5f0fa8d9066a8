r"""The executable mappings of a process, from the text of /proc/PID/maps (see proc(5)).

    55d377ef3000-55d377ef8000 r-xp 00002000 fe:00 247026        /usr/bin/cat

The kernel writes a newline in a path as \012 and appends " (deleted)" to the path of a file that
has no name any more; neither can be told from a file that is really called so, so the path is a
hint and device and inode are the truth.
"""

import re
from typing import NamedTuple

from collector.processes.text import printable

MAX_MAPPINGS = 16_384
"""Executable mappings kept of one process. Browsers and JVMs have hundreds."""

_LINE = re.compile(
    rb"^([0-9a-f]{1,16})-([0-9a-f]{1,16}) (..x.) ([0-9a-f]{1,16})"
    rb" ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)\n",
    re.MULTILINE,
)
_DELETED = b" (deleted)"


class Mapping(NamedTuple):
    """Runtime addresses [start, end) show the file from byte `offset` on; inode 0: no file."""

    start: int
    end: int
    offset: int = 0
    device: tuple[int, int] = (0, 0)
    inode: int = 0
    path: bytes = b""
    deleted: bool = False

    @property
    def anonymous(self) -> bool:
        """Memory without a file: what a just-in-time compiler writes, the stack, the vdso."""
        return self.inode == 0

    @property
    def vdso(self) -> bool:
        """The one ELF file that lies in memory only."""
        return self.anonymous and self.path == b"[vdso]"

    @property
    def name(self) -> str:
        """The base name of the file, `[vdso]` and the like, or `[anon]`."""
        return printable(self.path.rpartition(b"/")[2] or b"[anon]")


def parse_maps(text: bytes) -> tuple[Mapping, ...]:
    """The executable mappings by address; a last line without its newline was cut and is left."""
    mappings = []
    for line in _LINE.finditer(text):
        start, end, _, offset, major, minor, inode, path = line.groups()
        deleted = path.endswith(_DELETED)
        mappings.append(
            Mapping(
                int(start, 16),
                int(end, 16),
                int(offset, 16),
                (int(major, 16), int(minor, 16)),
                int(inode),
                path.removesuffix(_DELETED).replace(rb"\012", b"\n"),
                deleted,
            )
        )
        if len(mappings) == MAX_MAPPINGS:
            break
    return tuple(mappings)
