"""Stacks made easier to read, with every sample still in them.

    focus      stacks that hold a frame which matches; the others are left out
    hide       frames that match leave their stacks, and what was below them moves up
    fold       of frames that match and call one another, the first stays
    threads    frames of threads leave their stacks
    recursion  of a function that calls itself, the first frame stays
    group      a frame stands for its line, file, binary or kind

In this order, on the whole profile. Only `focus` changes a total: to that of the stacks it keeps.

>>> from profiler.formats import folded
>>> profile = folded.loads(b"main;poll;read 3\\nmain;read 1\\n")
>>> folded.dumps(of_profile(profile, Transform(hide="^poll$")))
b'main;read 4\\n'
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import re2
from numpy.typing import NDArray

from profiler import selector
from profiler.analysis.forest import Forest, Tree
from profiler.analysis.frames import FrameTable
from profiler.analysis.grouping import by_function
from profiler.analysis.shape import alphabet, shape
from profiler.analysis.tree import Column, Integers, fold, levels, sums
from profiler.errors import UsageError
from profiler.model import ROOT, Frame, Kind, Profile

GROUPS = ("function", "line", "file", "binary", "kind")

MOST_BYTES = 1000
"""Of an expression."""

_FIELD = re.compile(r"(function|file|binary|kind):(?!:)\s*", re.ASCII)

_NO_CODE = (Kind.THREAD, Kind.MARKER)
"""What no group gathers."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Transform:
    """Expressions are RE2's, and match names of functions, or what a field before them names:
    `binary:libc`. "" does nothing. `threads` and `recursion` say whether these are taken out."""

    focus: str = ""
    hide: str = ""
    fold: str = ""
    threads: bool = False
    recursion: bool = False
    group: str = "function"

    @property
    def nothing(self) -> bool:
        return self == Transform()


def of_profile(profile: Profile, transform: Transform) -> Profile:
    """Raises UsageError for an expression with a mistake, as `of_forest`."""
    if transform.nothing:
        return profile
    known = _known(profile.frames, transform)
    grouped = tuple(dict.fromkeys(known.grouped))
    number = {frame: at for at, frame in enumerate(grouped)}
    groups = np.array([*(number[frame] for frame in known.grouped), -1], np.int32)
    columns = _Columns(profile.parents, profile.node_frames, profile.samples, profile.values)
    return _without_the_unused(profile, _transformed(columns, known, groups, transform), grouped)


def of_forest(trees: Forest, transform: Transform) -> Forest:
    """Trees know no lines: to group by these, begin with a profile."""
    if transform.nothing:
        return trees
    used = np.unique(np.concatenate([tree.shape.functions for tree in trees.trees]))[1:]
    known = _known([trees.frames[number] for number in used.tolist()], transform)
    keys, functions = by_function(known.grouped)
    ranks, groups = alphabet(keys), np.append(functions, np.int32(-1))
    number = np.full(len(trees.ranks) + 1, -1, np.int32)  # the root's function is -1, the last one
    number[used] = np.arange(len(used))
    made = []
    for tree in trees.trees:
        frames = number[tree.shape.functions]
        columns = _Columns(tree.shape.parents, frames, tree.self_samples, tree.self_values)
        found = _transformed(columns, known, groups, transform)
        of, order = shape(found.parents, found.frames, ranks)
        made.append(Tree.of(of, found.values[order], found.samples[order]))
    _, first = np.unique(functions, return_index=True)
    table = FrameTable(known.grouped[frame] for frame in first.tolist())
    return Forest(tuple(made), keys, ranks, table, trees.type)


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Nodes, parents before their children; the root's frame is -1."""

    parents: NDArray[np.int32]
    frames: NDArray[np.int32]
    samples: Column
    values: Column

    def without(self, dropped: Flags, frames: NDArray[np.int32] | None = None) -> "_Columns":
        """What stands below a node that is dropped moves up to the first above it that is not, and
        so do its samples; then siblings of one frame are one node. `frames` are new ones."""
        dropped[ROOT] = False
        stays = np.arange(len(self.parents))
        for row in levels(self.parents)[1:]:
            stays[row] = np.where(dropped[row], stays[self.parents[row]], row)
        kept = np.flatnonzero(~dropped)
        number = np.zeros(len(self.parents), np.intp)
        number[kept] = np.arange(len(kept))
        parents = number[stays[self.parents[kept]]]
        parents[ROOT] = -1
        folded = fold(parents, (self.frames if frames is None else frames)[kept])
        became = replace(folded, node_of=folded.node_of[number[stays]])
        columns = became.add(self.samples), became.add(self.values)
        return _Columns(became.parents, became.keys, *columns)

    def below(self, chosen: Flags) -> Flags:
        """Which nodes are among the chosen, or below one of them."""
        found = chosen.copy()
        for row in levels(self.parents)[1:]:
            found[row] |= found[self.parents[row]]
        return found

    def repeat(self, what: Integers | Flags) -> Flags:
        """Which nodes have the same of `what` (by frame) as the node above them."""
        of = what[self.frames]
        same: Flags = of == of[np.maximum(self.parents, ROOT)]
        return same


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """By number of a frame; the root's is -1, the last one."""

    focus: Flags
    hide: Flags
    fold: Flags
    functions: NDArray[np.int32]
    gathers: Flags
    """Whether those that call one another become one when they are grouped."""
    grouped: list[Frame]
    """What each stands for; without the root."""


