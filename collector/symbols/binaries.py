"""The files behind mappings, each read once for all processes that map it.

A file is known by its name and build-id, and one without by device, inode, size and time of
change. A build-id is whatever the file says, so size and owner must agree too: what another user
has built does not speak for a file of root's.
"""

import os
import tempfile
from pathlib import Path

from collector.processes.bounded import Bounded
from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.symbols.binary import Binary
from collector.symbols.counters import Counters
from collector.symbols.files import Identity, Unreadable, identity, open_mapped
from collector.symbols.program import Program, read_program
from collector.symbols.reader import Reader
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
    asked for then has the cause `postponed`, to be asked for again. What `others`, which another
    thread may use meanwhile, have read is not read again.
    """

    def __init__(
        self,
        root: Path,
        reader: Reader,
        counters: Counters,
        clock: Clock,
        vdso_image: bytes = b"",
        max_bytes: int = MAX_SYMCACHE_BYTES,
        others: "Binaries | None" = None,
    ) -> None:
        self._root = root
        self._reader = reader
        self._counters = counters
        self._clock = clock
        self._keys: Bounded[_Place, _Key] = Bounded(MAX_PLACES, lambda key: 1)
        self._files: Bounded[tuple[str, Identity], _Key] = Bounded(MAX_PLACES, lambda key: 1)
        self._binaries: Bounded[_Key, Binary] = Bounded(
            max_bytes, lambda binary: _BINARY_BYTES + binary.size
        )
        self._others = others
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
        if known is not None and not self._reader.knows_more(known):
            return known
        try:
            fd = open_mapped(self._root, process, mapping)
        except Unreadable as error:
            return known or Binary(mapping.name, None, cause=error.cause)
        try:
            return self._of_file(fd, process, mapping)
        except Unreadable as error:
            return known or Binary(mapping.name, None, cause=error.cause)
        finally:
            os.close(fd)

    def knows_more(self, binary: Binary) -> bool:
        """Whether `find` would give a better one for it."""
        return self._reader.knows_more(binary)

    def clear(self) -> None:
        self._keys.clear()
        self._binaries.clear()

    def _of_file(self, fd: int, process: Process, mapping: Mapping) -> Binary:
        file = identity(fd)
        key = self._files.get((mapping.name, file))
        binary = self._binaries.get(key) if key else None
        if key is None or binary is None or self._reader.knows_more(binary):
            key, binary = self._read_file(fd, process, mapping, file)
            if binary.cause == "postponed":
                return binary
            self._files[mapping.name, file] = key
        self._keys[(process.pid, process.start_ticks, mapping)] = key
        return binary

    def _read_file(
        self, fd: int, process: Process, mapping: Mapping, file: Identity
    ) -> tuple[_Key, Binary]:
        """As much as is known of a file that is new, or of which more can be known."""
        name = mapping.name
        try:
            program = read_program(fd, name, mapping.path, process.pid)
        except FormatError:
            program = None
        identifier = program.build_id if program else ""
        key = (name, identifier, file.size, file.owner) if identifier else file
        known = self._binaries.get(key) or self._of_others(key)
        if known is not None and not self._reader.knows_more(known):
            return key, known
        binary = self._read(name, program)
        if binary.cause == "postponed":
            return key, known or binary
        self._binaries[key] = binary
        self._counters.evicted_files = self._binaries.evictions
        return key, binary

    def _of_others(self, key: _Key) -> Binary | None:
        found = self._others._binaries.peek(key) if self._others else None
        if found is not None:
            self._binaries[key] = found
        return found

    def _of_vdso(self, mapping: Mapping) -> Binary:
        if mapping.end - mapping.start != len(self._vdso_image):  # that of a 32-bit process
            return Binary(mapping.name, None, cause="no_symbols")
        if self._vdso is None or self._vdso.cause == "postponed":
            try:
                with tempfile.TemporaryFile(buffering=0) as file:
                    file.write(self._vdso_image)
                    program = read_program(file.fileno(), mapping.name)
                    self._vdso = self._read(mapping.name, program)
            except (OSError, FormatError):
                self._vdso = Binary(mapping.name, None, cause="bad_elf")
        return self._vdso

    def _read(self, name: str, program: Program | None) -> Binary:
        if program is None:
            self._counters.files["bad_elf"] += 1
            return Binary(name, None, cause="bad_elf")
        begun_ns = self._clock.monotonic_ns()
        if begun_ns >= self.deadline_ns:
            return Binary(name, program.elf, program.build_id, cause="postponed")
        binary = self._reader.read(program)
        self._counters.file_nanoseconds += self._clock.monotonic_ns() - begun_ns
        return binary
