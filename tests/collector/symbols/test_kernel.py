import re
from pathlib import Path

import pytest

from collector.symbols.kernel import KernelSymbols
from profiler.model import Frame, Kind
from tests.collector.clock import FakeClock
from tests.collector.elf.test_file import NOTE
from tests.collector.symbols.programs import BUILD_ID
from tests.collector.symbols.test_kallsyms import TEXT

DO_ONE = 0xFFFFFFFF81000040
READDIR = 0xFFFFFFFFC0353340
PROGRAM = 0xFFFFFFFFC0400000


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/notes").write_bytes(NOTE)
    (tmp_path / "kallsyms").write_bytes(TEXT)
    (tmp_path / "modules").write_text("ext4 4096 0 jbd2, Live 0xffffffffc0353000 (E)\n")
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
        "do_one.isra.0", binary="[kernel]", build_id=BUILD_ID, address=0x40, kind=Kind.KERNEL
    )
    assert kernel.answer(DO_ONE + 1).frames == kernel.answer(DO_ONE + 9).frames == (frame,)


def moved(text: bytes, by: int) -> bytes:
    """Kernel and modules elsewhere, as after another boot."""

    def address(found: re.Match[bytes]) -> bytes:
        return b"%016x" % (int(found[0], 16) + by)

    return re.sub(rb"ffffffff[89ac][0-9a-f]{7}", address, text)


def test_another_boot_gives_equal_frames(node: Path) -> None:
    here = refreshed(node)
    before = [here.answer(at).frames for at in (DO_ONE, READDIR, PROGRAM)]
    for name in ("kallsyms", "modules"):
        (node / name).write_bytes(moved((node / name).read_bytes(), 0x1F00000))
    there = refreshed(node)
    after = [there.answer(at + 0x1F00000).frames for at in (DO_ONE, READDIR, PROGRAM)]
    assert before == after


def test_functions_of_modules_name_the_module_and_count_from_its_beginning(node: Path) -> None:
    notes = node / "module/ext4/notes"
    notes.mkdir(parents=True)
    (notes / ".note.gnu.build-id").write_bytes(NOTE)
    assert refreshed(node).answer(READDIR + 1).frames == (
        Frame("ext4_readdir", binary="[ext4]", build_id=BUILD_ID, address=0x340, kind=Kind.KERNEL),
    )


@pytest.mark.parametrize(
    "modules",
    ["", "ext4 4096 0 - Live 0x0000000000000000\n", "ext4 16 0 - Live 0xffffffffc0353000\n"],
)
def test_a_function_whose_module_is_not_known_to_be_there_has_no_address(
    node: Path, modules: str
) -> None:
    (node / "modules").write_text(modules)
    (frame,) = refreshed(node).answer(READDIR).frames
    assert (frame.function, frame.address) == ("ext4_readdir", 0)


def test_equal_bpf_programs_are_equal_frames(node: Path) -> None:
    """Their tag is a digest of their code; where they lie, and all numbers, are the kernel's."""
    (frame,) = refreshed(node).answer(PROGRAM + 8).frames
    assert frame == Frame("count", binary="[bpf]", build_id="6deef7357e7b4530", kind=Kind.KERNEL)


@pytest.mark.parametrize(
    ("symbol", "function", "tag"),
    [
        ("bpf_prog_6deef7357e7b4530", "bpf_prog_6deef7357e7b4530", "6deef7357e7b4530"),
        ("bpf_prog_6deef7357e7b4530_F", "F", "6deef7357e7b4530"),
        ("bpf_trampoline_6442489854", "bpf_trampoline", ""),
        ("bpf__tcp_congestion_ops_cong_avoid", "bpf__tcp_congestion_ops_cong_avoid", ""),
    ],
)
def test_what_bpf_makes_is_named_without_the_kernels_numbers(
    node: Path, symbol: str, function: str, tag: str
) -> None:
    (node / "kallsyms").write_bytes(TEXT + f"ffffffffc0500000 t {symbol}\t[bpf]\n".encode())
    (frame,) = refreshed(node).answer(0xFFFFFFFFC0500001).frames
    assert (frame.function, frame.build_id, frame.address) == (function, tag, 0)


def test_an_address_in_no_function_is_another_one_at_each_boot_and_left_out(node: Path) -> None:
    answer = refreshed(node).answer(0x1234)
    (frame,) = answer.frames
    assert answer.cause == "no_symbol"
    assert frame == Frame("[unknown] [kernel]", binary="[kernel]", kind=Kind.KERNEL)


def test_a_kernel_that_hides_its_addresses_says_why(node: Path) -> None:
    (node / "kallsyms").write_bytes(b"0000000000000000 T _stext\n")
    kernel = refreshed(node)
    assert kernel.answer(DO_ONE).cause == "kernel_hidden"
    assert function(kernel, DO_ONE) == "[unknown] [kernel]"
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
    assert function(kernel, PROGRAM + 8) == "count"
    (node / "kallsyms").write_bytes(TEXT + b"ffffffffc0400008 t bpf_prog_new\t[bpf]\n")
    clock.pass_by(299)
    kernel.refresh()
    assert function(kernel, PROGRAM + 8) == "count"
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
