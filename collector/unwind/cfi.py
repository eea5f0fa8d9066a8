"""Call frame instructions: the little programs that say, for every address of a function, how to
find its caller's registers.

A program is run once into rows. Of the registers only two matter here, the frame pointer and the
return address; the rules of all others are read and dropped. For example the program

    def_cfa: r7 ofs 8 · offset: r16 at cfa-8 · advance 1 · def_cfa_offset 16 · offset: r6 at cfa-16

gives two rows: `CFA = r7+8` from 0, and from 1 `CFA = r7+16` with r6 saved at CFA-16.

Format: DWARF 5, section 6.4.2 (https://dwarfstd.org/doc/DWARF5.pdf), and the GNU extensions of the
Linux Standard Base 5.0, chapter 10.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from profiler.errors import FormatError

MAX_REMEMBERED = 64
"""States that may be remembered at once; compilers nest one or two."""
MAX_LOCATION = 1 << 32


class How(IntEnum):
    """How the caller's value of a register is found."""

    SAME = 0
    UNDEFINED = 1
    AT_OFFSET = 2  # saved at CFA + value
    IS_OFFSET = 3  # is CFA + value
    REGISTER = 4  # is in register number `value`
    AT_EXPRESSION = 5  # saved at the address that the expression gives
    IS_EXPRESSION = 6


Rule = tuple[How, int | bytes]
SAME: Rule = (How.SAME, 0)
UNDEFINED: Rule = (How.UNDEFINED, 0)


Rules = tuple[int, int, bytes, Rule, Rule]
"""The rules at one address: base, offset, expression, frame pointer, return address.

CFA = register `base` + `offset`, or, unless it is empty, the value of `expression`. A plain tuple:
a million of them are made for a large library.
"""


@dataclass(frozen=True, slots=True)
class Coding:
    """What a CIE says of its programs: units, tracked registers, and the rules they start from."""

    code_align: int
    data_align: int
    frame_pointer: int
    return_address: int
    initial: Rules = (0, 0, b"", SAME, SAME)


Row = tuple[int, Rules]
"""From this offset in the function on, these rules."""


def run(program: bytes, coding: Coding) -> list[Row]:
    """The rows of one program, by increasing offset; FormatError where it makes no sense."""
    machine = _Machine(program, coding)
    try:
        machine.run()
    except IndexError:
        raise FormatError(f"call frame instructions end in {program[-8:].hex(' ')}") from None
    return machine.rows


class _Machine:
    """The state of one run. `at` is the next byte of the program."""

    __slots__ = (
        "at",
        "base",
        "coding",
        "expression",
        "frame_pointer",
        "location",
        "offset",
        "program",
        "remembered",
        "return_address",
        "rows",
    )

    def __init__(self, program: bytes, coding: Coding) -> None:
        self.program, self.at, self.coding = program, 0, coding
        self.restore_rules(coding.initial)
        self.location = 0
        self.rows: list[Row] = []
        self.remembered: list[Rules] = []

    def run(self) -> None:
        program, end, align = self.program, len(self.program), self.coding.code_align
        while self.at < end:
            code = program[self.at]
            self.at += 1
            primary, operand = code & 0xC0, code & 0x3F
            if primary == 0x40:
                self.advance(operand * align)
            elif primary == 0x80:
                self.set_rule(operand, (How.AT_OFFSET, self.uleb() * self.coding.data_align))
            elif primary:
                self.restore(operand)
            else:
                _instruction(code)(self)
        self.rows.append((self.location, self.rules()))

    def rules(self) -> Rules:
        return self.base, self.offset, self.expression, self.frame_pointer, self.return_address

    def restore_rules(self, rules: Rules) -> None:
        self.base, self.offset, self.expression, self.frame_pointer, self.return_address = rules

    def advance(self, delta: int) -> None:
        """Later rules begin `delta` bytes on."""
        if delta:
            self.rows.append((self.location, self.rules()))
            self.location += delta
            if self.location > MAX_LOCATION:
                raise FormatError(f"a function has more than {MAX_LOCATION} bytes")

    def set_rule(self, register: int, rule: Rule) -> None:
        if register == self.coding.frame_pointer:
            self.frame_pointer = rule
        elif register == self.coding.return_address:
            self.return_address = rule

    def restore(self, register: int) -> None:
        """The rule that the CIE gave the register."""
        if register == self.coding.frame_pointer:
            self.frame_pointer = self.coding.initial[3]
        elif register == self.coding.return_address:
            self.return_address = self.coding.initial[4]

    def remember_state(self) -> None:
        if len(self.remembered) >= MAX_REMEMBERED:
            raise FormatError(f"more than {MAX_REMEMBERED} remembered states")
        self.remembered.append(self.rules())

    def restore_state(self) -> None:
        if not self.remembered:
            raise FormatError("a state is restored that was never remembered")
        self.restore_rules(self.remembered.pop())

    def offset_cfa(self, offset: int) -> None:
        self.offset = offset

    def rebase_cfa(self, register: int) -> None:
        """Ends an expression too, with the offset from before it, as libgcc's unwinder has it."""
        self.base, self.expression = register, b""

    def define_cfa(self, base: int, offset: int) -> None:
        self.base, self.offset, self.expression = base, offset, b""

    def compute_cfa(self, expression: bytes) -> None:
        self.expression = expression

    def fixed(self, size: int) -> int:
        if self.at + size > len(self.program):
            raise IndexError
        self.at += size
        return int.from_bytes(self.program[self.at - size : self.at], "little")

    def uleb(self) -> int:
        value = self.program[self.at]
        if value < 0x80:  # nearly all of them
            self.at += 1
        else:
            value, self.at = uleb128(self.program, self.at)
        return value

    def skip_uleb(self) -> None:
        self.uleb()

    def sleb(self) -> int:
        value, self.at = sleb128(self.program, self.at)
        return value

    def block(self) -> bytes:
        size = self.uleb()
        if self.at + size > len(self.program):
            raise IndexError
        self.at += size
        return self.program[self.at - size : self.at]

    def factored(self) -> int:
        return self.uleb() * self.coding.data_align

    def signed_factored(self) -> int:
        return self.sleb() * self.coding.data_align


