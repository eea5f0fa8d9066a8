"""Call frame programs, written as bytes with their meaning beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.unwind import cfi
from collector.unwind.cfi import SAME, UNDEFINED, How
from profiler.errors import FormatError

AT_ENTRY: cfi.Rules = (7, 8, b"", SAME, (How.AT_OFFSET, -8))
CODING = cfi.Coding(1, -8, frame_pointer=6, return_address=16, initial=AT_ENTRY)


def rows(program: str) -> list[cfi.Row]:
    return cfi.run(bytes.fromhex(program), CODING)


def test_an_empty_program_has_the_rules_of_its_cie() -> None:
    assert rows("") == [(0, AT_ENTRY)]


def test_a_push_moves_the_cfa_and_saves_the_frame_pointer() -> None:
    saved = (How.AT_OFFSET, -16)
    # advance 1 · CFA offset 16 · r6 at CFA-16
    assert rows("41 0e10 8602") == [(0, AT_ENTRY), (1, (7, 16, b"", saved, (How.AT_OFFSET, -8)))]


def test_remembered_rules_come_back() -> None:
    # remember · CFA offset 16 · advance 4 · restore
    assert rows("0a 0e10 44 0b") == [(0, (7, 16, *AT_ENTRY[2:])), (4, AT_ENTRY)]


def test_a_restored_register_has_the_rule_of_the_cie() -> None:
    # r6 at CFA-16 · advance 2 · restore r6 · advance 2 · undefine r16 · advance 2 · restore r16
    program = "8602 42 c6 42 0710 42 0610"
    found = [rules[3:] for _, rules in rows(program)]
    assert found == [
        ((How.AT_OFFSET, -16), (How.AT_OFFSET, -8)),
        (SAME, (How.AT_OFFSET, -8)),
        (SAME, UNDEFINED),
        (SAME, (How.AT_OFFSET, -8)),
    ]


def test_a_register_after_an_expression_has_the_offset_from_before_it() -> None:
    # CFA offset 32 · CFA expression 77 08 06 · advance 1 · CFA register r6
    found = rows("0e20 0f03770806 41 0d06")
    assert [rules[:3] for _, rules in found] == [(7, 32, b"\x77\x08\x06"), (6, 32, b"")]


@pytest.mark.parametrize(
    "program, offset",
    [("41", 1), ("02ff", 255), ("030001", 256), ("0400000100", 1 << 16)],
)
def test_each_advance_has_its_width(program: str, offset: int) -> None:
    assert [at for at, _ in rows(program)] == [0, offset]


def test_rules_of_other_registers_are_read_and_dropped() -> None:
    # r3 at CFA-24 · r12 = expression 70 00 · r300 at CFA-16 · r13 in r14 · size of arguments
    assert rows("8303 160c027000 05ac0202 090d0e 2e10") == [(0, AT_ENTRY)]


@pytest.mark.parametrize(
    "program, reason",
    [
        ("0e", "end in 0e"),
        ("0f05 77", "end in"),
        ("03 00", "end in"),
        ("0b", "never remembered"),
        ("3f", "unknown call frame instruction 0x3f"),
        ("0a" * 65, "more than 64"),
        ("0e" + "80" * 12, "more than 64 bits"),
        ("04ffffffff" * 2, "more than 4294967296 bytes"),
    ],
)
def test_a_program_without_sense_is_a_format_error(program: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        rows(program)


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_by_increasing_offset_or_a_format_error(program: bytes) -> None:
    try:
        found = cfi.run(program, CODING)
    except FormatError:
        return
    offsets = [at for at, _ in found]
    assert offsets == sorted(set(offsets))
    assert len(found) <= 1 + len(program)


def uleb(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + uleb(value >> 7)


@given(st.integers(0, 2**63 - 1))
def test_unsigned_numbers_survive(value: int) -> None:
    assert cfi.uleb128(uleb(value), 0) == (value, len(uleb(value)))


def sleb(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    if rest == -(low >> 6):
        return bytes([low])
    return bytes([low | 128]) + sleb(rest)


@given(st.integers(-(2**62), 2**62 - 1))
def test_signed_numbers_survive(value: int) -> None:
    assert cfi.sleb128(sleb(value), 0) == (value, len(sleb(value)))
