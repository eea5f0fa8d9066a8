"""Frames by number, and columns of them for a reader who gets thousands at once.

>>> table = FrameTable([Frame("main", "main.c"), Frame("f", "main.c")])
>>> chosen = table.columns(np.array([1]))
>>> chosen.strings, chosen.function.tolist(), chosen.file.tolist()
(['', 'f', 'main.c'], [1], [2])
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.model import Frame, Kind

_KINDS = [kind.name.lower() for kind in Kind]

Hashes = NDArray[np.uint32]
"""Two numbers an entry, in two rows."""

SEEDS = (0x811C9DC5, 0x3C6EF372)
_FACTORS = (0x01000193, 0x9E3779B1)


@dataclass(frozen=True, slots=True, eq=False)
class FrameColumns:
    """One entry a frame; `function`, `file`, `binary` and `build_id` are indexes into `strings`."""

    strings: list[str]
    function: NDArray[np.int32]
    file: NDArray[np.int32]
    line: NDArray[np.int64]
    binary: NDArray[np.int32]
    build_id: NDArray[np.int32]
    address: list[str]
    kind: list[str]


class FrameTable:
    """Grows at its end. One thread may extend it while others read what was there."""

    def __init__(self, frames: Iterable[Frame] = ()) -> None:
        self._frames: list[Frame] = []
        self._strings: dict[str, int] = {}
        self._numbers = np.zeros((4, 0), np.int32)
        self._lines = np.zeros(0, np.int64)
        self.hashes: Hashes = np.zeros((2, 0), np.uint32)
        """Of function, file, binary and kind; for `profiler.analysis.path`."""
        # Of objects, since many at once are chosen from an array in a tenth of a list's time.
        self._texts, self._addresses, self._kinds = (np.zeros(0, object) for _ in range(3))
        self._number_texts([""])
        self.extend(frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: int) -> Frame:
        return self._frames[number]

    def extend(self, frames: Iterable[Frame]) -> None:
        new = list(frames)
        if not new:
            return
        rows = ((f.function, f.file, f.binary, f.build_id) for f in new)
        numbers = self._number_texts([text for row in rows for text in row])
        self._numbers = np.concatenate([self._numbers, numbers.reshape(-1, 4).T], axis=1)
        self._lines = np.concatenate([self._lines, np.array([f.line for f in new], np.int64)])
        self._addresses = _more(self._addresses, [hex(f.address) for f in new])
        self._kinds = _more(self._kinds, [_KINDS[f.kind] for f in new])
        identities = ["\0".join((f.function, f.file, f.binary, _KINDS[f.kind])) for f in new]
        self.hashes = np.concatenate([self.hashes, hashes(identities)], axis=1)
        self._frames += new

    def _number_texts(self, texts: list[str]) -> NDArray[np.int32]:
        known = len(self._strings)
        numbers = [self._strings.setdefault(text, len(self._strings)) for text in texts]
        self._texts = _more(self._texts, list(self._strings)[known:])
        return np.array(numbers, np.int32)

    def columns(self, chosen: NDArray[np.intp]) -> FrameColumns:
        """Strings stand in order of use: first "", then those of functions, of files, …"""
        numbers = np.take(self._numbers, chosen, axis=1)
        place = np.full(int(numbers.max(initial=0)) + 1, numbers.size, np.int32)
        place[numbers.ravel()[::-1]] = np.arange(numbers.size - 1, -1, -1)  # the first use stays
        place[0] = -1
        used = np.flatnonzero(place < numbers.size)
        used = used[np.argsort(place[used])]
        place[used] = np.arange(len(used))
        function, file, binary, build_id = place[numbers]
        return FrameColumns(
            strings=self._texts[used].tolist(),
            function=function,
            file=file,
            line=self._lines[chosen],
            binary=binary,
            build_id=build_id,
            address=self._addresses[chosen].tolist(),
            kind=self._kinds[chosen].tolist(),
        )


def hashes(texts: list[str]) -> Hashes:
    """Of each text, which are not empty: the sum of its UTF-16 units by the powers of a factor."""
    encoded = [text.encode("utf-16-le", "surrogatepass") for text in texts]
    lengths = np.array([len(text) // 2 for text in encoded])
    starts = np.cumsum(lengths) - lengths
    place = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    units = np.frombuffer(b"".join(encoded), "<u2").astype(np.uint32)
    found = np.empty((2, len(texts)), np.uint32)
    for row, (seed, factor) in enumerate(zip(SEEDS, _FACTORS, strict=True)):
        powers = np.cumprod(np.full(lengths.max(), factor, np.uint32), dtype=np.uint32)
        found[row] = np.add.reduceat(units * powers[place], starts, dtype=np.uint32) ^ seed
    return found


def _more(column: NDArray[np.object_], texts: list[str]) -> NDArray[np.object_]:
    new = np.empty(len(texts), object)
    new[:] = texts
    return np.concatenate([column, new])
