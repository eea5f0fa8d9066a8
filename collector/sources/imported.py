"""Drains of what somebody else recorded: a file of any format as a server takes it in.

A recording of our own keeps its drains and their accounts. Of all other files, what they hold of a
type is one drain, of which nothing is known to be lost.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO

from profiler import wire
from profiler.analysis import tree
from profiler.formats import files, packed, recording
from profiler.formats.lines import Mistakes
from profiler.model import Drain, Labels, Profile, ProfileType

HOST = "host_name"


@dataclass(frozen=True, slots=True)
class Imports:
    """What the files do not say. `labels` stand in place of theirs, `usual` where they have none;
    `time_ns` is for those without a time."""

    labels: Mapping[str, str]
    usual: Mapping[str, str]
    time_ns: int

    def drains(self, file: IO[bytes], mistakes: Mistakes | None) -> Iterator[Drain]:
        """Raises FormatError as `files.load` does."""
        opened = packed.opened(file)
        if recording.recognises(opened.peek(files.HEAD_BYTES)):
            for batch in wire.read_batches(opened):
                drain = wire.decode(batch)
                yield replace(drain, profiles=self._series(drain.profiles, drain.type))
            return
        of_type: defaultdict[ProfileType, list[Profile]] = defaultdict(list)
        for profile in files.load(opened, mistakes):
            of_type[recording.type_of(profile)].append(profile)
        for type, profiles in of_type.items():
            yield self._drain(type, self._series(profiles, type))

    def _drain(self, type: ProfileType, series: tuple[Profile, ...]) -> Drain:
        return Drain(
            host_name=dict(series[0].labels)[HOST],
            start_ns=series[0].start_ns or self.time_ns,
            duration_ns=series[0].duration_ns,
            taken=sum(profile.total_samples for profile in series),
            profiles=series,
            type=type,
        )

    def _series(self, profiles: Iterable[Profile], type: ProfileType) -> tuple[Profile, ...]:
        """One of each set of labels, as they are called here."""
        parts: defaultdict[Labels, list[Profile]] = defaultdict(list)
        for profile in profiles:
            parts[self._labels(profile)].append(replace(profile, type=type))
        return tuple(replace(tree.merge(of), labels=labels) for labels, of in parts.items())

    def _labels(self, profile: Profile) -> Labels:
        own = dict(recording.labels_of(profile))
        return tuple(sorted({**self.usual, **own, **self.labels}.items()))
