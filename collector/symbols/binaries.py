"""The files behind mappings, each read once for all processes that map it.

A file is known by its name and build-id, and one without by device, inode, size and time of
change. A build-id is whatever the file says, so size and owner must agree too: what another user
has built does not speak for a file of root's.
"""

import os
import tempfile
from pathlib import Path

from collector.elf.file import Elf, read_elf
from collector.elf.notes import build_id
from collector.elf.source import of_descriptor
from collector.processes.bounded import Bounded
from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.symbols.binary import Binary
from collector.symbols.builder import Builder, Built
from collector.symbols.counters import Counters
from collector.symbols.files import Identity, Unreadable, identity, open_mapped, open_regular
from collector.symbols.plt import Plt
from profiler.clock import Clock
from profiler.errors import FormatError

MAX_SYMCACHE_BYTES = 512 << 20
"""Of all files together; mapped from temporary files, so only what is used is in memory."""
_BINARY_BYTES = 64 << 10
"""What a file costs beside its SymCache: the addresses that it was asked for."""
MAX_PLACES = 16_384

_Place = tuple[int, int, Mapping]
_Key = tuple[str, str, int, int] | Identity


class Binaries:
    """Finds the Binary of a mapping, reading its file if it must and may.

    Reading is bounded in time: after `deadline_ns` (monotonic) no new file is begun, and what is
    asked for then has the cause `postponed`, to be asked for again.
    """

    def __init__(
        self,
        root: Path,
        debug_root: Path,
        builder: Builder,
        counters: Counters,
        clock: Clock,
        vdso_image: bytes = b"",
        max_bytes: int = MAX_SYMCACHE_BYTES,
    ) -> None:
        self._root = root
        self._debug_root = os.fsencode(debug_root)
        self._builder = builder
        self._counters = counters
        self._clock = clock
        self._keys: Bounded[_Place, _Key] = Bounded(MAX_PLACES, lambda key: 1)
        self._binaries: Bounded[_Key, Binary] = Bounded(
            max_bytes, lambda binary: _BINARY_BYTES + binary.size
        )
        self._vdso_image = vdso_image
        self._vdso: Binary | None = None
        self.deadline_ns = 0

    def find(self, process: Process, mapping: Mapping) -> Binary:
        """Never raises: a file that cannot be read is a Binary without symbols."""
        if mapping.vdso:
            return self._of_vdso(mapping)
        place = (process.pid, process.start_ticks, mapping)
        key = self._keys.get(place)
        known = None if key is None else self._binaries.get(key)
        if known is not None:
            return known
        try:
            fd = open_mapped(self._root, process, mapping)
        except Unreadable as error:
            return Binary(mapping.name, None, cause=error.cause)
        try:
            return self._of_file(fd, mapping.name, place)
        except Unreadable as error:
            return Binary(mapping.name, None, cause=error.cause)
        finally:
            os.close(fd)

    def clear(self) -> None:
        self._keys.clear()
        self._binaries.clear()

    def _of_file(self, fd: int, name: str, place: _Place) -> Binary:
        file = identity(fd)
        try:
            elf = read_elf(of_descriptor(fd))
        except FormatError:
            elf = None
        identifier = build_id(elf) if elf else ""
        key = (name, identifier, file.size, file.owner) if identifier else file
        binary = self._binaries.get(key)
        if binary is None:
            binary = self._read(fd, name, elf, identifier)
            if binary.cause == "postponed":
                return binary
            self._binaries[key] = binary
            self._counters.evicted_files = self._binaries.evictions
        self._keys[place] = key
        return binary

    def _of_vdso(self, mapping: Mapping) -> Binary:
        if mapping.end - mapping.start != len(self._vdso_image):  # that of a 32-bit process
            return Binary(mapping.name, None, cause="no_symbols")
        if self._vdso is None or self._vdso.cause == "postponed":
            try:
                with tempfile.TemporaryFile(buffering=0) as file:
                    file.write(self._vdso_image)
                    elf = read_elf(of_descriptor(file.fileno()))
                    self._vdso = self._read(file.fileno(), mapping.name, elf, build_id(elf))
            except (OSError, FormatError):
                self._vdso = Binary(mapping.name, None, cause="bad_elf")
        return self._vdso

    def _read(self, fd: int, name: str, elf: Elf | None, build_id: str) -> Binary:
        """Builds the SymCache: of the separate debug file if there is one, else of the file."""
        begun_ns = self._clock.monotonic_ns()
        if elf is None:
            binary = Binary(name, None, cause="bad_elf")
        elif begun_ns >= self.deadline_ns:
            return Binary(name, elf, build_id, cause="postponed")
        else:
            plt = Plt(elf)
            try:
                built = self._debug_symbols(build_id) or self._builder.build(fd)
                binary = Binary(name, elf, build_id, plt, built.symbols, built.size)
                self._counters.files["names_only" if built.names_only else "ok"] += 1
            except Unreadable as error:
                binary = Binary(name, elf, build_id, plt, cause=error.cause)
        if binary.cause:
            self._counters.files[binary.cause] += 1
        self._counters.file_nanoseconds += self._clock.monotonic_ns() - begun_ns
        return binary

    def _debug_symbols(self, wanted: str) -> Built | None:
        """From /usr/lib/debug/.build-id/ab/cdef….debug, if it has the build-id that it is
        named for. None where there is none, or it is of no use."""
        if len(wanted) < 4:
            return None
        name = f"/.build-id/{wanted[:2]}/{wanted[2:]}.debug".encode()
        fd = open_regular(self._debug_root + name)
        if fd is None:
            return None
        try:
            identity(fd)
            if build_id(read_elf(of_descriptor(fd))) != wanted:
                return None
            return self._builder.build(fd)
        except (FormatError, Unreadable):
            return None
        finally:
            os.close(fd)
