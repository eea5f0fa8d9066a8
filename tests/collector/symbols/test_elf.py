import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.symbols.elf import Elf, ReadAt, Section, Segment, parse_build_id, parse_elf
from profiler.errors import FormatError
from tests.collector.symbols.programs import BUILD_ID, C_SOURCE, compiled

NOTE = struct.pack("<3I4s", 4, 20, 3, b"GNU\0") + bytes.fromhex(BUILD_ID)
OTHER_NOTE = struct.pack("<3I4s4s", 3, 4, 1, b"Go\0\0", b"abcd")


def reader(contents: bytes) -> ReadAt:
    """Reads like pread, and holds the parser to sizes that any node can spare."""

    def read(offset: int, size: int) -> bytes:
        assert 0 <= size <= 1 << 20 and 0 <= offset < 1 << 63
        return contents[offset : offset + size]

    return read


@pytest.fixture(scope="module")
def contents(c_program: Path) -> bytes:
    return c_program.read_bytes()


def test_the_build_id_is_the_linkers(contents: bytes) -> None:
    assert parse_elf(reader(contents)).build_id == BUILD_ID


def test_other_notes_are_passed_over() -> None:
    assert parse_build_id(OTHER_NOTE + NOTE) == BUILD_ID
    assert parse_build_id(NOTE[:-1]) == ""
    assert parse_build_id(b"") == ""


def test_the_code_of_a_program_has_a_virtual_address(contents: bytes) -> None:
    elf = parse_elf(reader(contents))
    code = next(segment for segment in elf.segments if segment.executable)
    assert elf.vaddr(code.offset + 5) == code.vaddr + 5
    assert elf.vaddr(code.offset + (1 << 30)) is None


def test_programs_at_a_fixed_address_know_it(tmp_path: Path) -> None:
    fixed = compiled(tmp_path / "fixed", C_SOURCE, "-no-pie", "-fno-pie")
    assert parse_elf(reader(fixed.read_bytes())).image_base == 0x400000


def test_a_page_that_two_segments_share_belongs_to_the_one_that_holds_the_byte() -> None:
    elf = Elf(
        62, "",
        (Segment(0, 0, 0x1100, False), Segment(0x1100, 0x2100, 0x800, True),
         Segment(0x1900, 0x4900, 0x100, True)),
    )  # fmt: skip
    assert elf.vaddr(0x1180) == 0x2180
    assert elf.vaddr(0x1950) == 0x4950
    assert elf.vaddr(0x1050) == 0x2050  # mapped with the segment's first page
    assert elf.vaddr(0x3000) is None


def test_padding_between_sections_is_not_code() -> None:
    elf = Elf(62, "", (), (Section(".text", 0x1000, 0, 0x10), Section(".fini", 0x1020, 0, 8)))
    assert [elf.holds_code(at) for at in (0xFFF, 0x1000, 0x100F, 0x1010, 0x1020)] == [
        False, True, True, False, True,
    ]  # fmt: skip
    assert Elf(62, "", ()).holds_code(5), "a file without sections is not doubted"


def test_what_is_not_elf_is_refused(contents: bytes) -> None:
    for broken in (b"", b"#!/bin/sh\n", contents[:40], b"\x7fELF\x09" + contents[5:]):
        with pytest.raises(FormatError, match="ELF"):
            parse_elf(reader(broken))


@settings(deadline=None)
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
        elf = parse_elf(reader(bytes(changed)))
    except FormatError:
        return
    assert len(elf.segments) <= 256 and len(elf.sections) <= 4096 and len(elf.build_id) <= 128
    elf.vaddr(0x1100)


def test_this_interpreter_can_be_read() -> None:
    with Path("/proc/self/exe").open("rb") as file:
        elf = parse_elf(lambda offset, size: os.pread(file.fileno(), size, offset))
    assert any(segment.executable for segment in elf.segments)
