from pathlib import Path

import pytest

from collector.symbols.kernel import KernelSymbols
from profiler.model import Frame, Kind
from tests.collector.clock import FakeClock
from tests.collector.elf.test_file import NOTE
from tests.collector.symbols.programs import BUILD_ID
from tests.collector.symbols.test_kallsyms import TEXT

DO_ONE = 0xFFFFFFFF81000040
PROGRAM = 0xFFFFFFFFC0400000


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/notes").write_bytes(NOTE)
    (tmp_path / "kallsyms").write_bytes(TEXT)
    (tmp_path / "modules").write_text("ext4 1 0 - Live 0x0\n")
    return tmp_path


def refreshed(node: Path, clock: FakeClock | None = None) -> KernelSymbols:
    kernel = KernelSymbols(node, node, clock or FakeClock())
    kernel.refresh()
    return kernel


def function(kernel: KernelSymbols, address: int) -> str:
    (frame,) = kernel.answer(address).frames
    return frame.function


def test_equal_functions_are_equal_frames(node: Path) -> None:
    kernel = refreshed(node)
    frame = Frame(
        "do_one.isra.0",
        binary="[kernel]",
        build_id=BUILD_ID,
        address=DO_ONE,
        kind=Kind.KERNEL,
    )
    assert kernel.answer(DO_ONE + 1).frames == kernel.answer(DO_ONE + 9).frames == (frame,)


def test_functions_of_modules_name_the_module(node: Path) -> None:
    (frame,) = refreshed(node).answer(0xFFFFFFFFC0353340).frames
    assert (frame.function, frame.binary, frame.build_id) == ("ext4_readdir", "[ext4]", "")


def test_an_address_in_no_function_keeps_it(node: Path) -> None:
    answer = refreshed(node).answer(0x1234)
    (frame,) = answer.frames
    assert answer.cause == "no_symbol"
    assert (frame.function, frame.address) == ("[unknown] [kernel]+0x1234", 0x1234)


def test_a_kernel_that_hides_its_addresses_says_why(node: Path) -> None:
    (node / "kallsyms").write_bytes(b"0000000000000000 T _stext\n")
    kernel = refreshed(node)
    assert kernel.answer(DO_ONE).cause == "kernel_hidden"
    assert function(kernel, DO_ONE) == "[unknown] [kernel]+0xffffffff81000040"
    assert "kptr_restrict" in kernel.problem


def test_without_kallsyms_nothing_fails(tmp_path: Path) -> None:
    assert refreshed(tmp_path).answer(DO_ONE).cause == "kernel_hidden"


def test_symbols_are_read_again_when_modules_come(node: Path) -> None:
    kernel = refreshed(node)
    assert function(kernel, DO_ONE) == "do_one.isra.0"
    (node / "kallsyms").write_bytes(TEXT.replace(b"do_one", b"do_two"))
    kernel.refresh()
    assert function(kernel, DO_ONE) == "do_one.isra.0", "nothing said that it changed"
    (node / "modules").write_text("xfs 1 0 - Live 0x0\n")
    kernel.refresh()
    assert function(kernel, DO_ONE) == "do_two.isra.0"


def test_symbols_are_read_again_while_samples_fall_on_bpf_programs(node: Path) -> None:
    clock = FakeClock()
    kernel = refreshed(node, clock)
    assert function(kernel, PROGRAM + 8) == "bpf_prog_6deef7357e7b4530_count"
    (node / "kallsyms").write_bytes(TEXT + b"ffffffffc0400008 t bpf_prog_new\t[bpf]\n")
    clock.pass_by(299)
    kernel.refresh()
    assert function(kernel, PROGRAM + 8) == "bpf_prog_6deef7357e7b4530_count"
    clock.pass_by(2)
    kernel.refresh()
    assert function(kernel, PROGRAM + 8) == "bpf_prog_new"


def test_this_kernel_names_its_entry_point() -> None:
    kernel = KernelSymbols(Path("/proc"), Path("/sys"))
    kernel.refresh()
    kernel.answer(0)
    if kernel.problem:
        pytest.skip(kernel.problem)
    lines = Path("/proc/kallsyms").read_text().splitlines()
    line = next(line for line in lines if line.split()[2] == "vfs_read")
    assert function(kernel, int(line.split()[0], 16) + 3) == "vfs_read"