_INSTRUCTIONS: dict[int, Callable[[_Machine], None]] = {
    0x00: lambda m: None,  # nop
    0x02: lambda m: m.advance(m.fixed(1) * m.coding.code_align),
    0x03: lambda m: m.advance(m.fixed(2) * m.coding.code_align),
    0x04: lambda m: m.advance(m.fixed(4) * m.coding.code_align),
    0x05: lambda m: m.set_rule(m.uleb(), (How.AT_OFFSET, m.factored())),
    0x06: lambda m: m.restore(m.uleb()),
    0x07: lambda m: m.set_rule(m.uleb(), UNDEFINED),
    0x08: lambda m: m.set_rule(m.uleb(), SAME),
    0x09: lambda m: m.set_rule(m.uleb(), (How.REGISTER, m.uleb())),
    0x0A: _Machine.remember_state,
    0x0B: _Machine.restore_state,
    0x0C: lambda m: m.define_cfa(m.uleb(), m.uleb()),
    0x0D: lambda m: m.rebase_cfa(m.uleb()),
    0x0E: lambda m: m.offset_cfa(m.uleb()),
    0x0F: lambda m: m.compute_cfa(m.block()),
    0x10: lambda m: m.set_rule(m.uleb(), (How.AT_EXPRESSION, m.block())),
    0x11: lambda m: m.set_rule(m.uleb(), (How.AT_OFFSET, m.signed_factored())),
    0x12: lambda m: m.define_cfa(m.uleb(), m.signed_factored()),
    0x13: lambda m: m.offset_cfa(m.signed_factored()),
    0x14: lambda m: m.set_rule(m.uleb(), (How.IS_OFFSET, m.factored())),
    0x15: lambda m: m.set_rule(m.uleb(), (How.IS_OFFSET, m.signed_factored())),
    0x16: lambda m: m.set_rule(m.uleb(), (How.IS_EXPRESSION, m.block())),
    0x2D: lambda m: None,  # AArch64: the return address is (no longer) signed
    0x2E: _Machine.skip_uleb,  # GNU: size of the arguments, for exception handlers
    0x2F: lambda m: m.set_rule(m.uleb(), (How.AT_OFFSET, -m.factored())),
}


def _instruction(code: int) -> Callable[[_Machine], None]:
    instruction = _INSTRUCTIONS.get(code)
    if instruction is None:
        raise FormatError(f"unknown call frame instruction {code:#04x}")
    return instruction


def uleb128(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends; IndexError where the data ends first."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise FormatError("a LEB128 number has more than 64 bits")


def sleb128(data: bytes, at: int) -> tuple[int, int]:
    """A signed LEB128 number and where it ends; IndexError where the data ends first."""
    value, end = uleb128(data, at)
    bits = 7 * (end - at)
    return value - (1 << bits) if data[end - 1] & 0x40 else value, end
