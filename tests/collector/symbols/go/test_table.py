"""Names of Go programs by the table of their runtime, held against their own DWARF."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.elf.file import Elf, read_elf
from collector.elf.source import of_bytes, of_descriptor
from collector.symbols.builder import Builder
from collector.symbols.counters import Counters
from collector.symbols.debugfiles import DebugFiles
from collector.symbols.go import table as table_module
from collector.symbols.go.module import find_module
from collector.symbols.go.table import GoTable, read_go_table
from collector.symbols.program import read_program
from collector.symbols.reader import Reader
from collector.symbols.symbolizer import Symbolizer
from collector.symbols.symcache import SymCacheNames
from profiler.errors import FormatError
from tests.collector.symbols.drains import frames
from tests.collector.symbols.programs import address_of, compiled, go, running

STRIPPED = "-ldflags=-s -w"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("go")


@pytest.fixture(scope="module")
def stripped(folder: Path) -> bytes:
    return go(folder / "shop", STRIPPED).read_bytes()


def table_of(image: bytes) -> GoTable:
    table = read_go_table(read_elf(of_bytes(image)))
    assert table is not None
    return table


@pytest.mark.parametrize(
    "flags",
    [[], [STRIPPED], [STRIPPED, "-buildmode=pie"], ["-ldflags=-s -w -linkmode=external"]],
    ids=["whole", "stripped", "position-independent", "linked by gcc"],
)
def test_functions_lines_and_inlined_calls_are_those_of_the_source(
    symbolizer: Symbolizer, tmp_path: Path, flags: list[str]
) -> None:
    with running(go(tmp_path / "shop", *flags)) as program:
        at = program.addresses
        *callers, leaf = frames(symbolizer, program.pid, at["hidden"], at["return"])
    assert [(frame.function, frame.line, frame.inlined) for frame in callers] == [
        ("main.outer", 30, False),
        ("main.middle", 25, True),
        ("main.(*Cart[...]).inner", 21, True),
    ]
    assert leaf.function == "main.(*Cart[int]).hidden" and leaf.file.endswith("/shop.go")
    assert symbolizer.counters.files == {"ok": 1}


def test_a_whole_program_is_named_as_by_its_dwarf(folder: Path, stripped: bytes) -> None:
    """At every 37th place of its code. DWARF has no lines for what the compiler wrote itself, and
    two names for the first function: it is also the begin of the text."""
    whole = folder / "whole"
    go(whole)
    descriptor = os.open(whole, os.O_RDONLY)
    elf = read_elf(of_descriptor(descriptor))
    text = elf.section(".text")
    assert text is not None
    with Builder() as builder:
        built = builder.build(descriptor)
    os.close(descriptor)
    dwarf = SymCacheNames(built.symbols, built.size, elf.image_base)
    table = table_of(stripped)
    different = compared = 0
    for address in range(text.address, text.address + text.size, 37):
        expected, found = dwarf.lookup(address), table.lookup(address)
        if expected and expected[0].function != "runtime.text" and expected[-1].line:
            compared += 1
            different += [(e.function, e.file, e.line) for e in expected] != [
                (f.function, f.file, f.line) for f in found
            ]
    assert compared > 10_000
    # Where DWARF has several empty ranges at one place, it is not clear which call is meant.
    assert different < 0.02 * compared
    assert table.covers(text)
    assert table.lookup(text.address - 1) == table.lookup(text.address + (1 << 30)) == []


CGO_SOURCE = """
package main

// __attribute__((noinline)) int in_c(int x) { __asm__ volatile(""); return x * x; }
import "C"

func main() { println(int(C.in_c(3))) }
"""


def test_c_functions_of_a_go_program_are_named_by_its_symbols(tmp_path: Path) -> None:
    program = go(tmp_path / "shop", source=CGO_SOURCE)
    nowhere = tmp_path / "nowhere"
    with Builder() as builder, program.open("rb") as file:
        reader = Reader(builder, DebugFiles(nowhere, nowhere), None, Counters())
        binary = reader.read(read_program(file.fileno(), "shop"))
        for symbol in ("in_c", "main.main"):
            (frame,) = binary.answer(address_of(symbol, program)).frames
            assert frame.function == symbol and frame.line > 0


def test_what_is_not_gos_has_no_table(c_program: Path, tmp_path: Path) -> None:
    assert find_module(read_elf(of_bytes(c_program.read_bytes()))) is None
    marked = compiled(
        tmp_path / "marked",
        'int main(void) { return 0; } __attribute__((section(".gopclntab"))) char c[64] = "no";',
    )
    assert find_module(read_elf(of_bytes(marked.read_bytes()))) is None


def changed(image: bytes, at: int, contents: bytes) -> bytes:
    return image[:at] + contents + image[at + len(contents) :]


def section_at(image: bytes, name: str) -> int:
    section = read_elf(of_bytes(image)).section(name)
    assert section is not None
    return section.offset


def test_more_functions_than_there_is_room_for_are_refused(stripped: bytes) -> None:
    at = section_at(stripped, ".gopclntab")
    with pytest.raises(FormatError, match="more than there is room for"):
        table_of(changed(stripped, at + 8, struct.pack("<Q", 1 << 40)))


def test_lines_end_when_too_much_would_be_decoded(
    stripped: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "MAX_STEPS", 100)
    table = table_of(stripped)
    entry = read_elf(of_bytes(stripped)).entry
    found = [table.lookup(entry + 1000 * step) for step in range(20)]
    assert all(locations[0].function for locations in found)
    assert [locations[0].line for locations in found][-5:] == [0] * 5


@pytest.fixture(scope="module")
def elf(stripped: bytes) -> Iterator[Elf]:
    yield read_elf(of_bytes(stripped))


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_table_never_fails(stripped: bytes, elf: Elf, data: st.DataObject) -> None:
    begin = section_at(stripped, ".gopclntab")
    size = next(section.size for section in elf.sections if section.name == ".gopclntab")
    where = st.one_of(st.integers(begin, begin + 71), st.integers(begin, begin + size - 1))
    flips = data.draw(st.dictionaries(where, st.integers(0, 255), min_size=1, max_size=40))

    def source(offset: int, length: int) -> bytes:
        piece = bytearray(stripped[offset : offset + length])
        for at, byte in flips.items():
            if offset <= at < offset + len(piece):
                piece[at - offset] = byte
        return bytes(piece)

    try:
        table = read_go_table(read_elf(source))
    except FormatError:
        return
    for step in range(30 if table else 0):
        assert table is not None
        for location in table.lookup(elf.entry + step * 2048):
            assert location.line >= 0
