"""Numbers as a picture in the terminal: a column of blocks an entry, several lines high."""

from collections.abc import Sequence
from itertools import pairwise

_EIGHTHS = " ▁▂▃▄▅▆▇█"

SPARK_WIDTH = 90


def columns(numbers: Sequence[float], height: int) -> list[str]:
    """From the top line down, the largest number at the full height; 0 and less are blank."""
    most = max(numbers, default=0)
    eighths = [round(8 * height * number / most) if number > 0 else 0 for number in numbers]
    # What is there at all is seen.
    eighths = [
        max(one, 1) if number > 0 else 0 for one, number in zip(eighths, numbers, strict=True)
    ]
    return [
        "".join(_EIGHTHS[min(max(one - 8 * below, 0), 8)] for one in eighths)
        for below in range(height - 1, -1, -1)
    ]


def narrowed(numbers: Sequence[float], width: int) -> list[float]:
    """At most so many, each the mean of some that stand beside one another."""
    if len(numbers) <= width:
        return list(numbers)
    edges = [place * len(numbers) // width for place in range(width + 1)]
    return [sum(numbers[a:b]) / (b - a) for a, b in pairwise(edges)]


def place(index: int, length: int, width: int) -> int:
    """Where an entry stands once they are narrowed."""
    return index if length <= width else ((index + 1) * width - 1) // length
