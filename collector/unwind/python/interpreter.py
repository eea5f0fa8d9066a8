"""What an ELF file says of the CPython interpreter in it: its version and where things are.

The interpreter is the executable itself (Debian's python3.11) or a library (libpython3.12.so.1.0).
"""

import re
import struct
from dataclasses import dataclass

from collector.elf.file import Elf
from collector.elf.symbols import SHT_DYNSYM, SHT_SYMTAB, Symbol, read_symbols
from collector.unwind.python import loop
from collector.unwind.python.layouts import NEWEST, OLDEST, Version
from collector.unwind.python.loop import Range
from collector.unwind.python.memory import Refused

RUNTIME, CODE_TYPE, VERSION = "_PyRuntime", "PyCode_Type", "Py_Version"

_NAMED = re.compile(r"^(?:lib)?python(\d)\.(\d+)")
_LAST_BY_CODE = (3, 9)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Virtual addresses of the file. `eval` are the ranges of the loop, up to 3.9."""

    version: Version
    runtime: int
    code_type: int
    eval: tuple[Range, ...] = ()


def read_interpreter(elf: Elf, name: str) -> Interpreter | None:
    """The interpreter in a file of that base name; None where there is none.

    Raises Refused for one that we do not know.
    """
    symbols = _symbols(elf)
    version = _version(elf, symbols.get(VERSION), name)
    if version is None or (version >= OLDEST and RUNTIME not in symbols):
        return None
    if not OLDEST <= version <= NEWEST:
        raise Refused("unknown_version", "unknown interpreter {}.{}".format(*version))
    if CODE_TYPE not in symbols or loop.NAME not in symbols:
        raise Refused("no_symbols", f"{name} does not name {CODE_TYPE} or {loop.NAME}")
    by_code = version <= _LAST_BY_CODE
    return Interpreter(
        version=version,
        runtime=symbols[RUNTIME].address,
        code_type=symbols[CODE_TYPE].address,
        eval=tuple(loop.ranges(elf, symbols[loop.NAME])) if by_code else (),
    )


def _symbols(elf: Elf) -> dict[str, Symbol]:
    """Those that the file exports, or, if it exports nothing at all, defines.

    An interpreter exports its symbols to its extension modules. To look further would be to read
    the megabytes of symbols of every program that has nothing to do with Python.
    """
    exported = read_symbols(elf, SHT_DYNSYM)
    table = exported if len(exported.rows) else read_symbols(elf, SHT_SYMTAB)
    return table.find([RUNTIME, CODE_TYPE, VERSION, loop.NAME])


def _version(elf: Elf, symbol: Symbol | None, name: str) -> Version | None:
    """From the constant Py_Version (3.11), else from the file's name."""
    number = b"" if symbol is None else elf.at(symbol.address, 4)
    if len(number) == 4:
        (hexversion,) = struct.unpack("<I", number)
        return hexversion >> 24, hexversion >> 16 & 0xFF
    named = _NAMED.match(name)
    return (int(named[1]), int(named[2])) if named else None
