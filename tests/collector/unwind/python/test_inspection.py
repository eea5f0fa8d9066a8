"""What is checked before the kernel may trust it: files, running interpreters, made up ones."""

import shutil
import struct
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.elf.file import Elf, read_elf
from collector.elf.source import of_bytes
from collector.elf.symbols import SHT_DYNSYM, read_symbols
from collector.processes.cache import Process, ProcessCache
from collector.processes.procfs import ProcFs
from collector.unwind.python import layouts, loop
from collector.unwind.python.inspection import PASSING, Inspected, Slot, find_slot, inspect
from collector.unwind.python.interpreter import Interpreter, read_interpreter
from collector.unwind.python.layouts import LAYOUTS, Version
from collector.unwind.python.located import Located, Locator
from collector.unwind.python.memory import MAX_READS, Memory, Refused, open_memory
from tests.collector.unwind.python.conftest import Start, interpreters
from tests.processes import eventually

BUSY = "import threading\nthreading.Thread(target=lambda: input()).start()\nwhile True: pass"

COLD = """
__attribute__((cold, noinline)) void rare(int n) { __asm__ volatile("" :: "r"(n)); }
__attribute__((noinline)) int _PyEval_EvalFrameDefault(int n) {
    int total = 0;
#define ONE(i) if (__builtin_expect(n == i * 7919, 0)) { rare(n + i); rare(n - i); total += i; }
#define TEN(i) ONE(i) ONE(i + 1) ONE(i + 2) ONE(i + 3) ONE(i + 4) ONE(i + 5) ONE(i + 6) ONE(i + 7)
    for (int i = 0; i < n; i++) { TEN(1) TEN(11) TEN(21) __asm__ volatile("" : "+r"(n)); }
    return total;
}
int main(int argc, char **argv) { return _PyEval_EvalFrameDefault(argc); }
"""


def refreshed(pid: int) -> Process:
    return ProcessCache(ProcFs()).refresh(pid)


def inspected(located: Located, pid: int) -> Inspected:
    with open_memory(pid) as memory:
        return inspect(memory, located.interpreter, located.base)


def once_it_runs(process: subprocess.Popen[bytes]) -> Inspected:
    def attempt() -> Inspected | None:
        try:
            located = Locator().find(refreshed(process.pid))
            return inspected(located, process.pid) if located else None
        except Refused as refusal:
            assert refusal.cause in PASSING
            return None

    return eventually(attempt, "an interpreter that is found good")


def test_a_running_interpreter_is_found_good(python: Path, start: Start) -> None:
    found = once_it_runs(start(python, "-c", BUSY, stdin=subprocess.PIPE))
    version = (3, int(python.name.removeprefix("python3.")))
    assert found.layout == LAYOUTS.get(version, found.layout)
    # glibc keeps the first 32 keys in the thread itself, 16 bytes each, the value second.
    assert found.slot.block == 0
    assert (found.slot.offset - 0x318) % 16 == 0
    assert bool(found.eval) == (version <= (3, 9))


@pytest.mark.parametrize("python", [p for p in interpreters((3, 0)) if p not in interpreters()])
def test_an_older_interpreter_is_named(python: Path, start: Start) -> None:
    process = start(python, "-c", "input()", stdin=subprocess.PIPE)

    def refusal() -> str | None:
        try:
            Locator().find(refreshed(process.pid))
        except Refused as refused:
            return str(refused)
        return None

    minor = python.name.removeprefix("python3.")
    said = eventually(refusal, "an interpreter that is refused")
    assert said == f"unknown_version: unknown interpreter 3.{minor}"


def test_what_is_no_python_has_no_interpreter(start: Start) -> None:
    process = start("sleep", "60")
    assert Locator().find(refreshed(process.pid)) is None


