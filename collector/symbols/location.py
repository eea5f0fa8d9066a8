"""What is known of an address in one file, and who may know it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Location:
    """`function` is mangled; `start` is the address of its first instruction, 0 for one that was
    inlined, which has none of its own."""

    function: str
    file: str
    line: int
    start: int


class Names(Protocol):
    """Names for virtual addresses; `size` is what they take in bytes, as page cache."""

    size: int

    def lookup(self, address: int) -> Sequence[Location]:
        """Outermost first, the inlined calls after the function that they were put into; empty
        where nothing is known. Never raises."""
        ...
