"""The profiles of one drain, as its samples find their names.

    profiles = Profiles(labeller.labels, period, look_at, forest, sightings)
    profiles.add(sample)
    forest.take(...)

A stack has some 30 frames, and all but the last few were in another one. So the tree of a profile
is grown by the entries of the stacks, one look-up each; frames are asked for where a stack leaves
what has grown so far.
"""

from collections.abc import Callable, Mapping

from collector.processes.cache import Process
from collector.processes.text import printable
from collector.pyspy.placement import Sample, Sighting, place, runs_python
from collector.sources.raw import RawSample
from collector.symbols.addresses import Memo
from collector.symbols.counters import Counters
from collector.symbols.forest import Forest, Tree
from collector.unwind.python.stacks import Entry
from profiler.model import Labels, ProfileBuilder

Label = Callable[[Process, str], Labels | None]
"""The labels of a process and of its thread of that name; None where they are not wanted."""

LookAt = Callable[[int, int], tuple[Process, Memo[Entry]]]
"""A process by its pid and a time, and the frames of its stacks' entries."""


class Profiles:
    """`sightings` are what py-spy saw of processes, by pid: `place_sighted` puts its stacks in
    place of theirs, once all samples are added. `excluded` counts the samples that `label` does not
    want."""

    def __init__(
        self,
        label: Label,
        period: int,
        look_at: LookAt,
        forest: Forest,
        sightings: Mapping[int, Sighting],
    ) -> None:
        self.excluded = 0
        self._label = label
        self._period = period
        self._look_at = look_at
        self._forest = forest
        self._sightings = sightings
        self._sighted: dict[int, tuple[Process, ProfileBuilder]] = {}
        self._programs: dict[tuple[int, int], tuple[Process, Memo[Entry]]] = {}
        self._trees: dict[tuple[int, int, str, str], Tree | None] = {}

    def add(self, sample: RawSample) -> None:
        key = sample.pid, sample.time_ns, sample.thread_name, sample.truncated
        if key not in self._trees:
            self._trees[key] = self._tree(sample)
        tree = self._trees[key]
        if tree is None:
            self.excluded += sample.count
        else:
            tree.add(sample, sample.count * self._period or sample.value)

    def place_sighted(self, duration_ns: int, counters: Counters) -> None:
        for pid, (process, builder) in self._sighted.items():
            stacks = builder.build().stacks()
            samples = [Sample(frames[0].function, frames, count) for frames, count, _ in stacks]
            of_python = [sample for sample in samples if runs_python(sample.frames)]
            room = self._sightings[pid].room(duration_ns, self._period)
            for sample in place(of_python, self._sightings[pid], room):
                counters.spied["python" if sample.spied else "native"] += sample.count
                self._put(process, sample)
            for sample in samples:
                if not runs_python(sample.frames):
                    self._put(process, sample)

    def _put(self, process: Process, sample: Sample) -> None:
        labels = self._label(process, sample.thread)
        if labels is None:
            self.excluded += sample.count
        else:
            builder = self._forest.builder(labels)
            builder.add(sample.frames, sample.count, sample.count * self._period)

    def _tree(self, sample: RawSample) -> Tree | None:
        """None for samples that are not wanted."""
        program = sample.pid, sample.time_ns
        if program not in self._programs:
            self._programs[program] = self._look_at(*program)
        process, user = self._programs[program]
        thread = printable(sample.thread_name)
        labels = self._label(process, thread)
        if labels is None:
            return None
        if sample.pid not in self._sightings:
            return self._forest.tree(labels, sample.pid, thread, sample.truncated, user)
        _, builder = self._sighted.get(sample.pid) or (process, ProfileBuilder())
        self._sighted[sample.pid] = process, builder
        return Tree(builder, thread, sample.truncated, user, self._forest.kernel)
