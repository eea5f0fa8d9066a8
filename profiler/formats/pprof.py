"""pprof: the gzipped protobuf of `go tool pprof`, which most tools for profiles read.

    $ profiler export cpu --format pprof -o cpu.pb.gz && go tool pprof -top cpu.pb.gz

How a profile is written:

- Two numbers a sample, `samples` in `count` and the profile's type in its unit (`cpu` in
  `nanoseconds`), the last being what tools show first. Where several profiles are in a file, a
  sample has those of its own, and 0 for the others.
- A binary is a mapping over the whole address space, which tells tools that addresses are those
  of the file. The frames that were inlined into one, and that one, are the lines of one location.
- The thread's name is the sample label `thread` and no location; the labels of the series are
  sample labels as well.

Reading back knows these conventions and those of Go's and C++'s profilers. Kinds are told by
names: pprof has no place for them. Specification: https://github.com/google/pprof/tree/main/proto
"""

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from google.protobuf.message import DecodeError

from profiler.analysis import tree
from profiler.errors import FormatError
from profiler.formats import limits, packed
from profiler.formats.kinds import kind_of
from profiler.formats.pprof_pb import profile_pb2 as pb
from profiler.model import Frame, Kind, Profile, ProfileType

THREAD_LABEL = "thread"

MAX_SERIES = 10_000
"""Types, and sets of labels of samples, that are told apart."""

MAX_LABELS = 100
"""Of a sample."""

WHOLE_ADDRESS_SPACE = 2**64 - 1
"""The limit of a mapping from 0: pprof takes such addresses as already those of the file."""


def dumps(profile: Profile) -> bytes:
    """The profile as a gzipped Profile message; equal profiles give equal bytes."""
    return dumps_all([profile])


