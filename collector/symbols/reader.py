"""Names for the addresses of one file, from wherever they are known best.

In this order: a separate debug file, the file's own DWARF and symbol table, the compressed symbol
table of a stripped file, what it exports.
"""

import os

from collector.symbols.binary import Binary
from collector.symbols.builder import Builder, Built
from collector.symbols.counters import Counters
from collector.symbols.debugfiles import DebugFiles
from collector.symbols.files import Unreadable
from collector.symbols.plt import Plt
from collector.symbols.program import Program


class Reader:
    """Reads each file that it is given, and counts what came of it."""

    def __init__(self, builder: Builder, debug_files: DebugFiles, counters: Counters) -> None:
        self._builder = builder
        self._debug_files = debug_files
        self._counters = counters

    def read(self, program: Program) -> Binary:
        """Never raises: a file that cannot be read is a Binary without symbols."""
        name, elf, build_id, plt = program.name, program.elf, program.build_id, Plt(program.elf)
        try:
            built = self._separate(program) or self._builder.build(program.fd)
        except Unreadable as error:
            self._counters.files[error.cause] += 1
            return Binary(name, elf, build_id, plt, cause=error.cause)
        self._counters.files["names_only" if built.names_only else "ok"] += 1
        return Binary(name, elf, build_id, plt, built.symbols, built.size)

    def _separate(self, program: Program) -> Built | None:
        """From the debug file; None where there is none, or it is of no use."""
        fd = self._debug_files.open(program)
        if fd is None:
            return None
        try:
            return self._builder.build(fd)
        except Unreadable:
            return None
        finally:
            os.close(fd)
