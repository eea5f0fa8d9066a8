import lzma
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.symbols.builder import LARGE_BYTES, Builder
from collector.symbols.files import Unreadable
from tests.collector.symbols.hostile import compressed
from tests.collector.symbols.programs import C_SOURCE, address_of, compiled, needs


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with Builder() as builder:
        yield builder


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def answer(builder: Builder, path: Path) -> str:
    with opened(path) as descriptor:
        try:
            builder.build(descriptor)
            return "ok"
        except Unreadable as error:
            return error.cause


def test_a_program_gives_its_functions(builder: Builder, c_program: Path) -> None:
    with opened(c_program) as descriptor:
        built = builder.build(descriptor)
    assert built.symbols.debug_id and built.size > 500 and not built.names_only


def test_a_program_without_symbols_says_so(builder: Builder, tmp_path: Path) -> None:
    bare = compiled(tmp_path / "bare", "void _start(void) {}", "-nostdlib", "-static", "-s")
    assert answer(builder, bare) == "no_symbols"


@pytest.mark.parametrize("claimed_bytes", [1 << 16, 1 << 31, 1 << 40, 1 << 63])
def test_a_section_that_claims_too_much_costs_one_answer(
    builder: Builder, c_program: Path, tmp_path: Path, claimed_bytes: int
) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_bytes(compressed(claimed_bytes))
    assert answer(builder, bomb) in ("bad_elf", "crashed", "no_room")
    assert answer(builder, c_program) == "ok"


def test_broken_dwarf_costs_lines_but_not_names(
    builder: Builder, c_program: Path, tmp_path: Path
) -> None:
    objcopy = needs("objcopy")
    noise = tmp_path / "noise"
    noise.write_bytes(b"\xff" * 1000)
    broken = tmp_path / "broken"
    command = [objcopy, f"--update-section=.debug_info={noise}", str(c_program), str(broken)]
    subprocess.run(command, check=True)
    with opened(broken) as descriptor:
        built = builder.build(descriptor)
    at = address_of("outer", broken) + 1
    (location,) = built.symbols.lookup(at)
    assert (location.symbol, location.line, built.names_only) == ("outer", 0, True)


def with_section(target: Path, program: Path, contents: bytes) -> Path:
    """A stripped program with this as its .gnu_debugdata."""
    section = target.with_suffix(".section")
    section.write_bytes(contents)
    command = [needs("objcopy"), "-S", f"--add-section=.gnu_debugdata={section}"]
    subprocess.run([*command, program, target], check=True)
    return target


@pytest.mark.parametrize(
    "contents",
    [
        b"not compressed at all",
        lzma.compress(b"no ELF file"),
        lzma.compress(bytes(200 << 20)),
        lzma.compress(bytes(1 << 20))[:500],
    ],
    ids=["noise", "text", "200 MB", "cut"],
)
def test_compressed_names_that_are_none_leave_what_is_exported(
    builder: Builder, tmp_path: Path, contents: bytes
) -> None:
    program = compiled(tmp_path / "whole", C_SOURCE, "-rdynamic", "-pie", "-fPIE")
    hostile = with_section(tmp_path / "hostile", program, contents)
    with opened(hostile) as descriptor:
        symbols = builder.build(descriptor).symbols
    (found,) = symbols.lookup(address_of("outer", program))
    assert found.symbol == "outer"


