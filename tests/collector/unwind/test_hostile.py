"""Files that lie: every answer is a table or a FormatError, soon and in little memory."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.elf.file import SHF_COMPRESSED, Elf, Section, read_elf
from collector.elf.source import of_bytes
from collector.unwind import abi, cache, eh_frame, table, tablefile, x86_64
from profiler.errors import FormatError
from tests.collector.unwind.conftest import Build

Flip = tuple[int, int]


@pytest.fixture(scope="module")
def image(build: Build) -> bytes:
    return build("rules.c", "rules.S").read_bytes()


def table_or_error(data: bytes) -> table.Table | None:
    try:
        elf = read_elf(of_bytes(data))
        cache.digest(elf)
        built = table.build(elf)
    except FormatError:
        return None
    for rows in built.windows.values():
        places = (rows & np.uint64(0xFFFFFFFF)) >> np.uint64(8)
        assert places[0] == 0
        assert (np.diff(places.astype(np.int64)) > 0).all()
        assert len(rows) <= abi.PAGE_ROWS * abi.INDEX_SIZE
    return built


@settings(max_examples=300)
@given(data=st.data())
def test_flipped_bytes_are_a_table_or_a_format_error(image: bytes, data: st.DataObject) -> None:
    frames = image.index(b"zR\0") - 16
    places = st.one_of(
        st.integers(0, 1024),  # the headers
        st.integers(frames, frames + 1024),
        st.integers(len(image) - 2048, len(image) - 1),  # the section headers
        st.integers(0, len(image) - 1),
    )
    flips = data.draw(st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=8))
    damaged = bytearray(image)
    for place, bits in flips:
        damaged[place] ^= bits
    table_or_error(bytes(damaged))


@settings(max_examples=100)
@given(data=st.data())
def test_cut_files_are_a_table_or_a_format_error(image: bytes, data: st.DataObject) -> None:
    table_or_error(image[: data.draw(st.integers(0, len(image)))])


@settings(max_examples=300)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_frames_or_a_format_error(data: bytes, is_eh: bool) -> None:
    try:
        functions = eh_frame.parse(data, 0x1000, is_eh, x86_64.MACHINE)
    except FormatError:
        return
    assert len(functions.start) == len(functions.size) == len(functions.program)
    assert (functions.program < max(1, len(functions.first) - 1)).all()


def test_an_empty_file_and_a_text_are_refused() -> None:
    for data in (b"", b"#!/bin/sh\n" * 20):
        with pytest.raises(FormatError):
            read_elf(of_bytes(data))


def frames(program: bytes, functions: int, size: int = 16) -> bytes:
    """An .eh_frame at address 0 with one CIE and functions that share a program."""
    cie = b"\0\0\0\0" + b"\x01zR\0" + b"\x01\x78\x10" + b"\x01\x1b" + b"\x0c\x07\x08\x90\x01"
    records = [struct.pack("<I", len(cie)) + cie]
    at = len(records[0])
    for number in range(functions):
        start = 0x10000000 + number * size - (at + 8)
        body = struct.pack("<IiI", at + 4, start, size) + b"\0" + program
        records.append(struct.pack("<I", len(body)) + body)
        at += len(records[-1])
    return b"".join(records)


def image_of(eh_frame_bytes: bytes, text_size: int) -> bytes:
    """An ELF file with that .eh_frame and as much code, which the file does not hold."""
    names = b"\0.eh_frame\0.shstrtab\0"
    frames_at = 64 + 56
    names_at = frames_at + len(eh_frame_bytes)
    sections_at = names_at + len(names)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01" + bytes(9),
        *(3, 62, 1, 0, 64, sections_at, 0, 64, 56, 1, 64, 3, 2),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0x1000000, 0x10000000, 0, text_size, text_size, 0)
    sections = bytes(64) + b"".join(
        struct.pack("<IIQQQQIIQQ", name, 1, 2, 0, at, size, 0, 0, 1, 0)
        for name, at, size in ((1, frames_at, len(eh_frame_bytes)), (11, names_at, len(names)))
    )
    return header + segment + eh_frame_bytes + names + sections


def test_a_made_file_is_read() -> None:
    built = table_or_error(image_of(frames(b"\x41\x0e\x10\x86\x02\x02\x08\x0e\x08", 3), 48))
    assert built
    assert built.rows == 3 * 3  # of each: at entry, after the push, after the pop


def test_one_program_in_many_functions_is_bounded_in_rows() -> None:
    """200 bytes of program are 100 rows, and so in each of 100,000 functions: 10 M rows."""
    program = b"".join(b"\x41\x0e" + bytes([8 + place % 100]) for place in range(90))
    data = image_of(frames(program, 100_000, size=100), 10_000_000)
    with pytest.raises(FormatError, match="rows are more than 8388608"):
        table.build(read_elf(of_bytes(data)))


def test_programs_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eh_frame, "MAX_PROGRAM_BYTES", 10_000)
    records = b"".join(frames(struct.pack("<I", number) * 25, 1) for number in range(101))
    with pytest.raises(FormatError, match="more than 10000 bytes of call frame programs"):
        eh_frame.parse(records, 0, True, x86_64.MACHINE)


def test_a_common_record_without_an_end_is_left_out_with_its_functions() -> None:
    records = frames(b"\x41\x0e\x10", 2).replace(b"\x01zR\0", b"\x01zRR", 1)
    built = table_or_error(image_of(records.replace(b"\x78\x10\x01\x1b\x0c", b"\x78" * 5), 48))
    assert built is not None
    assert built.rows == 0


def test_code_at_addresses_of_the_kernel_is_refused() -> None:
    data = bytearray(image_of(frames(b"", 1), 48))
    data[64 + 16 : 64 + 24] = struct.pack("<Q", 0xFFFFFFFF81000000)  # p_vaddr
    with pytest.raises(FormatError, match="which is the kernel's"):
        table.build(read_elf(of_bytes(bytes(data))))


def test_a_header_that_claims_much_takes_little() -> None:
    data = image_of(frames(b"", 1), 1 << 31)
    tracemalloc.start()
    try:
        table_or_error(data)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_compressed_section_cannot_grow_beyond_its_bound() -> None:
    packed = struct.pack("<IIQQ", 1, 0, 1 << 40, 1) + b"\x78\x9c" + bytes(100)
    section = Section(".debug_frame", 1, SHF_COMPRESSED, 0, 0, len(packed))
    elf = Elf(of_bytes(packed), 62, True, "<", 0, (), (section,))
    with pytest.raises(FormatError, match="expected zlib"):
        elf.load(section)


@given(flip=st.tuples(st.integers(0, 400), st.integers(1, 255)))
def test_a_damaged_table_file_is_a_format_error(flip: Flip) -> None:
    rows = np.arange(40, dtype=np.uint64) << np.uint64(8)
    data = bytearray(tablefile.dumps(table.Table({0: rows, 3: rows[:2]})))
    data[flip[0] % len(data)] ^= flip[1]
    with pytest.raises(FormatError):
        tablefile.loads(bytes(data))


def test_a_table_survives_its_file(tmp_path: Path) -> None:
    rows = np.arange(40, dtype=np.uint64) << np.uint64(8)
    data = tablefile.dumps(table.Table({0: rows, 3: rows[:2]}))
    loaded = tablefile.loads(data)
    assert {w: r.tolist() for w, r in loaded.windows.items()} == {
        0: rows.tolist(),
        3: rows[:2].tolist(),
    }
    wanted = dict(tablefile.read_windows(of_bytes(data), [3, 7]))
    assert {w: r.tolist() for w, r in wanted.items()} == {3: rows[:2].tolist()}
