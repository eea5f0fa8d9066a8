"""How the rules of x86-64 code become rows: what bpf/unwind_x86_64.h can follow, and the cause for
what it cannot.

    CFA = rsp+16, rbp at CFA-16, return address at CFA-8   →   CFA_SP, offset 16, place -2

DWARF's register numbers: System V ABI, AMD64 supplement, figure 3.36
(https://gitlab.com/x86-psABIs/x86-64-ABI).
"""

import re
from enum import IntEnum

from collector.unwind import abi, cfi
from collector.unwind.abi import Cause, FramePointer, Rule
from collector.unwind.cfi import How
from collector.unwind.eh_frame import Machine
from profiler.errors import FormatError

FRAME_POINTER, STACK_POINTER, RETURN_ADDRESS = 6, 7, 16

SLOTS = (13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16)
"""The place in the kernel's struct sigcontext (enum unwind_register) of each DWARF register."""


class MachineRule(IntEnum):
    """enum unwind_rule_x86_64."""

    PLT = 7
    DEREF_SP = 8
    DEREF_FP = 9
    REGISTER = 32
    RETURN_IN_REGISTER = 64
    DEREF_INDEXED = 96


# Operations of DWARF 5, section 7.7.1.
_DEREF, _CONST1U, _AND, _MUL, _PLUS, _PLUS_UCONST, _SHL, _GE = (
    0x06, 0x08, 0x1A, 0x1E, 0x22, 0x23, 0x24, 0x2A,
)  # fmt: skip
_LIT0, _BREG0 = 0x30, 0x70


def encode(rules: cfi.Rules, signal: bool) -> int:
    """The row, without its address, for the rules at one address (see `abi.code`)."""
    base, offset, expression, frame_pointer, (how, where) = rules
    if signal:
        return abi.code(Rule.SIGNAL)
    if how is How.UNDEFINED:
        return abi.code(Rule.ROOT)
    place = _place(frame_pointer)
    if place is None:
        return abi.unsupported(Cause.OFFSET)
    if how is How.REGISTER and where in range(len(SLOTS)) and base == STACK_POINTER:
        return _code(MachineRule.RETURN_IN_REGISTER + SLOTS[int(where)], offset, place)
    if (how, where) != (How.AT_OFFSET, -8):
        return abi.unsupported(Cause.RETURN_ADDRESS)
    if expression:
        return _expression(expression, place)
    if base == STACK_POINTER:
        return _code(Rule.CFA_SP, offset, place)
    if base == FRAME_POINTER:
        return _code(Rule.CFA_FP, offset, place)
    if base < len(SLOTS):
        return _code(MachineRule.REGISTER + SLOTS[base], offset, place)
    return abi.unsupported(Cause.REGISTER)


def _code(rule: int, offset: int, place: int) -> int:
    if abi.MIN_OFFSET <= offset <= abi.MAX_OFFSET:
        return abi.code(rule, offset, place)
    return abi.unsupported(Cause.OFFSET)


def _place(rule: cfi.Rule) -> int | None:
    """Where the caller's rbp is, in words from the CFA; None where a row cannot say it."""
    how, where = rule
    if how is How.SAME:
        return FramePointer.SAME
    if how is How.AT_OFFSET and isinstance(where, int):
        words, rest = divmod(where, 8)
        return words if not rest and words and -128 < words < 127 else None
    if how is How.AT_EXPRESSION and where == bytes((_BREG0 + FRAME_POINTER, 0)):
        return FramePointer.AT_FP
    return FramePointer.LOST


def _expression(expression: bytes, place: int) -> int:
    """The few forms that compilers and assemblers emit for the CFA.

    - a register + n, dereferenced, + m (GCC's and OpenSSL's realigned stacks)
    - rsp + n + 8·register, dereferenced, + m (OpenSSL's Montgomery multiplication)
    - the linker's: rsp + 8 + ((rip & 15) >= n) * 8 (lazy binding stubs)
    """
    try:
        return _plt(expression) or _dereference(expression, place)
    except (IndexError, FormatError):
        return abi.unsupported(Cause.EXPRESSION)


def _plt(expression: bytes) -> int:
    pushed_from = expression[6] - _LIT0 if len(expression) == 11 else -1
    stub = bytes((
        _BREG0 + STACK_POINTER, 8, _BREG0 + RETURN_ADDRESS, 0, _LIT0 + 15, _AND,
        _LIT0 + pushed_from, _GE, _LIT0 + 3, _SHL, _PLUS,
    ))  # fmt: skip
    return abi.code(MachineRule.PLT, pushed_from) if stub == expression else 0


def _dereference(expression: bytes, place: int) -> int:
    register = expression[0] - _BREG0
    offset, at = cfi.sleb128(expression, 1)
    rule, at = _base_rule(expression, at, register)
    if expression[at] != _DEREF:
        return abi.unsupported(Cause.EXPRESSION)
    at += 1
    add = 0
    if at < len(expression):
        if expression[at] != _PLUS_UCONST:
            return abi.unsupported(Cause.EXPRESSION)
        add, at = cfi.uleb128(expression, at + 1)
    words, rest = divmod(offset, 8)
    if at != len(expression) or rule is None:
        return abi.unsupported(Cause.EXPRESSION)
    if rest or add % 8 or add >= 128 * 8 or not -(1 << 15) <= words < 1 << 15:
        return abi.unsupported(Cause.OFFSET)
    return abi.code(rule, words << 8 | add // 8, place)


def _base_rule(expression: bytes, at: int, register: int) -> tuple[int | None, int]:
    """The rule for what is dereferenced, and where the expression goes on."""
    if register == FRAME_POINTER:
        return MachineRule.DEREF_FP, at
    if register != STACK_POINTER:
        return None, at
    index = expression[at] - _BREG0
    if 0 <= index < len(SLOTS) and expression[at + 1 : at + 5] == bytes(
        (0, _LIT0 + 8, _MUL, _PLUS)
    ):
        return MachineRule.DEREF_INDEXED + SLOTS[index], at + 5
    return MachineRule.DEREF_SP, at


def _is_entry(code: bytes) -> bool:
    """At its first instructions a program clears rbp or takes rsp for its arguments."""
    clears, takes = bytes.fromhex("31ed"), bytes.fromhex("4889e7")  # xor %ebp; mov %rsp, %rdi
    return clears in code[:8] or takes in code[:8]


MACHINE = Machine(
    FRAME_POINTER,
    RETURN_ADDRESS,
    encode,
    signal_returns=(
        bytes.fromhex("48c7c00f000000 0f05"),  # mov $15, %rax; syscall
        bytes.fromhex("b80f000000 0f05"),  # mov $15, %eax; syscall
    ),
    system_call=bytes.fromhex("0f05"),
    at_entry=abi.code(Rule.CFA_SP, 8),
    prologues=(
        bytes.fromhex("55 4889e5"),  # push %rbp; mov %rsp, %rbp
        bytes.fromhex("55 488bec"),
    ),
    is_entry=_is_entry,
    # call *%reg or *(%reg); mov %eax, %edi or %rax, %rdi; call target
    calls_with_result=re.compile(
        rb"(?P<pointer>\xff[\x10-\x17\xd0-\xd7])\x48?\x89\xc7\xe8(?P<target>....)", re.DOTALL
    ),
)
