"""Merges drains into a profile of each type, to be written as files of a common format."""

from collections.abc import Callable, Sequence

from profiler.analysis import tree
from profiler.model import Drain, Profile, ProfileBuilder, ProfileType

PARTS = 64
"""Profiles kept apart until they are merged: a long recording needs no more memory for that."""


class ProfileExporter:
    """An Exporter that gives the profiles of all drains, one of each type in the order of the first
    drain's, to `write` when it is closed."""

    def __init__(self, write: Callable[[Sequence[Profile]], None]) -> None:
        self._write = write
        self._parts: dict[ProfileType, list[Profile]] = {}

    def export(self, drain: Drain) -> None:
        parts = self._parts.setdefault(drain.type, [])
        parts += drain.profiles
        if len(parts) > PARTS:
            self._parts[drain.type] = [tree.merge(parts)]

    def close(self) -> None:
        self._write([_merged(parts, type) for type, parts in self._parts.items()])


def _merged(parts: Sequence[Profile], type: ProfileType) -> Profile:
    return tree.merge(parts) if parts else ProfileBuilder().build(type)
