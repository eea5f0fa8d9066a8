"""Where the code of a file lies: what is asked of it for each address that gets a name.

>>> Code(elf).address_of(0x1180)
8576
"""

import mmap
from bisect import bisect_right
from collections.abc import Iterable

from collector.elf.file import SHF_ALLOC, Elf


class Code:
    """What of `elf` decides, as sorted numbers; the file itself is not needed any more."""

    def __init__(self, elf: Elf) -> None:
        segments = elf.executable()
        # The kernel maps whole pages, so the first and the last page of a segment show some bytes
        # of its neighbours too: a segment that holds the byte itself comes first.
        self._segments = [
            (
                segment.offset // page * page,
                -(-(segment.offset + segment.size) // page) * page,
                segment.address - segment.offset,
            )
            for page in (1, mmap.PAGESIZE)
            for segment in segments
        ]
        loaded = [section for section in elf.sections if section.flags & SHF_ALLOC]
        self._doubtless = not loaded
        joined = _joined((one.address, one.address + one.size) for one in loaded)
        self._starts = [start for start, _ in joined]
        self._ends = [end for _, end in joined]

    def address_of(self, offset: int) -> int | None:
        """The virtual address of a byte of the file that is mapped executable."""
        for begin, end, shift in self._segments:
            if begin <= offset < end:
                return offset + shift
        return None

    def holds(self, address: int) -> bool:
        """Whether an address lies in a section, and not in the padding between them, which
        symbol tables give to the last function before it. True if sections are unknown."""
        before = bisect_right(self._starts, address) - 1
        return self._doubtless or (before >= 0 and address < self._ends[before])


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, those that overlap as one: .tbss has no room of its own."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
