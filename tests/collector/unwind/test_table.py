"""Tables of real files, held against other readers of the same frame information."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from collector.elf.file import read_elf
from collector.elf.source import of_bytes, of_descriptor
from collector.elf.symbols import SHT_DYNSYM, read_symbols
from collector.unwind import abi, table
from collector.unwind.abi import Cause, Rule
from collector.unwind.x86_64 import MachineRule
from profiler.errors import FormatError
from tests.collector.unwind.conftest import FLAGS, Build

LIBC = next(
    (
        path
        for path in map(Path, ("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"))
        if path.exists()
    ),
    None,
)


def build_table(path: Path) -> table.Table:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return table.build(read_elf(of_descriptor(descriptor)))
    finally:
        os.close(descriptor)


def rule_at(built: table.Table, offset: int) -> tuple[int, int, int]:
    """(rule, offset, place of the frame pointer) in force at a file offset, as the kernel reads
    it."""
    window, at = divmod(offset, 1 << abi.WINDOW_BITS)
    rows = built.windows[window]
    keys = rows.astype("<u4")
    row = rows[np.searchsorted(keys, (at << 8) | 0xFF, side="right") - 1 :][:1]
    cfa_fp = row.view("<i4")[1]
    return int(row[0]) & 0xFF, int(cfa_fp) >> 8, int(cfa_fp.astype("i1"))


@pytest.fixture(scope="module")
def libc() -> table.Table:
    if LIBC is None:
        pytest.skip("no glibc where this test looks for one")
    return build_table(LIBC)


def test_rows_are_sorted_and_begin_with_their_window(libc: table.Table) -> None:
    for rows in libc.windows.values():
        places = rows.astype("<u4") >> 8
        assert places[0] == 0
        assert (np.diff(places.astype(np.int64)) > 0).all()


def test_no_row_repeats_the_one_before_it(libc: table.Table) -> None:
    for rows in libc.windows.values():
        codes = rows & np.uint64(0xFFFF_FFFF_0000_00FF)
        assert (codes[1:] != codes[:-1]).all()


CFA = re.compile(r"(rsp|rbp)\+(\d+)")


def readelf_rules(path: Path) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """(address, rule) of every row with a plain CFA and the return address below it.

        LOC           CFA      rbx   rbp   ra
    0000000000026ea0 rsp+16   u     c-16  c-8
    """
    columns: list[str] = []
    # It warns of what it does not know, and then exits with 1.
    for line in subprocess.run(
        ["readelf", "--debug-dump=frames-interp", path], capture_output=True, text=True
    ).stdout.splitlines():
        words = line.split()
        if words[:2] == ["LOC", "CFA"]:
            columns = words
        elif len(words) == len(columns) > 0:
            row = dict(zip(columns, words, strict=True))
            cfa, saved = CFA.fullmatch(row["CFA"]), row.get("rbp", "u")
            if (
                cfa
                and int(row["LOC"], 16)
                and row["ra"] == "c-8"
                and (saved == "u" or saved.startswith("c-"))
            ):
                rule = Rule.CFA_SP if cfa[1] == "rsp" else Rule.CFA_FP
                place = int(saved[1:]) // 8 if saved != "u" else 0
                yield int(row["LOC"], 16), (rule, int(cfa[2]), place)


def test_rows_agree_with_readelf(libc: table.Table) -> None:
    """libc's code is mapped where it lies in the file, so addresses are file offsets."""
    if shutil.which("readelf") is None or LIBC is None:
        pytest.skip("no readelf: apt-get install binutils")
    expected = dict(readelf_rules(LIBC))
    assert len(expected) > 20_000
    found = {address: rule_at(libc, address) for address in expected}
    assert {at for at in expected if found[at] != expected[at]} == set()


def test_the_starts_of_threads_are_roots(libc: table.Table) -> None:
    assert LIBC
    codes = [int(row) & 0xFF for rows in libc.windows.values() for row in rows]
    assert codes.count(Rule.ROOT) >= 2  # clone and clone3
    assert codes.count(Rule.SIGNAL) == 1


def test_the_parent_is_walked_while_it_makes_a_thread(libc: table.Table) -> None:
    """glibc ends the frame information of clone() at its system call."""
    assert LIBC
    image = read_elf(of_bytes(LIBC.read_bytes()))
    clone = read_symbols(image, SHT_DYNSYM).find(["clone"])["clone"]
    call = clone.address + image.at(clone.address, 256).index(bytes.fromhex("0f05"))
    assert rule_at(libc, call) == (Rule.CFA_SP, 8, 0)


