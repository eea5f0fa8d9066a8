"""What a kernel program counted, before symbolization: addresses and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from collector.unwind.python.stacks import Entry
from profiler.model import CPU, ProfileType


@dataclass(frozen=True, slots=True)
class RawSample:
    """`count` samples of one thread name in one process with equal stacks.

    `user` and `kernel` are runtime addresses, and in `user` Python frames among them, leaf first,
    as the kernel program reports them; empty where the sample has no such part. `truncated` names
    why the stack does not reach its root, or lacks frames ("depth": the walk stopped at the deepest
    frame that the kernel records; see docs/architecture.md), "" where it is not known to be cut.
    `value` is what they add up to, where the drain has no period.
    `time_ns` is a time, on the monotonic clock, at which the process ran the program that was
    sampled, the same for all samples of that program in a drain; 0 where none is known.
    """

    pid: int
    thread_name: str
    user: tuple[Entry, ...]
    kernel: tuple[int, ...]
    count: int
    truncated: str = ""
    time_ns: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class RawDrain:
    """One drain: taken == sum(sample.count for sample in samples) + sum(losses.values()).

    `idle` counts the samples that fell on an idle CPU; they are not part of `taken`.
    `period` is the value of one sample in the unit of `type`, such as its CPU time; 0: each sample
    has its own. `lost_value` is that of `losses`, of off-CPU time alone, as far as it is known:

        time off CPUs == sum(sample.value for sample in samples) + lost_value

    `spent_ns` is what the kernel program
    itself took, on all CPUs together.
    """

    start_ns: int
    duration_ns: int
    period: int
    taken: int
    idle: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[RawSample, ...] = ()
    spent_ns: int = 0
    type: ProfileType = CPU
    lost_value: int = 0
