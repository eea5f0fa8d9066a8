"""What counts as one function: frames that differ only in line, address, build or inlining."""

from collections.abc import Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from profiler.model import Frame, Kind

FunctionKey = tuple[str, str, str, Kind]
"""Function, file, binary, kind."""

key = attrgetter("function", "file", "binary", "kind")
"""What the frames of one function have in common."""


def by_function(frames: Sequence[Frame]) -> tuple[list[FunctionKey], NDArray[np.int32]]:
    """The functions in order of first appearance, and the function of each frame."""
    numbers: dict[FunctionKey, int] = {}
    function_of = [numbers.setdefault(key(frame), len(numbers)) for frame in frames]
    return list(numbers), np.array(function_of, np.int32)
