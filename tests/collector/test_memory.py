"""What is given back can be asked for again."""

import gc
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import memory
from collector.symbols.builder import Builder
from tests.collector.symbols.programs import C_SOURCE, compiled

MAPS = b"""\
7f1c02e00000-7f1c02e05000 r--s 00000000 fe:00 9978613                    /tmp/#9978613 (deleted)
7f1c02f00000-7f1c02f05000 rw-s 00000000 fe:00 9978614                    /tmp/#9978614 (deleted)
7f1c03000000-7f1c03005000 r--p 00000000 fe:00 9978615                    /tmp/#9978615 (deleted)
7f1c03100000-7f1c03105000 r--s 00000000 fe:00 9978616                    /tmp/folder/file (deleted)
7f1c03200000-7f1c03205000 r--s 00000000 fe:00 9978617                    /tmp/file
7f1c03300000-7f1c03305000 r--s 00000000 fe:00 9978618                    /srv/#9978618 (deleted)
"""


def resident_bytes(path: str) -> int:
    """Of this process's mappings of a file."""
    mine = [
        block for block in Path("/proc/self/smaps").read_text().split("VmFlags") if path in block
    ]
    return sum(1024 * int(block.split("Rss:")[1].split()[0]) for block in mine)


@pytest.fixture
def cycles() -> Iterator[None]:
    """Leaves Python's search for cycles as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_lasts_is_left_out_of_the_search_for_cycles(cycles: None) -> None:
    lasting = [[number] for number in range(1000)]
    memory.settle()
    assert not any(each is lasting for each in gc.get_objects())
    gone = weakref.ref(Gone([]))
    gc.collect()
    assert gone() is None


class Gone:
    """Holds itself."""

    def __init__(self, held: list[object]) -> None:
        held.append(self)
        self.held = held


def test_only_what_would_not_be_lost_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    assert memory.symbol_files(MAPS) == [(0x7F1C02E00000, 0x7F1C02E05000)]


def test_symbols_answer_after_their_pages_were_given_back(tmp_path: Path) -> None:
    memory.use_one_pool()
    program = compiled(tmp_path / "program", C_SOURCE)
    with Builder() as builder:
        descriptor = os.open(program, os.O_RDONLY)
        symbols = builder.build(descriptor).symbols
        os.close(descriptor)
        names = [symbols.lookup(address) for address in range(0x1000, 0x2000)]
        held = resident_bytes("/#")
        memory.give_back()
        assert resident_bytes("/#") < held
        again = [symbols.lookup(address) for address in range(0x1000, 0x2000)]
    assert [len(found) for found in names] == [len(found) for found in again]
    assert any(names)
