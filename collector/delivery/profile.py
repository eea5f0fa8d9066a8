"""Merges drains into one profile and writes it as a file of a common format."""

from collections.abc import Callable

from profiler.analysis import tree
from profiler.model import Drain, Profile

PARTS = 64
"""Profiles kept apart until they are merged: a long recording needs no more memory for that."""


class ProfileExporter:
    """An Exporter that gives the one profile of all drains to `write` when it is closed."""

    def __init__(self, write: Callable[[Profile], None]) -> None:
        self._write = write
        self._parts: list[Profile] = []

    def export(self, drain: Drain) -> None:
        self._parts += drain.profiles
        if len(self._parts) > PARTS:
            self._parts = [tree.merge(self._parts)]

    def close(self) -> None:
        self._write(tree.merge(self._parts))
