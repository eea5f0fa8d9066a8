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
        self._strings: dict[str, int] = {"": 0}
        self._texts = [""]
        self._numbers = np.zeros((4, 0), np.int32)
        self._lines = np.zeros(0, np.int64)
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
        texts = [[self._number(text) for text in column] for column in zip(*rows, strict=True)]
        self._numbers = np.concatenate([self._numbers, np.array(texts, np.int32)], axis=1)
        self._lines = np.concatenate([self._lines, np.array([f.line for f in new], np.int64)])
        self._frames += new

    def _number(self, text: str) -> int:
        number = self._strings.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
        return number

    def columns(self, chosen: NDArray[np.intp]) -> FrameColumns:
        """Strings stand in the order in which they were first met by the table."""
        numbers = np.take(self._numbers, chosen, axis=1)
        place = np.zeros(int(numbers.max(initial=0)) + 1, np.int32)
        place[numbers] = 1
        place[0] = 1
        used = np.flatnonzero(place).tolist()
        function, file, binary, build_id = (np.cumsum(place, dtype=np.int32) - 1)[numbers]
        frames = [self._frames[number] for number in chosen.tolist()]
        return FrameColumns(
            strings=[self._texts[number] for number in used],
            function=function,
            file=file,
            line=self._lines[chosen],
            binary=binary,
            build_id=build_id,
            address=[hex(frame.address) for frame in frames],
            kind=[_KINDS[frame.kind] for frame in frames],
        )
