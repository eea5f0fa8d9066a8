"""What the program off_cpu.bpf.c counted: sleeps, the times that threads were off their CPUs.

A sleep that goes on at a drain is divided there: what it has lasted so far is a sample of this
drain, and the rest one of the drain in which it ends. So a thread that waits for an hour is seen to
do so, and no time is counted twice: the program tells those that end in another drain than they
began in one by one, and what was counted of them before is taken off.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from ctypes import sizeof
from typing import NamedTuple, Self

from collector.events import OffCpu
from collector.kernel import abi, cpus, grace, raw_tracepoint
from collector.kernel.program import OFF_CPU_EXEC, OFF_CPU_LOOK, Loaded
from collector.kernel.program_run import ProgramRun
from collector.kernel.sets import Contents, Sets, map_of
from collector.kernel.stacks import Key, WalkSaved, unwalked

NO_STACKS = {
    abi.NoStack.BELOW_MINIMUM: "below minimum",
    abi.NoStack.NOT_SAMPLED: "not sampled",
    abi.NoStack.NO_ROOM: "ring full",
}
"""What users read in place of a stack."""


_DIVISOR = (1).to_bytes(4, "little")
"""Its place in the map `active`."""


class _Sleep(NamedTuple):
    """One that goes on, or is told alone."""

    tid: int
    since_ns: int
    key: abi.CountKey


class Sleeps(Sets):
    """The maps of the program, from entry to exit."""

    def __init__(self, loaded: Loaded, event: OffCpu) -> None:
        super().__init__(loaded)
        self._minimum_ns = event.minimum_ns
        self._sleeps = event.sleeps
        self._look = ProgramRun(loaded.runs[OFF_CPU_LOOK])
        self._exec_fd = loaded.runs[OFF_CPU_EXEC]
        self.walk_one_in(1)
        self._sleeping = map_of(loaded.maps, abi.SLEEPING, 4, sizeof(abi.Sleep))
        self._spanning = [
            map_of(loaded.maps, name, sizeof(abi.SpanningKey), sizeof(abi.Count))
            for name in abi.SPANNING
        ]
        # What hashes stand for: those of the drain before, and of threads that still slept then.
        self._known: dict[int, Key] = {}
        self._slept: set[int] = set()
        # Up to when each sleep that goes on was counted, and those that went on a drain before.
        self._counted_ns: dict[tuple[int, int], int] = {}
        self._went_on: set[tuple[int, int]] = set()

    def __enter__(self) -> Self:
        self._open.callback(os.close, raw_tracepoint.attach(self._exec_fd))
        return super().__enter__()

    def walk_one_in(self, divisor: int) -> None:
        """From now on, of so many sleeps that are asked for, one has its stack walked."""
        self._active.update(_DIVISOR, (self._sleeps * divisor).to_bytes(4, "little"))

    def look(self) -> None:
        """Ends the sleeps of threads that run now and were not seen to come, so that they are not
        divided as if they went on."""
        for cpu in cpus.online():
            # It may just have gone offline. Before Linux 5.10, what is told beyond the end of such
            # a sleep is taken off what is lost, once the thread leaves.
            with suppress(OSError):
                self._look.on(cpu)

    def take_until(self, end_ns: int, walk: WalkSaved = unwalked) -> Contents:
        """As `take`, of a set that was active up to `end_ns` on the monotonic clock."""
        grace.wait()
        number = self._filled
        stacks = self._walked_stacks(number)
        new = {record.user_stack: key for record, key, _, _ in self._records(number, stacks, walk)}
        known = self._known | new
        counters = self._count(number)
        contents = Contents(counters, Counter(), Counter(), stacks.times_ns)
        for counted, count in self._counted(number):
            if count.samples:
                self._add(contents, _key(counted, known), count.samples, count.value)
        for sleep, ns in self._ended(number):
            self._end(contents, sleep, ns, known)
        going_on = list(self._going_on())
        for sleep in going_on:
            if sleep.since_ns < end_ns:
                self._divide(contents, sleep, end_ns, known)
        self._forget(contents, going_on, new)
        return contents

    def _add(self, contents: Contents, key: Key, samples: int, ns: int) -> None:
        contents.samples[key] += samples
        contents.values[key] += ns

    def _end(self, contents: Contents, sleep: _Sleep, ns: int, known: dict[int, Key]) -> None:
        key = _key(sleep.key, known)
        if ns < self._minimum_ns:
            key = _without_stack(sleep.key, abi.NoStack.BELOW_MINIMUM)
        counted_ns = self._counted_ns.pop((sleep.tid, sleep.since_ns), sleep.since_ns)
        before_ns = counted_ns - sleep.since_ns
        # Its end was not seen: this was told before, and the program counts it as lost.
        beyond_ns = max(0, before_ns - ns)
        contents.times_ns.setdefault((key.tgid, key.exec_id), sleep.since_ns)
        self._add(contents, key, 1, ns - before_ns + beyond_ns)
        contents.counters[abi.Counter.TAKEN_NS] -= before_ns
        contents.counters[abi.Counter.END_UNSEEN_NS] -= beyond_ns

    def _divide(
        self, contents: Contents, sleep: _Sleep, end_ns: int, known: dict[int, Key]
    ) -> None:
        if end_ns - sleep.since_ns < self._minimum_ns:
            return
        name = sleep.tid, sleep.since_ns
        key = _key(sleep.key, known)
        ns = end_ns - self._counted_ns.get(name, sleep.since_ns)
        contents.times_ns.setdefault((key.tgid, key.exec_id), sleep.since_ns)
        self._counted_ns[name] = end_ns
        self._add(contents, key, 1, ns)
        contents.counters[abi.Counter.TAKEN] += 1
        contents.counters[abi.Counter.TAKEN_NS] += ns

    def _forget(self, contents: Contents, going_on: list[_Sleep], new: dict[int, Key]) -> None:
        """A sleep that ended just after the swap is told in the next drain: what was there at the
        drain before is kept for one more."""
        names = {(sleep.tid, sleep.since_ns) for sleep in going_on}
        for name in self._counted_ns.keys() - names - self._went_on:
            # There was no room to tell its end: the program counted all of it as lost, and what was
            # counted before is not.
            before_ns = self._counted_ns.pop(name) - name[1]
            twice_ns = min(before_ns, contents.counters[abi.Counter.COUNTS_FULL_NS])
            contents.counters[abi.Counter.TAKEN_NS] -= twice_ns
            contents.counters[abi.Counter.COUNTS_FULL_NS] -= twice_ns
        self._went_on = names
        slept = {sleep.key.user_stack for sleep in going_on}
        kept = {
            hash_: key
            for hash_, key in self._known.items()
            if hash_ in slept or hash_ in self._slept
        }
        self._known, self._slept = kept | new, slept

    def _ended(self, number: int) -> Iterator[tuple[_Sleep, int]]:
        """Those that are told one by one, and how long each was."""
        for key, count in self._spanning[number].take_all():
            spanning = abi.SpanningKey.from_buffer_copy(key)
            ns = abi.Count.from_buffer_copy(count).value
            yield _Sleep(spanning.tid, spanning.since_ns, spanning.key), ns

    def _going_on(self) -> Iterator[_Sleep]:
        for tid, value in self._sleeping.items():
            sleep = abi.Sleep.from_buffer_copy(value)
            if sleep.since_ns:
                yield _Sleep(int.from_bytes(tid, "little"), sleep.since_ns, sleep.key)


def _key(counted: abi.CountKey, known: dict[int, Key]) -> Key:
    if counted.kernel_stack < abi.NO_STACK:
        return _without_stack(counted, abi.NoStack(counted.kernel_stack))
    walked = known.get(counted.user_stack)
    if walked is None:
        return Key(counted.tgid, 0, counted.comm, (), (), "missing")
    return walked._replace(tgid=counted.tgid, comm=counted.comm)


def _without_stack(counted: abi.CountKey, why: abi.NoStack) -> Key:
    return Key(counted.tgid, 0, counted.comm, (), (), NO_STACKS[why])