def test_an_empty_file_is_no_program(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert answer(builder, tmp_path / "empty") == "bad_elf"


@settings(max_examples=60)
@given(st.data())
def test_changed_files_never_hurt_the_reader(
    builder: Builder, c_program: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    contents = bytearray(c_program.read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    del contents[data.draw(st.integers(0, len(contents))) :]
    changed = tmp_path_factory.mktemp("changed") / "program"
    changed.write_bytes(contents)
    assert answer(builder, changed) in ("ok", "bad_elf", "no_symbols", "crashed", "no_room")


def test_a_sparse_file_of_a_gigabyte_does_not_fill_the_memory(
    builder: Builder, c_program: Path, tmp_path: Path
) -> None:
    sparse = tmp_path / "sparse"
    sparse.write_bytes(c_program.read_bytes())
    os.truncate(sparse, 1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert answer(builder, sparse) == "ok"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_file_that_is_not_read_in_time_is_given_up(c_program: Path) -> None:
    with Builder(patience_seconds=0.001) as hurried:
        assert answer(hurried, c_program) == "timeout"


def test_a_file_that_is_being_read_is_given_up_once_there_is_a_hurry(c_program: Path) -> None:
    with Builder() as builder:
        assert answer(builder, c_program) == "ok"
        assert builder.child_pid is not None
        os.kill(builder.child_pid, signal.SIGSTOP)  # or it would be done before
        threading.Timer(0.3, builder.hurry, [0.1]).start()
        assert answer(builder, c_program) == "timeout"


def test_a_reader_that_is_killed_is_started_again(c_program: Path) -> None:
    with Builder() as builder:
        assert answer(builder, c_program) == "ok"
        assert builder.child_pid is not None
        os.kill(builder.child_pid, 9)
        assert answer(builder, c_program) == "ok"


def test_a_large_file_is_read_alone_and_a_small_one_beside_others(
    c_program: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(c_program.read_bytes())
    os.truncate(large, LARGE_BYTES)
    said = []

    @contextmanager
    def alone() -> Iterator[None]:
        said.append("begin")
        yield
        said.append("end")

    with Builder() as builder:
        builder.alone = alone
        assert answer(builder, c_program) == "ok"
        assert not said
        assert answer(builder, large) == answer(builder, large) == "ok"
        assert said == ["begin"], "it goes on until the child ends"
    assert said == ["begin", "end"]


def status_of(pid: int | str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_the_reader_has_no_privileges(c_program: Path) -> None:
    if not int(status_of("self")["CapEff"], 16):
        pytest.skip("there are no privileges to give up")
    with Builder() as builder:
        answer(builder, c_program)
        assert builder.child_pid is not None
        fields = status_of(builder.child_pid)
    assert "0" not in fields["Uid"].split() + fields["Gid"].split()
    assert int(fields["CapEff"], 16) == 0 and not fields["Groups"].split()


def test_nothing_stays_open(c_program: Path) -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    with Builder() as builder:
        for _ in range(3):
            answer(builder, c_program)
    assert descriptors() == before


def test_of_several_names_at_one_address_the_best_known_is_kept(
    builder: Builder, tmp_path: Path
) -> None:
    source = r"""
__asm__(".globl work\n .type work,@function\n .type __work,@function\n"
        ".type rest_of_another,@function\n"
        "rest_of_another:\n .size rest_of_another,0\n"
        "__work: work: ret\n .size work,1\n .size __work,1\n");
int main(void) { return 0; }
"""
    program = compiled(tmp_path / "names", source)
    symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    address = next(int(line.split()[0], 16) for line in symbols.splitlines() if "work" in line)
    with opened(program) as descriptor:
        (found,) = builder.build(descriptor).symbols.lookup(address)
    assert found.symbol == "work"


def test_a_label_names_code_that_no_function_covers(builder: Builder, tmp_path: Path) -> None:
    source = r"""
__asm__(".pushsection .text\n bare: nop\n nop\n .popsection\n"
        ".globl whole\n .type whole,@function\n"
        "whole: nop\n inside: ret\n .size whole,2\n");
int main(void) { return 0; }
"""
    program = compiled(tmp_path / "labels", source)
    symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in symbols.splitlines()]
    addresses = {row[2]: int(row[0], 16) for row in rows if len(row) == 3}
    with opened(program) as descriptor:
        cache = builder.build(descriptor).symbols
    names = {
        label: cache.lookup(addresses[label] + skip)[0].symbol
        for label, skip in (("bare", 0), ("bare", 1), ("inside", 0))
    }
    assert names == {"bare": "bare", "inside": "whole"}
