"""Tables on disk, so that a file is read once and not after every start.

A table is kept under a digest of what it is made from: the frame information and where the code
lies. Not under the build-id, which anyone can write into a file of their own: a table that other
processes share must not be for sale.

    ~/.cache/profiler/unwind/4f0c…d1.v1
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from collector.elf.file import Elf
from collector.folder import shrink
from collector.unwind import tablefile
from collector.unwind.table import Table
from profiler.errors import FormatError

MAX_BYTES = 512 << 20
"""Everything in /usr/bin and /usr/lib of a Debian with two compilers has 110 MB of rows."""
DIGEST_BYTES = 20


def digest(elf: Elf) -> str:
    """Of everything that decides about the rows but the code itself."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    state.update(repr((elf.machine, elf.entry, elf.segments)).encode())
    for name in (".eh_frame", ".debug_frame"):
        section = elf.section(name)
        if section:
            state.update(repr(section).encode())
            state.update(elf.load(section))
    return state.hexdigest()


class TableCache:
    """The files of one folder, `max_bytes` of them; what was used least recently goes first."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get(self, key: str) -> Table | None:
        """The table of that digest; a damaged file is removed."""
        path = self._path(key)
        try:
            table = tablefile.loads(path.read_bytes())
            os.utime(path)
            return table
        except FormatError:
            path.unlink(missing_ok=True)
        except OSError:
            pass
        return None

    def put(self, key: str, data: bytes) -> None:
        """Keeps a table; a full disk only means that it is built again."""
        path = self._path(key)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            part.write_bytes(data)
            part.replace(path)
            shrink(self._folder.iterdir(), self._max_bytes)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.v{tablefile.VERSION}"
