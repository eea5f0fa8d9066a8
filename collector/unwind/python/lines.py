"""Line tables of code objects: from a place in the instructions to the line in the file.

Three forms, each a string of bytes that is read from its beginning:

- `co_lnotab` up to 3.9 (Objects/lnotab_notes.txt): pairs of an unsigned step in bytes and a signed
  step in lines.
- `co_linetable` of 3.10 (PEP 626): pairs of the length of a range in bytes and a signed step in
  lines; a step of -128 says that the range has no line.
- `co_linetable` from 3.11 on (Objects/locations.md): entries that begin with a byte of bit 7 set,
  which holds the form (bits 3 to 6) and the length of the range in code units less one (bits 0 to
  2); what follows depends on the form.

>>> table = bytes([0, 1, 8, 1])
>>> lines = Table(lnotab(table, first=10))
>>> lines.line(4), lines.line(8)
(11, 12)
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator

from collector.unwind.python.layouts import Lines

Steps = Iterator[tuple[int, int]]
"""(place from which on, line) by place; line 0 where the instructions have none."""

MAX_LINE = 1 << 31
NO_LINE = -128
_SHORT_FORMS = 10
_ONE_LINE_0, _ONE_LINE_2 = 10, 12
_NO_COLUMNS = 13
_LONG = 14
_MAX_SHIFT = 60


class Table:
    """Steps, for many places to be looked up."""

    def __init__(self, steps: Steps) -> None:
        self._places, self._lines = array("Q"), array("I")
        for place, line in steps:
            self._places.append(place)
            self._lines.append(line if 0 < line < MAX_LINE else 0)

    @property
    def weight(self) -> int:
        """Bytes."""
        return 200 + 12 * len(self._places)

    def line(self, place: int) -> int:
        """The line of the instruction at `place`, 0 where there is none; a place before all is the
        first instruction's."""
        after = bisect_right(self._places, max(place, 0))
        return self._lines[after - 1] if after else 0


def lnotab(table: bytes, first: int) -> Steps:
    """Places in bytes."""
    place, line = 0, first
    yield place, line
    for step, lines in zip(table[::2], table[1::2], strict=False):
        place += step
        line += _signed(lines)
        yield place, line


def linetable(table: bytes, first: int) -> Steps:
    """Places in code units of two bytes, as frames count them."""
    place, line = 0, first
    for size, lines in zip(table[::2], table[1::2], strict=False):
        step = _signed(lines)
        line += step if step != NO_LINE else 0
        if size:
            yield place, line if step != NO_LINE else 0
        place += size // 2


def locations(table: bytes, first: int) -> Steps:
    """Places in bytes."""
    place, line, entries = 0, first, iter(table)
    for head in entries:
        form, size = head >> 3 & 15, 2 * ((head & 7) + 1)
        if _ONE_LINE_0 <= form <= _ONE_LINE_2:
            line += form - _ONE_LINE_0
        elif form in (_NO_COLUMNS, _LONG):
            line += _signed_varint(entries)
        yield place, line if form <= _LONG else 0
        place += size
        _skip(entries, form)


def _skip(entries: Iterator[int], form: int) -> None:
    """Leaves out the columns, which nobody shows."""
    if form < _SHORT_FORMS:
        next(entries, 0)
    elif form <= _ONE_LINE_2:
        next(entries, 0), next(entries, 0)
    elif form == _LONG:
        for _ in range(3):  # the last line, the first column, the last column
            _varint(entries)


def _varint(entries: Iterator[int]) -> int:
    """Six bits a byte, the lowest first; bit 6 says that another follows."""
    value = shift = 0
    for byte in entries:
        value |= (byte & 63) << min(shift, _MAX_SHIFT)  # CPython's are 32-bit numbers
        shift += 6
        if not byte & 64:
            break
    return value


def _signed_varint(entries: Iterator[int]) -> int:
    value = _varint(entries)
    return -(value >> 1) if value & 1 else value >> 1


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


DECODERS: dict[Lines, Callable[[bytes, int], Steps]] = {
    Lines.LNOTAB: lnotab,
    Lines.LINETABLE: linetable,
    Lines.LOCATIONS: locations,
}