def test_the_loop_of_a_stripped_file_is_found_with_its_cold_part(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler: apt-get install gcc")
    source, whole, stripped = (tmp_path / name for name in ("loop.c", "whole", "stripped"))
    source.write_text(COLD)
    flags = ["-O2", "-rdynamic", "-freorder-blocks-and-partition"]
    subprocess.run(["cc", *flags, "-o", whole, source], check=True)
    subprocess.run(["strip", "-o", stripped, whole], check=True)
    expected, found = (
        loop.ranges(elf, read_symbols(elf, SHT_DYNSYM).find([loop.NAME])[loop.NAME])
        for elf in (elf_of(whole), elf_of(stripped))
    )
    assert len(expected) == 2
    assert found[0] == expected[0]
    # The list of functions has no sizes: the part may end where the next function begins.
    assert found[1][0] == expected[1][0]
    assert expected[1][1] <= found[1][1] < expected[1][1] + 32


def elf_of(path: Path) -> Elf:
    return read_elf(of_bytes(path.read_bytes()))


def test_a_file_that_only_says_that_it_is_python_has_no_interpreter() -> None:
    assert read_interpreter(elf_of(Path("/bin/sleep")), "python3.11") is None


THREAD, STATE, BLOCK = 0x7000_0000, 0x5000_0000, 0x6000_0000


@pytest.mark.parametrize(
    ("words", "slot"),
    [
        ({THREAD + 0x310 + 16 * 5 + 8: STATE}, Slot(0, 0x368)),  # glibc, key 5
        ({THREAD + 0x510 + 8 * 2: BLOCK, BLOCK + 16 * 3 + 8: STATE}, Slot(0x520, 0x38)),  # key 67
        ({THREAD + 0x80: BLOCK, BLOCK + 8 * 4: STATE}, Slot(0x80, 0x20)),  # musl, key 4
    ],
)
def test_the_slot_of_a_key_is_found_in_each_c_library(words: dict[int, int], slot: Slot) -> None:
    layout = LAYOUTS[3, 11]
    words = words | {STATE + layout.thread_id: THREAD}

    def read(address: int, size: int) -> bytes:
        numbers = (words.get(place, 0) for place in range(address, address + size, 8))
        return b"".join(number.to_bytes(8, "little") for number in numbers)

    assert find_slot(Memory(read), layout, [STATE]) == slot


def offsets(version: Version, **changed: int) -> bytes:
    """A made up `_Py_DebugOffsets`: every structure's fields 8 bytes apart."""
    numbers: list[int] = []
    for names in layouts.PUBLISHED[version]:
        for place, name in enumerate(names.split()):
            numbers.append(changed.get(name, 8 * place))
    head = struct.pack("<8sQQ", b"xdebugpy", version[0] << 24 | version[1] << 16, 0)
    return (head + struct.pack(f"<{len(numbers)}Q", *numbers)).ljust(layouts.PUBLISHED_SIZE, b"\0")


@pytest.mark.parametrize("version", [(3, 13), (3, 14)])
def test_published_offsets_are_taken_by_name(version: Version) -> None:
    changed = {"current_frame": 72, "thread_id": 152, "owner": 74, "instr_ptr": 56}
    changed |= {"firstlineno": 68, "co_code_adaptive": 208, "linetable": 136, "threads_head": 7344}
    layout = layouts.published(version, offsets(version, **changed))
    assert (layout.thread_frame, layout.thread_id, layout.interpreter_threads) == (72, 152, 7344)
    assert (layout.frame_owner, layout.frame_place, layout.frame_size) == (74, 56, 80)
    assert (layout.code_line, layout.code_lines, layout.code_instructions) == (68, 136, 208)
    assert layout.code_size == 144


@pytest.mark.parametrize(
    "changed", [{"owner": 128}, {"linetable": 1 << 20}, {"filename": 100}, {"executable": 1 << 40}]
)
def test_published_offsets_that_the_kernel_cannot_follow_are_refused(
    changed: dict[str, int],
) -> None:
    with pytest.raises(Refused, match="is published as"):
        layouts.published((3, 13), offsets((3, 13), **changed))


def test_an_interpreter_without_a_global_lock_is_refused() -> None:
    data = bytearray(offsets((3, 13)))
    data[16] = 1
    with pytest.raises(Refused, match="free_threaded"):
        layouts.published((3, 13), bytes(data))


def test_lists_without_an_end_are_left() -> None:
    """Every word leads to itself, and every thread state belongs to its interpreter."""
    reads = 0

    def circle(address: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        return (0x1000).to_bytes(8, "little") * (size // 8) + bytes(size % 8)

    with pytest.raises(Refused):
        inspect(Memory(circle), Interpreter((3, 11), 0x1000, 0x2000), 0)
    assert reads <= MAX_READS


@given(st.integers(), st.sampled_from([(3, minor) for minor in range(8, 15)]), st.booleans())
def test_made_up_memory_is_refused_after_few_reads(
    seed: int, version: Version, plausible: bool
) -> None:
    random, reads = Random(seed), 0

    def noise(address: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        data = bytearray(random.randbytes(size))
        if plausible:  # words that could be addresses or small numbers
            for place in range(0, size - 7, 8):
                data[place + 5 : place + 8] = bytes(3)
        return bytes(data)

    with pytest.raises(Refused):
        inspect(Memory(noise), Interpreter(version, 0x1000, 0x2000), 0x10000)
    assert reads <= MAX_READS