def dumps_all(profiles: Sequence[Profile]) -> bytes:
    """Profiles of different types in one message, two sample types each; tools show the first. Of
    one profile at least."""
    writer = _Writer(profiles)
    for profile in profiles:
        writer.begin(profile)
        samples, values = profile.samples.tolist(), profile.values.tolist()
        for node, stack in tree.paths(profile, range(len(profile.frames))):
            writer.add(stack, samples[node], values[node])
    return gzip.compress(writer.message.SerializeToString(deterministic=True), mtime=0)


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head`, unpacked, is one: with its first sample type."""
    return head.startswith(b"\x0a")


def loads(data: bytes) -> Profile:
    """The profile in a pprof file, gzipped or not.

    Its type is the file's default, or else the last; its samples are the nearest column before
    that whose unit is `count`, or 0 where there is none. Text labels that all samples share
    become the profile's labels, other labels are not kept. Raises FormatError.
    """
    return _read(data).profile()


def loads_all(data: bytes) -> list[Profile]:
    """A profile of every type in the file and every set of text labels that its samples have, the
    default type first. Raises FormatError, for more than MAX_SERIES of them too."""
    return _read(data).profiles()


def _read(data: bytes) -> "_Reader":
    message = pb.Profile()
    try:
        message.ParseFromString(packed.unpacked(data))
    except DecodeError as error:
        raise FormatError(f"not a pprof profile: {error}") from None
    return _Reader(message)


class _Writer:
    """The message, and the numbers of what it already holds."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._frames: Sequence[Frame] = ()
        self._texts = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._mappings: dict[tuple[str, str], int] = {}
        self._locations: dict[tuple[int, ...], int] = {}
        self._zeros = [0] * (2 * len(profiles))
        self._column = -2  # of the profile that is written: its samples, then its values
        self.message = message = pb.Profile(string_table=[""])
        for profile in profiles:
            samples = "samples" if len(profiles) == 1 else f"{profile.type.name}_samples"
            message.sample_type.add(type=self._text(samples), unit=self._text("count"))
            message.sample_type.add(**self._value_type(profile))
        first = profiles[0]
        if len(profiles) > 1:
            message.default_sample_type = self._text(first.type.name)
        message.period_type.CopyFrom(pb.ValueType(**self._value_type(first)))
        message.period = first.period
        message.time_nanos, message.duration_nanos = first.start_ns, first.duration_ns
        frames = (frame for profile in profiles for frame in profile.frames)
        for frame in sorted(frames, key=lambda frame: frame.kind is Kind.KERNEL):
            self._mapping(frame)  # tools take the first mapping for the program itself

    def begin(self, profile: Profile) -> None:
        """What is added from now on is of `profile`, the next of them."""
        self._frames = profile.frames
        self._locations = {}  # by numbers of its frames
        self._labels = [self._label(name, value) for name, value in profile.labels]
        self._column += 2

    def _value_type(self, profile: Profile) -> dict[str, int]:
        return {"type": self._text(profile.type.name), "unit": self._text(profile.type.unit)}

    def add(self, stack: Sequence[int], samples: int, value: int) -> None:
        """Adds a stack of frame numbers, root first."""
        labels = self._labels
        if stack and self._frames[stack[0]].kind is Kind.THREAD:
            labels = [self._label(THREAD_LABEL, self._frames[stack[0]].function), *labels]
            stack = stack[1:]
        locations = [self._location(group) for group in self._calls(stack)]
        locations.reverse()
        row = self._zeros.copy()
        row[self._column : self._column + 2] = samples, value
        self.message.sample.add(location_id=locations, value=row, label=labels)

    def _calls(self, stack: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """The stack by physical frames, each with the frames that were inlined into it."""
        group: tuple[int, ...] = ()
        for number in stack:
            if group and not self._frames[number].inlined:
                yield group
                group = ()
            group += (number,)
        if group:
            yield group

    def _location(self, group: tuple[int, ...]) -> int:
        known = self._locations.get(group)
        if known is None:
            known = self._locations[group] = len(self.message.location) + 1
            outer = self._frames[group[0]]
            self.message.location.add(
                id=known,
                mapping_id=self._mapping(outer),
                address=outer.address,
                line=[self._line(self._frames[number]) for number in reversed(group)],
            )
        return known

    def _line(self, frame: Frame) -> pb.Line:
        key = (frame.function, frame.file)
        if key not in self._functions:
            self._functions[key] = len(self._functions) + 1
            self.message.function.add(
                id=self._functions[key],
                name=self._text(frame.function),
                system_name=self._text(frame.function),
                filename=self._text(frame.file),
            )
        return pb.Line(function_id=self._functions[key], line=frame.line)

    def _mapping(self, frame: Frame) -> int:
        key = (frame.binary, frame.build_id)
        if key == ("", ""):
            return 0
        if key not in self._mappings:
            self._mappings[key] = len(self._mappings) + 1
            self.message.mapping.add(
                id=self._mappings[key],
                memory_limit=WHOLE_ADDRESS_SPACE,
                filename=self._text(frame.binary),
                build_id=self._text(frame.build_id),
                has_functions=True,
                has_filenames=True,
                has_line_numbers=True,
                has_inline_frames=True,
            )
        return self._mappings[key]

    def _label(self, name: str, value: str) -> pb.Label:
        return pb.Label(key=self._text(name), str=self._text(value))

    def _text(self, text: str) -> int:
        number = self._texts.setdefault(text, len(self._texts))
        if number == len(self.message.string_table):
            self.message.string_table.append(text.encode("utf-8", "backslashreplace").decode())
        return number


class _Reader:
    """A message whose numbers are looked up with names for what does not exist."""

    def __init__(self, message: pb.Profile) -> None:
        self._message = message
        self._texts: dict[int, str] = {}
        lines = sum(max(1, len(location.line)) for location in message.location)
        if lines > limits.MAX_NODES:
            raise FormatError(f"{lines:,} lines in all locations, more than {limits.MAX_NODES:,}")
        self._functions = {function.id: function for function in message.function}
        self._mappings = {mapping.id: mapping for mapping in message.mapping}
        self._locations = {location.id: self._frames(location) for location in message.location}
        self._types = [self._type(value_type) for value_type in message.sample_type]
        if not self._types:
            raise FormatError("a pprof profile without sample types")
        for number, sample in enumerate(message.sample):
            if len(sample.value) != len(self._types):
                raise FormatError(
                    f"sample {number}: {len(sample.value)} values "
                    f"for {len(self._types)} sample types"
                )

    def profile(self) -> Profile:
        column = self._default()
        counts = self._counts(column)
        builder = limits.BoundedBuilder()
        shared: frozenset[tuple[str, str]] | None = None
        for sample in self._message.sample:
            stack, labels = self._stack_and_labels(sample)
            builder.add_bounded(stack, *counts(sample))
            shared = labels if shared is None else shared & labels
        return replace(builder.build(), **self._about(column), labels=tuple(sorted(shared or ())))

    def profiles(self) -> list[Profile]:
        of_labels: defaultdict[frozenset[tuple[str, str]], list[pb.Sample]] = defaultdict(list)
        for sample in self._message.sample:
            of_labels[self._stack_and_labels(sample)[1]].append(sample)
            if len(of_labels) > MAX_SERIES:
                raise FormatError(f"more than {MAX_SERIES:,} sets of labels")
        builder, profiles = limits.BoundedBuilder(), []
        for column in self._own_columns():
            about, counts_of = self._about(column), self._counts(column)
            for labels, samples in of_labels.items():
                for sample in samples:
                    counts = counts_of(sample)
                    if any(counts):
                        builder.add_bounded(self._stack_and_labels(sample)[0], *counts)
                profile = replace(builder.take(), **about, labels=tuple(sorted(labels)))
                if profile.total_samples or profile.total_value:
                    profiles.append(profile)
        return profiles or [self.profile()]

    def _about(self, column: int) -> dict[str, Any]:
        message, type = self._message, self._types[column]
        fits = message.period > 0 and self._type(message.period_type) == type
        start_ns = min(max(message.time_nanos, 0), limits.MAX_TIME_NS)
        return {
            "type": type,
            "period": message.period if fits else 0,
            "start_ns": start_ns,
            "duration_ns": min(max(message.duration_nanos, 0), limits.MAX_TIME_NS - start_ns),
        }

    def _default(self) -> int:
        """The column that tools show first."""
        default = self._text(self._message.default_sample_type)
        names = [type.name for type in self._types]
        return names.index(default) if default in names else len(names) - 1

    def _own_columns(self) -> list[int]:
        """Those that do not count the samples of the next one; the default first."""
        default, last = self._default(), len(self._types) - 1
        own = [column for column in range(last) if not _counts_samples(self._types[column])]
        return [default, *(column for column in (*own, last) if column != default)]

    def _counts(self, column: int) -> Callable[[pb.Sample], tuple[int, int]]:
        """The samples and the value of a column. Where the one before does not count samples, the
        nearest count does."""
        if column and _counts_samples(self._types[column - 1]):
            number: int | None = column - 1
        else:
            columns = [at for at in range(column + 1) if self._types[at].unit == "count"]
            number = columns[-1] if columns else None
        return lambda sample: (0 if number is None else sample.value[number], sample.value[column])

    def _stack_and_labels(
        self, sample: pb.Sample
    ) -> tuple[list[Frame], frozenset[tuple[str, str]]]:
        """The name of the thread is the first frame of the stack and no label."""
        labels = {self._text(label.key): self._text(label.str) for label in sample.label}
        if len(labels) > MAX_LABELS:
            raise FormatError(f"a sample with {len(labels):,} labels, more than {MAX_LABELS}")
        stack = self._stack(sample, labels.pop(THREAD_LABEL, ""))
        return stack, frozenset(pair for pair in labels.items() if all(pair))

    def _stack(self, sample: pb.Sample, thread: str) -> list[Frame]:
        if len(sample.location_id) > limits.MAX_DEPTH:
            raise FormatError(f"a stack of more than {limits.MAX_DEPTH:,} locations")
        stack = [Frame(thread, kind=Kind.THREAD)] if thread else []
        for number in reversed(sample.location_id):
            if number not in self._locations:
                raise FormatError(f"a sample at location {number}, which the profile does not have")
            stack += self._locations[number]
            if len(stack) > limits.MAX_DEPTH:
                raise FormatError(f"a stack of more than {limits.MAX_DEPTH:,} frames")
        return stack

    def _frames(self, location: pb.Location) -> list[Frame]:
        """The frames of a location, outermost first; all but that are inlined."""
        binary, build_id = self._binary(location)
        if not location.line:
            name = f"[unknown] {PurePosixPath(binary).name}+{location.address:#x}"
            return [Frame(name, "", 0, binary, build_id, location.address, kind_of("", "", binary))]
        frames: list[Frame] = []
        for line in reversed(location.line):
            function = self._functions.get(line.function_id)
            if function is None:
                raise FormatError(f"location {location.id}: no function {line.function_id}")
            name = self._text(function.name) or self._text(function.system_name) or "[unknown]"
            file = self._text(function.filename)
            kind, number = kind_of(name, file, binary), limits.line(line.line)
            address = 0 if frames else location.address
            frames.append(
                Frame(name, file, number, binary, build_id, address, kind, inlined=bool(frames))
            )
        return frames

    def _binary(self, location: pb.Location) -> tuple[str, str]:
        if not location.mapping_id:
            return "", ""
        mapping = self._mappings.get(location.mapping_id)
        if mapping is None:
            raise FormatError(f"location {location.id}: no mapping {location.mapping_id}")
        return self._text(mapping.filename), self._text(mapping.build_id)

    def _type(self, value_type: pb.ValueType) -> ProfileType:
        return ProfileType(self._text(value_type.type), self._text(value_type.unit))

    def _text(self, number: int) -> str:
        """A text of the table, which makes a new one each time: thousands may share a long one."""
        text = "" if number == 0 else self._texts.get(number)
        if text is None:
            table = self._message.string_table
            if not 0 <= number < len(table):
                raise FormatError(f"string {number} of a table of {len(table)}")
            text = self._texts[number] = limits.name(table[number])
        return text


def _counts_samples(type: ProfileType) -> bool:
    """`samples`, or `off_cpu_samples` before `off_cpu`."""
    return type.unit == "count" and (type.name == "samples" or type.name.endswith("_samples"))
