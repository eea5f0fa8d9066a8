import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.elf.code import Code
from collector.elf.file import (
    PF_X,
    PT_LOAD,
    SHF_ALLOC,
    Elf,
    Section,
    Segment,
    read_elf,
)
from collector.elf.notes import build_id, parse_build_id
from collector.elf.source import Source, of_bytes, of_descriptor
from collector.elf.symbols import SHT_DYNSYM, SHT_SYMTAB, read_symbols
from profiler.errors import FormatError
from tests.collector.symbols.programs import BUILD_ID, C_SOURCE, compiled

NOTE = struct.pack("<3I4s", 4, 20, 3, b"GNU\0") + bytes.fromhex(BUILD_ID)
OTHER_NOTE = struct.pack("<3I4s4s", 3, 4, 1, b"Go\0\0", b"abcd")


def elf(*sections: Section, segments: tuple[Segment, ...] = ()) -> Elf:
    return Elf(of_bytes(b""), 62, True, "<", 0, segments, sections)


def held_to_little(contents: bytes) -> Source:
    """Holds the reader of headers to sizes that any node can spare."""

    def read(offset: int, size: int) -> bytes:
        assert 0 <= size <= 1 << 20
        return contents[offset : offset + size]

    return read


@pytest.fixture(scope="module")
def contents(c_program: Path) -> bytes:
    return c_program.read_bytes()


def test_the_build_id_is_the_linkers(contents: bytes) -> None:
    assert build_id(read_elf(of_bytes(contents))) == BUILD_ID


def test_other_notes_are_passed_over() -> None:
    assert parse_build_id(OTHER_NOTE + NOTE) == BUILD_ID
    assert parse_build_id(NOTE[:-1]) == ""
    assert parse_build_id(b"") == ""


def test_the_code_of_a_program_has_a_virtual_address(contents: bytes) -> None:
    program = read_elf(of_bytes(contents))
    (code,) = program.executable()
    assert Code(program).address_of(code.offset + 5) == code.address + 5
    assert Code(program).address_of(code.offset + (1 << 30)) is None
    assert program.at(code.address + 5, 9) == contents[code.offset + 5 : code.offset + 14]
    end = code.offset + code.size
    assert program.at(code.address + code.size - 8, 9) == contents[end - 8 : end]
    assert program.at(code.address + (1 << 30), 1) == b""


def test_programs_at_a_fixed_address_know_it(tmp_path: Path) -> None:
    fixed = compiled(tmp_path / "fixed", C_SOURCE, "-no-pie", "-fno-pie")
    assert read_elf(of_bytes(fixed.read_bytes())).image_base == 0x400000


def test_a_page_that_two_segments_share_belongs_to_the_one_that_holds_the_byte() -> None:
    program = elf(
        segments=(
            Segment(PT_LOAD, 0, 0, 0, 0x1100),
            Segment(PT_LOAD, PF_X, 0x1100, 0x2100, 0x800),
            Segment(PT_LOAD, PF_X, 0x1900, 0x4900, 0x100),
        )
    )
    assert Code(program).address_of(0x1180) == 0x2180
    assert Code(program).address_of(0x1950) == 0x4950
    assert Code(program).address_of(0x1050) == 0x2050  # mapped with the segment's first page
    assert Code(program).address_of(0x3000) is None


def test_padding_between_sections_is_not_code() -> None:
    program = elf(
        Section(".text", 1, SHF_ALLOC, 0x1000, 0, 0x10),
        Section(".fini", 1, SHF_ALLOC, 0x1020, 0, 8),
        Section(".comment", 1, 0, 0, 0, 0x2000),
        Section(".tbss", 8, SHF_ALLOC, 0x1004, 0, 4),
    )
    assert [Code(program).holds(at) for at in (0xFFF, 0x1000, 0x100F, 0x1010, 0x1020)] == [
        False, True, True, False, True,
    ]  # fmt: skip
    assert Code(elf()).holds(5), "a file without sections is not doubted"


def test_a_32_bit_file_of_the_other_byte_order_is_read() -> None:
    """As a MIPS router's program is: its segment, its sections and its build-id."""
    names = b"\0.note.gnu.build-id\0.shstrtab\0"
    note = struct.pack(">3I4s", 4, 20, 3, b"GNU\0") + bytes.fromhex(BUILD_ID)
    note_at, names_at = 84, 84 + len(note)
    sections_at = names_at + len(names)
    header = struct.pack(
        ">HHIIIIIHHHHHH", 2, 8, 1, 0x400000, 52, sections_at, 0, 52, 32, 1, 40, 3, 2
    )
    segment = struct.pack(">8I", PT_LOAD, 0, 0x400000, 0, 0x1000, 0x1000, PF_X, 0x1000)
    sections = bytes(40) + b"".join(
        struct.pack(">10I", name, kind, 0, 0, at, size, 0, 0, 1, 0)
        for name, kind, at, size in ((1, 7, note_at, len(note)), (20, 3, names_at, len(names)))
    )
    image = b"\x7fELF\x01\x02\x01".ljust(16, b"\0") + header + segment + note + names + sections
    program = read_elf(of_bytes(image))
    assert (program.architecture, program.machine, program.entry) == ("", 8, 0x400000)
    assert program.segments == (Segment(PT_LOAD, PF_X, 0, 0x400000, 0x1000),)
    assert [section.name for section in program.sections] == [
        "", ".note.gnu.build-id", ".shstrtab",
    ]  # fmt: skip
    assert build_id(program) == BUILD_ID


def test_symbols_are_those_that_the_file_defines(contents: bytes) -> None:
    program = read_elf(of_bytes(contents))
    defined = read_symbols(program, SHT_SYMTAB).find(["outer", "hidden", "printf", "missing"])
    assert set(defined) == {"outer", "hidden"} and all(s.size for s in defined.values())
    assert not read_symbols(program, SHT_DYNSYM).find(["printf"]), "it is only used here"


def test_what_is_not_elf_is_refused(contents: bytes) -> None:
    for broken in (b"", b"#!/bin/sh\nexit 1", contents[:40], b"\x7fELF\x09" + contents[5:]):
        with pytest.raises(FormatError, match="ELF"):
            read_elf(of_bytes(broken))


@given(st.data())
def test_a_file_that_was_cut_or_changed_is_read_within_bounds_or_refused(
    contents: bytes, data: st.DataObject
) -> None:
    changed = bytearray(contents[: data.draw(st.integers(0, len(contents)))])
    tables = [(0, 64), (64, 800), (len(contents) - 3000, len(contents))]
    for _ in range(data.draw(st.integers(0, 8))):
        begin, end = data.draw(st.sampled_from(tables))
        at = data.draw(st.integers(begin, end))
        if at < len(changed):
            changed[at] = data.draw(st.integers(0, 255))
    try:
        program = read_elf(held_to_little(bytes(changed)))
    except FormatError:
        return
    assert len(program.segments) <= 1024 and len(program.sections) <= 4096
    assert len(build_id(program)) <= 128
    Code(program).address_of(0x1100)


def test_this_interpreter_can_be_read() -> None:
    with Path("/proc/self/exe").open("rb") as file:
        assert read_elf(of_descriptor(file.fileno())).executable()
