"""Line tables: by hand, against the compiler of this interpreter, and hostile ones."""

import argparse
import ast
import inspect
import itertools
import typing
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.unwind.python.layouts import Lines
from collector.unwind.python.lines import DECODERS, Steps, Table, linetable, lnotab, locations


def code_objects(code: CodeType) -> list[CodeType]:
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return [code, *itertools.chain.from_iterable(map(code_objects, inner))]


def line_at(steps: Steps, place: int) -> int:
    return Table(steps).line(place)


def test_lnotab_steps_forward_and_back() -> None:
    # 10 up to byte 4, 12 up to 10, then 11: pairs of (bytes, lines), lines signed.
    table = bytes([4, 2, 6, 256 - 1])
    assert [line_at(lnotab(table, 10), place) for place in (-1, 0, 3, 4, 9, 10, 99)] == [
        *(10, 10, 10, 12, 12, 11, 11)
    ]


def test_lnotab_adds_steps_that_are_too_long_for_one_pair() -> None:
    table = bytes([0, 127, 0, 3, 255, 0, 10, 1])
    assert line_at(lnotab(table, 1), 264) == 131
    assert line_at(lnotab(table, 1), 265) == 132


def test_linetable_has_ranges_without_a_line() -> None:
    # 4 bytes of line 7, 2 without, 4 of line 9; frames count code units of two bytes.
    table = bytes([4, 2, 2, 128, 4, 2])
    assert [line_at(linetable(table, 5), place) for place in range(5)] == [7, 7, 0, 9, 9]


def test_locations_know_every_form() -> None:
    entries = [
        [0x80 | 0 << 3 | 1, 0x00],  # short form: 2 units of the same line
        [0x80 | 11 << 3 | 0, 0x04, 0x08],  # one line further, with columns
        [0x80 | 13 << 3 | 0, 0x02 << 1],  # two lines further, without columns
        [0x80 | 14 << 3 | 0, 0x43, 0x01, 0x00, 0x01, 0x01],  # 33 lines back, three more numbers
        [0x80 | 15 << 3 | 0],  # no line
    ]
    table = bytes(itertools.chain.from_iterable(entries))
    assert [line_at(locations(table, 100), place) for place in range(0, 12, 2)] == [
        *(100, 100, 101, 103, 70, 0)
    ]


@pytest.mark.parametrize("module", [argparse, ast, inspect, typing])
def test_locations_agree_with_this_interpreter(module: ModuleType) -> None:
    assert module.__file__
    text = Path(module.__file__).read_text()
    for code in code_objects(compile(text, module.__file__, "exec")):
        for start, _, line in code.co_lines():
            found = line_at(locations(code.co_linetable, code.co_firstlineno), start)
            assert found == (line or 0), (code.co_qualname, start)


@given(st.sampled_from(list(Lines)), st.binary(max_size=200), st.integers(-9, 1 << 40))
def test_hostile_tables_end_in_some_line(form: Lines, table: bytes, place: int) -> None:
    line = line_at(DECODERS[form](table, 1), place)
    assert isinstance(line, int)
