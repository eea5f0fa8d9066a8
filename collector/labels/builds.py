"""The build-ids of executables, read without their symbols: a process may be sampled in the kernel
alone."""

import os
from pathlib import Path

from collector.elf.file import read_elf
from collector.elf.notes import build_id
from collector.elf.source import of_descriptor
from collector.processes.bounded import Bounded
from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.symbols.files import Identity, Unreadable, identity, open_mapped
from profiler.errors import FormatError

MAX_FILES = 4096
"""Executables that are remembered, some 300 bytes each."""

_Place = tuple[tuple[int, int], int, bytes]


class Builds:
    """Looks at each executable once a drain, and reads it again only if it has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: Bounded[_Place, tuple[Identity, str]] = Bounded(MAX_FILES, lambda known: 1)
        self._looked: set[_Place] = set()

    def begin_drain(self) -> None:
        self._looked.clear()

    def of(self, process: Process) -> str:
        """Hexadecimal; "" where it is not known. That of a process which has ended is what its
        file had when it was last looked at, if that cannot be opened any more."""
        mapping = _own(process)
        if mapping is None:
            return ""
        place = mapping.device, mapping.inode, mapping.path
        if place not in self._looked:
            self._looked.add(place)
            self._look(place, process, mapping)
        known = self._known.get(place)
        return known[1] if known else ""

    def _look(self, place: _Place, process: Process, mapping: Mapping) -> None:
        try:
            fd = open_mapped(self._root, process, mapping)
        except Unreadable:
            self._looked.discard(place)  # another process may show it
            return
        try:
            file = identity(fd)
            known = self._known.get(place)
            if known is None or known[0] != file:
                self._known[place] = file, build_id(read_elf(of_descriptor(fd)))
        except FormatError:
            self._known[place] = file, ""
        except (OSError, Unreadable):
            pass
        finally:
            os.close(fd)


def _own(process: Process) -> Mapping | None:
    """The executable among the mappings of a process."""
    files = (each for each in process.mappings if not each.anonymous)
    return next((each for each in files if each.name == process.executable), None)