def test_vfork_returns_to_a_register(libc: table.Table) -> None:
    codes = {int(row) & 0xFF for rows in libc.windows.values() for row in rows}
    assert MachineRule.RETURN_IN_REGISTER + 8 in codes  # rdi


def test_lazy_binding_stubs_have_their_rule(build: Build) -> None:
    path = build("late.c", flags=(*FLAGS, "-Wl,-z,lazy", "-ldl"))
    codes = {int(row) & 0xFF for rows in build_table(path).windows.values() for row in rows}
    assert MachineRule.PLT in codes


def test_padding_between_functions_is_not_a_gap(build: Build) -> None:
    """main follows recurse after padding: no row in between says so."""
    built = build_table(build("deep.c", flags=(*FLAGS, "-nostartfiles", "-Wl,-e,main")))
    rules = [int(row) & 0xFF for rows in built.windows.values() for row in rows]
    assert rules.count(Rule.NONE) <= 3  # before the code, behind the stubs and behind it


def test_debug_frames_serve_where_there_are_no_others(build: Build) -> None:
    flags = (*FLAGS, "-g", "-fno-asynchronous-unwind-tables", "-nostdlib", "-Wl,-e,main")
    debug = build_table(build("leaf.c", flags=flags))
    usual = build_table(build("leaf.c", flags=(*FLAGS, "-nostdlib", "-Wl,-e,main")))
    assert {int(row) & 0xFF for row in debug.windows[0]} >= {Rule.CFA_SP}
    assert debug.rows == usual.rows


def test_compressed_debug_frames_are_read(build: Build, tmp_path: Path) -> None:
    flags = (*FLAGS, "-g", "-fno-asynchronous-unwind-tables", "-nostdlib", "-Wl,-e,main")
    plain, packed = build("leaf.c", flags=flags), tmp_path / "packed"
    subprocess.run(["objcopy", "--compress-debug-sections=zlib", plain, packed], check=True)
    assert build_table(packed).windows[0].tolist() == build_table(plain).windows[0].tolist()


def test_frames_are_found_without_section_headers(build: Build, tmp_path: Path) -> None:
    path, bare = build("deep.c"), tmp_path / "bare"
    data = bytearray(path.read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    data[0x3C:0x40] = bytes(4)  # e_shnum, e_shstrndx
    bare.write_bytes(data)
    assert build_table(bare).windows[0].tolist() == build_table(path).windows[0].tolist()


def test_code_that_keeps_frame_pointers_is_walked_by_them(build: Build, tmp_path: Path) -> None:
    """As Chromium and Go are linked: no frame information, but a prologue in every function."""
    source = tmp_path / "many.c"
    source.write_text(
        "int f0(int a) { return a; }\n"
        + "".join(f"int f{i}(int a) {{ return f{i - 1}(a) + {i}; }}\n" for i in range(1, 500))
        + "int main(void) { return f1(1); }\n"
    )
    keeping, losing = tmp_path / "keeping", tmp_path / "losing"
    for target, flag in ((keeping, "-fno-omit-frame-pointer"), (losing, "-fomit-frame-pointer")):
        options = (
            f"-O1 -fno-inline {flag} -fno-asynchronous-unwind-tables -nostdlib -Wl,-e,main".split()
        )
        subprocess.run(["gcc", *options, "-o", target, source], check=True)
    assert Rule.FRAME_POINTER in {int(r) & 0xFF for r in build_table(keeping).windows[0]}
    assert {int(r) & 0xFF for r in build_table(losing).windows[0]} == {Rule.NONE}


def test_a_file_for_another_machine_is_refused() -> None:
    data = bytearray(Path("/proc/self/exe").read_bytes()[:4096])
    data[18:20] = (183).to_bytes(2, "little")
    with pytest.raises(FormatError, match="no unwind rules for the ELF machine 183"):
        table.build(read_elf(of_bytes(bytes(data))))


def test_a_table_covers_what_frames_do_not(build: Build) -> None:
    built = build_table(build("rules.c", "rules.S"))
    symbols = dict(
        (name, int(address, 16))
        for address, _, name in (
            line.split(" ", 2)
            for line in subprocess.run(
                ["nm", build("rules.c", "rules.S")], check=True, capture_output=True, text=True
            ).stdout.splitlines()
            if line[0] != " "
        )
    )
    load = 0x400000  # where the linker puts programs of a fixed address
    rules = {name: rule_at(built, at - load)[0] for name, at in symbols.items() if at > load}
    assert rules["rule_none"] == Rule.NONE
    assert rules["rule_stub_before"] == MachineRule.PLT
    assert rules["_start"] == Rule.ROOT
    assert rule_at(built, symbols["rule_expression"] - load)[:2] == (
        Rule.UNSUPPORTED,
        Cause.EXPRESSION,
    )
