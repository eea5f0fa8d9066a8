"""Names for the addresses of one file, from wherever they are known best.

In this order: the table of a Go program's runtime, a separate debug file, the file's own DWARF and
symbol table, the compressed symbol table of a stripped file, a debug file from a debuginfod server,
what the file exports.
"""

import os
from collections.abc import Iterator

from collector.elf.file import Elf, Section
from collector.symbols.binary import Binary
from collector.symbols.builder import Builder, Built
from collector.symbols.counters import Counters
from collector.symbols.debugfiles import DebugFiles, has_dwarf
from collector.symbols.debuginfod import Debuginfod
from collector.symbols.files import Unreadable
from collector.symbols.functions import COMPRESSED, SHT_SYMTAB
from collector.symbols.go.module import MARKS as GO
from collector.symbols.go.table import GoTable, read_go_table
from collector.symbols.location import Names
from collector.symbols.plt import Plt
from collector.symbols.program import Program
from collector.symbols.symcache import SymCacheNames
from profiler.errors import FormatError


class Reader:
    """Reads each file that it is given, and counts what came of it."""

    def __init__(
        self,
        builder: Builder,
        debug_files: DebugFiles,
        debuginfod: Debuginfod | None,
        counters: Counters,
    ) -> None:
        self._builder = builder
        self._debug_files = debug_files
        self._debuginfod = debuginfod
        self._counters = counters

    def read(self, program: Program) -> Binary:
        """Never raises: a file that cannot be read is a Binary without symbols."""
        name, elf, build_id, plt = program.name, program.elf, program.build_id, Plt(program.elf)
        names: list[Names] = []
        bare, outcome = False, "ok"
        table = _go_table(elf)
        if table:
            names.append(table)
        if not (table and all(map(table.covers, _code(elf)))):
            separate = self._separate(program)
            bare = separate is None and _is_bare(elf)
            try:
                built = separate or self._builder.build(program.fd)
                names.append(SymCacheNames(built.symbols, built.size, elf.image_base))
                outcome = "names_only" if built.names_only else "ok"
            except Unreadable as error:
                outcome = "ok" if names else error.cause
        self._counters.files[outcome] += 1
        return Binary(name, elf, build_id, plt, names, cause="" if names else outcome, bare=bare)

    def knows_more(self, binary: Binary) -> bool:
        """Whether a file that was read without its symbols is to be read again."""
        return bool(binary.bare and self._debuginfod and self._debuginfod.has(binary.build_id))

    def _separate(self, program: Program) -> Built | None:
        """From a debug file; None where there is none, or none that is of use."""
        built = self._built(self._debug_files.open(program))
        if built is None and self._debuginfod and _is_bare(program.elf):
            fd = self._debuginfod.open(program.build_id)
            built = self._built(fd)
            if fd is not None and built is None:
                self._debuginfod.refuse(program.build_id)
        return built

    def _built(self, fd: int | None) -> Built | None:
        """The symbols of a debug file, which is closed."""
        if fd is None:
            return None
        try:
            return self._builder.build(fd)
        except Unreadable:
            return None
        finally:
            os.close(fd)


def _code(elf: Elf) -> Iterator[Section]:
    return (section for section in elf.sections if section.name == ".text")


def _go_table(elf: Elf) -> GoTable | None:
    try:
        return read_go_table(elf)
    except (FormatError, OSError):  # OSError: no room for a copy of it
        return None


def _is_bare(elf: Elf) -> bool:
    """Whether a file names at most what it exports."""
    symbols = any(section.kind == SHT_SYMTAB for section in elf.sections)
    return not symbols and not has_dwarf(elf) and not any(map(elf.section, (COMPRESSED, *GO)))
