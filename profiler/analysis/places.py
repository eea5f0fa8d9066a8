"""Where a function stands in the sources that the candidate was built from, for reports that are
shown beside them: the file and the line with most of its samples.

The union's own key may have the baseline's file, since builds in other folders have other paths.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from profiler.analysis import matching, tree
from profiler.analysis.grouping import FunctionKey, key
from profiler.analysis.rules import Column
from profiler.model import Frame, Kind, Profile


@dataclass(frozen=True, slots=True)
class Place:
    """`line` is 0 where none is known."""

    file: str
    line: int = 0


_Name = tuple[str, Kind]
_Ranked = tuple[bool, Place]
"""Whether it is the very function, not just one of its name, and where."""


def of(
    units: Sequence[Profile], functions: Collection[FunctionKey], column: Column
) -> Mapping[FunctionKey, Place]:
    """Of each function whose file is known, where it itself or all that it calls costs most."""
    wanted: dict[_Name, list[FunctionKey]] = defaultdict(list)
    for function in functions:
        wanted[_name(function)].append(function)
    counts: dict[FunctionKey, Counter[_Ranked]] = defaultdict(Counter)
    for unit in units:
        frames = {number: one for number, one in _known(unit.frames) if _name(key(one)) in wanted}
        samples = unit.samples if column == "self" else tree.totals(unit, unit.samples)
        for frame, count in zip(unit.node_frames.tolist(), samples.tolist(), strict=True):
            if count and (one := frames.get(frame)):
                for function in wanted[_name(key(one))]:
                    alike = _base(one.file) == _base(function[1])
                    counts[function][alike, Place(one.file, one.line)] += count
    return {
        function: max(found.items(), key=lambda item: (item[0][0], item[1]))[0][1]
        for function, found in counts.items()
    }


def _known(frames: Sequence[Frame]) -> Collection[tuple[int, Frame]]:
    return [(number, frame) for number, frame in enumerate(frames) if frame.file]


def _name(function: FunctionKey) -> _Name:
    return matching.canonical(function[0]), function[3]


def _base(file: str) -> str:
    return file.rpartition("/")[2]
