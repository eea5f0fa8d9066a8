"""What reading names may cost, whatever a process makes up."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.unwind.python import abi
from collector.unwind.python.allowance import Allowance
from collector.unwind.python.code import MAX_LINES_BYTES
from collector.unwind.python.inspection import Inspected, Slot
from collector.unwind.python.layouts import LAYOUTS
from collector.unwind.python.names import Names
from collector.unwind.python.stacks import PythonFrame
from tests.collector.unwind.python.harness import Harness

LAYOUT = LAYOUTS[3, 11]
TYPE, TEXT, LINES, CODES = 0x10000, 0x20000, 0x30000, 0x200000
SLOWEST = bytes([0xF8]) * MAX_LINES_BYTES
"""Entries of one byte without a line, in a table of the longest that is read."""
HOSTILE, HONEST = 7, 8
LAST_LINE = 1 << 30


def text(value: str) -> bytes:
    """A str of ASCII in the memory of 3.11."""
    state = 1 << 2 | 1 << 5 | 1 << 6
    return struct.pack("<QQqQI", 1, 0, len(value), 0, state).ljust(48, b"\0") + value.encode()


def code(first: int) -> bytes:
    """A code object whose texts are at TEXT and whose lines are at LINES."""
    body = bytearray(LAYOUT.code_size)
    struct.pack_into("<Q", body, LAYOUT.code_type, TYPE)
    struct.pack_into("<I", body, LAYOUT.code_line, first)
    struct.pack_into("<Q", body, LAYOUT.code_file, TEXT)
    struct.pack_into("<Q", body, LAYOUT.code_name, TEXT)
    struct.pack_into("<Q", body, LAYOUT.code_lines, LINES)
    return bytes(body)


def frame(number: int) -> PythonFrame:
    return PythonFrame(CODES + 256 * number, LAST_LINE, abi.checksum(number, TEXT, TEXT, LINES))


@pytest.fixture
def process(tmp_path: Path) -> Callable[[int, bytes], None]:
    """Makes a process whose memory has 1,000 code objects that share one table of lines."""

    def made(pid: int, table: bytes) -> None:
        (tmp_path / str(pid)).mkdir()
        with (tmp_path / str(pid) / "mem").open("wb") as memory:
            for number in range(1000):
                memory.seek(CODES + 256 * number)
                memory.write(code(number))
            memory.seek(TEXT)
            memory.write(text("work"))
            memory.seek(LINES)
            memory.write(struct.pack("<QQQQ", 1, 0, len(table), 0) + table)

    return made


@pytest.mark.kernel
def test_a_process_that_makes_up_slow_tables_does_not_hold_up_the_others(
    harness: Harness, process: Callable[[int, bytes], None], tmp_path: Path
) -> None:
    process(HOSTILE, SLOWEST)
    process(HONEST, b"\x80\x00")
    inspected = Inspected(LAYOUT, Slot(0, 0), TYPE)
    asked = Names(harness.fds["python_codes"], lambda pid: inspected, tmp_path)
    hostile = [asked.answer(HOSTILE, frame(number)).cause for number in range(1000)]
    assert hostile[0] == ""
    assert hostile.count("python_postponed") > 900
    honest = [asked.answer(HONEST, frame(number)) for number in range(1000)]
    assert {answer.cause for answer in honest} == {""}
    assert honest[7].frames[0].function == "work"
    # What has its name keeps it.
    assert asked.answer(HOSTILE, frame(0)).cause == ""


def test_an_allowance_ends_and_grows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000
    monkeypatch.setattr("time.monotonic_ns", lambda: now)
    allowance = Allowance(share=0.1, most_ns=100)
    allowance.spend(150)

    def left() -> bool:
        """A property is for mypy what it was before."""
        return allowance.left

    assert not left()
    now += 500
    assert not left()
    now += 1
    assert left()
    now += 1_000_000
    assert left()
    allowance.spend(100)
    assert not left()
