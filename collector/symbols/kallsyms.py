"""The kernel's symbols from the text of /proc/kallsyms.

    ffffffff81000000 T _stext
    ffffffffc0353340 t ext4_readdir\t[ext4]

Addresses are zero for readers without CAP_SYSLOG where kernel.kptr_restrict is 1, and for
everyone where it is 2. A kernel has 120,000 lines and more: they stay one piece of text, in a file
without a name that is mapped, and only the addresses become numbers.
"""

import mmap
import re
import tempfile
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collector.symbols.columns import hexadecimal, line_starts

MAX_REACH = 1 << 20
"""Bytes. A function has no size here and reaches up to the next one; beyond this distance lies
memory that kallsyms does not list."""

_BASE = re.compile(rb"^([0-9a-f]{16}) T _text$", re.MULTILINE)
_KIND, _NAME = 17, 19  # columns: "ffffffff81000000 T name"
_NOT_CODE = 9
_RANKS = np.full(256, _NOT_CODE, dtype=np.int64)
_RANKS[np.frombuffer(b"TWtw", dtype=np.uint8)] = np.arange(4)  # global, weak, local


@dataclass(frozen=True, slots=True)
class KernelSymbol:
    """`module` is "" for the kernel's own."""

    name: str
    module: str
    address: int


@dataclass(frozen=True, slots=True, eq=False)
class Kallsyms:
    """Functions by address. `problem` says why there are none, "" where all is well; `base` is the
    address of the kernel itself, which differs at every boot (KASLR), 0 where it is not listed."""

    problem: str = ""
    base: int = 0
    _text: "mmap.mmap | bytes" = b""
    _addresses: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    _lines: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self._addresses)

    def lookup(self, address: int) -> KernelSymbol | None:
        """The function that holds a runtime address."""
        if not 0 <= address < 1 << 64:
            return None
        index = int(np.searchsorted(self._addresses, np.uint64(address), side="right")) - 1
        if index < 0 or address - int(self._addresses[index]) >= MAX_REACH:
            return None
        line = int(self._lines[index])
        name, _, module = self._text[line + _NAME : self._text.find(b"\n", line)].partition(b"\t")
        return KernelSymbol(
            name.decode("utf-8", "backslashreplace"),
            module.strip(b"[]").decode("utf-8", "backslashreplace"),
            int(self._addresses[index]),
        )


def parse_kallsyms(text: bytes) -> Kallsyms:
    """The functions among the symbols; of several at one address the most public is kept."""
    letters = np.frombuffer(text, dtype=np.uint8)
    bounds = line_starts(letters)
    lines = bounds[:-1][np.diff(bounds) > _NAME + 1]
    lines = lines[_RANKS[letters[lines + _KIND]] != _NOT_CODE]
    addresses, valid = hexadecimal(letters, lines, lines + 16)
    if not valid.any():
        return Kallsyms("/proc/kallsyms lists no functions: is it built with CONFIG_KALLSYMS?")
    if not addresses.any():
        return Kallsyms(
            "the kernel hides its addresses: run with CAP_SYSLOG and kernel.kptr_restrict=1"
        )
    keep = valid & (addresses != 0)
    lines, addresses = lines[keep], addresses[keep]
    order = np.lexsort((lines, _rank(letters, lines), addresses))
    first = np.concatenate([[True], np.diff(addresses[order]) != 0])
    chosen = order[first]
    found = _BASE.search(text)
    base = int(found[1], 16) if found else 0
    return Kallsyms("", base, _mapped(text), addresses[chosen], lines[chosen])


def _mapped(text: bytes) -> "mmap.mmap | bytes":
    """5 MB that are hardly read: where there is a disk, in its page cache and not in our memory."""
    try:
        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(text)
            return mmap.mmap(file.fileno(), len(text), access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # ValueError: the disk took only a part
        return text


def _rank(letters: NDArray[np.uint8], lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lower is better: global before weak before local, a plain name before an _underscored."""
    underscored = letters[lines + _NAME] == ord("_")
    return np.asarray(_RANKS[letters[lines + _KIND]] * 2 + underscored, dtype=np.int64)