def _known(frames: Sequence[Frame], transform: Transform) -> _Known:
    threads = [frame.kind is Kind.THREAD for frame in frames]
    gathers = transform.group in ("file", "binary", "kind")
    return _Known(
        focus=_flags(_matching(frames, transform.focus)),
        hide=_flags(_matching(frames, transform.hide))
        | _flags(np.array(threads, bool) & transform.threads),
        fold=_flags(_matching(frames, transform.fold)),
        functions=np.append(by_function(frames)[1], np.int32(-1)),
        gathers=_flags([gathers and frame.kind not in _NO_CODE for frame in frames]),
        grouped=[_stands_for(frame, transform.group) for frame in frames],
    )


def _flags(of_frames: Iterable[bool] | Flags) -> Flags:
    return np.array([*of_frames, False], bool)


def _transformed(
    columns: _Columns, known: _Known, groups: NDArray[np.int32], transform: Transform
) -> _Columns:
    if transform.focus:
        kept = columns.below(known.focus[columns.frames])
        samples, values = (np.where(kept, own, 0) for own in (columns.samples, columns.values))
        columns = replace(columns, samples=samples, values=values)
    if known.hide.any():
        columns = columns.without(known.hide[columns.frames])
    if known.fold.any():
        folds = known.fold[columns.frames]
        columns = columns.without(folds & columns.repeat(known.fold))
    if transform.recursion:
        columns = columns.without(columns.repeat(known.functions))
    gathered = known.gathers[columns.frames] & columns.repeat(groups)
    return columns.without(gathered, groups[columns.frames])


def _stands_for(frame: Frame, group: str) -> Frame:
    if group == "function" or frame.kind in _NO_CODE:
        return frame
    if group == "line":
        file = f"{frame.file}:{frame.line}" if frame.line else frame.file
        return Frame(frame.function, file, 0, frame.binary, kind=frame.kind)
    name = {"file": frame.file, "binary": frame.binary, "kind": frame.kind.name.lower()}[group]
    return Frame(name or f"[no {group}]", kind=frame.kind)


def _matching(frames: Sequence[Frame], expression: str) -> list[bool]:
    """Each distinct text is matched once."""
    if not expression:
        return [False] * len(frames)
    field, pattern = _parsed(expression)
    texts = [
        frame.kind.name.lower() if field == "kind" else str(getattr(frame, field))
        for frame in frames
    ]
    found = {text: pattern.search(_utf8(text)) is not None for text in dict.fromkeys(texts)}
    return [found[text] for text in texts]


def _utf8(text: str) -> str:
    """Names of files may hold halves of surrogates, which RE2 does not take."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def check(expression: str) -> None:
    """Raises UsageError for one with a mistake."""
    if expression:
        _parsed(expression)


def _parsed(expression: str) -> tuple[str, "re2._Regexp"]:
    if len(expression.encode(errors="replace")) > MOST_BYTES:
        raise UsageError(f"an expression of more than {MOST_BYTES} bytes")
    match = _FIELD.match(expression)
    try:
        pattern = selector.compiled(expression[match.end() if match else 0 :])
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace")
        raise UsageError(f"not a regular expression (RE2): {reason}") from None
    return match[1] if match else "function", pattern


def _without_the_unused(profile: Profile, made: _Columns, frames: tuple[Frame, ...]) -> Profile:
    """Nodes that have samples, or others below them that have, and their frames."""
    has = ((made.samples != 0) | (made.values != 0)).astype(np.int64)
    nodes = np.flatnonzero(sums(has, made.parents, levels(made.parents)) > 0)
    nodes = np.union1d(nodes, [ROOT])
    number = np.zeros(len(made.parents), np.int32)
    number[nodes] = np.arange(len(nodes))
    parents = number[made.parents[nodes]]
    parents[ROOT] = -1
    used, node_frames = np.unique(made.frames[nodes[1:]], return_inverse=True)
    return replace(
        profile,
        frames=tuple(frames[frame] for frame in used.tolist()),
        parents=parents,
        node_frames=np.concatenate([[-1], node_frames]).astype(np.int32),
        samples=made.samples[nodes],
        values=made.values[nodes],
    )
