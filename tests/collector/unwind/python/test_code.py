"""Code objects of this very interpreter, read through /proc as those of any other are."""

import argparse
import ast
import os
import sys
from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.unwind.python.code import Code, read_code, read_text
from collector.unwind.python.layouts import LAYOUTS
from collector.unwind.python.memory import Memory, Unread, open_memory
from tests.collector.unwind.python.test_lines import code_objects

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] not in LAYOUTS, reason="this interpreter publishes its own offsets"
)
LAYOUT = LAYOUTS.get(sys.version_info[:2], LAYOUTS[3, 12])

WIDE = """
def plain(): pass
def größe(): pass
def ключ(): pass
def 𐌰(): pass
class Outer:
    def method(self): return lambda: 0
"""


def read(code: CodeType) -> Code:
    with open_memory(os.getpid()) as memory:
        return read_code(memory, LAYOUT, id(code), id(CodeType))


def test_names_of_every_width_are_read() -> None:
    compiled = code_objects(compile(WIDE, "/tmp/файл.py", "exec"))
    found = [read(code) for code in compiled]
    assert [code.function for code in found] == [
        *("<module>", "plain", "größe", "ключ", "𐌰", "Outer"),
        *("Outer.method", "Outer.method.<locals>.<lambda>"),
    ]
    assert {code.file for code in found} == {"/tmp/файл.py"}


@pytest.mark.parametrize("function", [ast.unparse, argparse.ArgumentParser.parse_known_args])
def test_lines_are_those_of_the_interpreter(function: object) -> None:
    compiled: CodeType = function.__code__  # type: ignore[attr-defined]
    code = read(compiled)
    for start, _, line in compiled.co_lines():
        assert code.lines().line(start) == (line or 0)


def test_what_is_no_code_object_is_not_read() -> None:
    with open_memory(os.getpid()) as memory:
        for address in (0, 8, id(object()), id("text"), 1 << 62, -1):
            with pytest.raises(Unread):
                read_code(memory, LAYOUT, address, id(CodeType))


def test_a_name_that_is_too_long_is_not_read() -> None:
    text = "x" * 5000
    with open_memory(os.getpid()) as memory:
        assert read_text(memory, LAYOUT, id(text), 5000) == text
        with pytest.raises(Unread):
            read_text(memory, LAYOUT, id(text), 4999)


@given(st.randoms(use_true_random=False))
def test_random_memory_is_refused_or_read_within_bounds(random: object) -> None:
    def noise(address: int, size: int) -> bytes:
        small = random.random() < 0.5  # type: ignore[attr-defined]
        data = bytearray(random.randbytes(size))  # type: ignore[attr-defined]
        if small and size >= 8:  # so that lengths and pointers are sometimes plausible
            data[2:8] = bytes(6)
        return bytes(data)

    with pytest.raises(Unread):
        read_code(Memory(noise), LAYOUT, 0x1000, 0x2000)
