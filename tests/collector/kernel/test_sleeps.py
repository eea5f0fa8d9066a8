"""Off-CPU time on the running kernel: its sum closes to the nanosecond, with what is lost."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.kernel import abi
from collector.kernel.abi import Counter
from collector.kernel.program import Sizes
from collector.kernel.raw import RawSamples, Record
from collector.kernel.sampler import Sampler
from collector.kernel.sets import Contents
from collector.kernel.sleeps import Sleeps
from tests.collector.kernel.conftest import Start
from tests.collector.kernel.test_events import MS, SLEEPS, counted, tell
from tests.collector.kernel.test_sampler import closes, held

pytestmark = pytest.mark.kernel


def sleeps_of(sampler: Sampler) -> Sleeps:
    assert isinstance(sampler._sets, Sleeps)
    return sampler._sets


def drained(sleeps: Sleeps) -> Contents:
    """What Sampler.drain makes a drain of, with the time that the program counted."""
    end_ns = time.monotonic_ns()
    sleeps.look()
    sleeps.swap()
    return sleeps.take_until(end_ns)


def closes_to_the_nanosecond(contents: Contents) -> bool:
    counters = contents.counters
    lost = sum(counters[cause] for cause in abi.LOSSES)
    lost_ns = counters[Counter.COUNTS_FULL_NS] + counters[Counter.END_UNSEEN_NS]
    return (counters[Counter.TAKEN], counters[Counter.TAKEN_NS]) == (
        contents.samples.total() + lost,
        contents.values.total() + lost_ns,
    )


@contextmanager
def in_one_go() -> Iterator[None]:
    """Nothing takes the CPU from this thread."""
    usual = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    yield
    os.sched_setscheduler(0, *usual)


@pytest.mark.parametrize("leaves", [True, False], ids=["it leaves", "a drain"])
def test_a_thread_that_was_not_seen_to_come_slept_until_the_switch_before(leaves: bool) -> None:
    """As the kernel leaves it where it does not tell that this thread comes: its entry says that it
    still sleeps. It is found out when it leaves, or at a drain."""
    with in_one_go(), Sampler(event="off-cpu", target=[os.getpid()]) as sampler:
        sleeps = sleeps_of(sampler)
        time.sleep(0.01)  # there is a switch before
        since_ns = time.monotonic_ns() - 1000 * MS
        key = abi.CountKey(os.getpid(), abi.NoStack.NOT_SAMPLED, 0, b"unseen")
        entry = abi.Sleep(key, drain=sleeps._drain, since_ns=since_ns)
        sleeps._sleeping.update(threading.get_native_id().to_bytes(4, "little"), bytes(entry))
        came_ns = time.monotonic_ns()
        if leaves:
            time.sleep(0.001)
        drains = [drained(sleeps), drained(sleeps)]
    assert all(closes_to_the_nanosecond(drain) for drain in drains)
    assert drains[0].counters[Counter.END_UNSEEN] >= 1
    assert drains[0].counters[Counter.END_UNSEEN_NS] > 0
    (unseen,) = (key for key in drains[0].samples if key.comm == b"unseen")
    assert drains[0].samples[unseen] == 1
    assert 0 < drains[0].values[unseen] <= came_ns - since_ns
    assert unseen not in drains[1].samples


@pytest.mark.parametrize("counts", [16_384, 8], ids=["roomy", "full"])
def test_off_cpu_time_closes_over_many_fast_drains(counts: int, start: Start) -> None:
    start("sleepers"), start("stacks")
    sizes = Sizes(stacks=1024, counts=counts, ring_bytes=4 << 20)
    with Sampler(event="off-cpu", sizes=sizes) as sampler:
        drains = []
        end = time.monotonic() + 2
        while time.monotonic() < end:
            drains.append(drained(sleeps_of(sampler)))
    assert all(closes_to_the_nanosecond(drain) for drain in drains)
    lost = [sum(drain.counters[cause] for drain in drains) for cause in abi.LOSSES]
    causes = {cause for cause, number in zip(abi.LOSSES, lost, strict=True) if number}
    # Which switches are told is this kernel's affair.
    assert causes - {Counter.END_UNSEEN} == ({Counter.COUNTS_FULL} if counts == 8 else set())
    assert all(value >= 0 for drain in drains for value in drain.values.values())
    assert all(number >= 0 for drain in drains for number in drain.counters.values())
    assert not any(key.truncated == "missing" for drain in drains for key in drain.samples)


def test_nothing_is_left_of_threads_that_executed_a_program(build: Callable[[str], Path]) -> None:
    """The kernel gives such a thread the number of its process's first one, and tells no end of
    what it was before: 100 of them would be entries that nothing removes."""
    program = build("thread_exec")
    with Sampler(event="off-cpu") as sampler:
        sleeps = sleeps_of(sampler)
        begun_ns = time.monotonic_ns()
        with subprocess.Popen([program, "100"]) as process:
            drains = []
            while process.poll() is None:
                time.sleep(0.05)
                drains.append(drained(sleeps))
        lived_ns = time.monotonic_ns() - begun_ns
        drains.append(drained(sleeps))
        entries = [abi.Sleep.from_buffer_copy(value) for _, value in sleeps._sleeping.items()]
    assert process.returncode == 0
    assert not [entry for entry in entries if entry.key.tgid == process.pid]
    assert all(closes_to_the_nanosecond(drain) for drain in drains)
    slept = [
        (drain.samples[key], value)
        for drain in drains
        for key, value in drain.values.items()
        if key.tgid == process.pid
    ]
    assert sum(samples for samples, _ in slept) >= 2 * 100  # the pause, and the millisecond
    assert 100 * MS < sum(ns for _, ns in slept) < 2 * lived_ns  # two threads at a time


def test_no_more_stacks_are_sent_than_have_room_for_a_count(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a long drain of a crowded node would fill the collector's memory with them."""
    sent: list[int] = []
    take = RawSamples.take

    def counting(self: RawSamples, number: int) -> list[tuple[Record, int, int]]:
        records = take(self, number)
        sent.append(len(records))
        return records

    monkeypatch.setattr(RawSamples, "take", counting)
    start("sleepers"), start("stacks")
    sizes = Sizes(stacks=1024, counts=8, ring_bytes=4 << 20)
    with Sampler(event="off-cpu", sizes=sizes) as sampler:
        time.sleep(1)
        drain = drained(sleeps_of(sampler))
    assert closes_to_the_nanosecond(drain)
    assert drain.counters[Counter.COUNTS_FULL] > 8
    assert 0 < max(sent) <= 8


def test_a_sleep_that_goes_on_is_divided_between_the_drains() -> None:
    with subprocess.Popen(["sleep", "30"]) as process:
        until_asleep(process.pid)
        with Sampler(event="off-cpu", target=[process.pid]) as sampler:
            process.send_signal(19)  # SIGSTOP: it wakes, and is off its CPU again
            time.sleep(0.3)
            first = sampler.drain()
            time.sleep(0.3)
            second = sampler.drain()
            process.kill()
            process.wait()
            sampler.stop()
            last = sampler.drain()
    values = [sum(each.value for each in drain.samples) for drain in (first, second, last)]
    assert all(closes(drain) for drain in (first, second, last))
    assert held(second) == 1
    assert values[1] == pytest.approx(second.duration_ns, rel=0.02)
    assert values[0] <= first.duration_ns
    assert values[2] <= last.duration_ns


def until_asleep(pid: int) -> None:
    while "hrtimer" not in Path(f"/proc/{pid}/stack").read_text():
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("terms", "cause"), [("min=100ms", "below minimum"), ("sample=1000000", "not sampled")]
)
def test_sleeps_without_a_stack_have_their_time_all_the_same(
    terms: str, cause: str, build: Callable[[str], Path]
) -> None:
    with (
        counted(build("counted")) as process,
        Sampler(event=f"off-cpu/{terms}/", target=[process.pid]) as sampler,
    ):
        tell(process)
        sampler.stop()
        drain = sampler.drain()
    assert closes(drain)
    short = [each for each in drain.samples if each.truncated == cause]
    assert sum(each.count for each in short) >= SLEEPS
    assert sum(each.value for each in short) >= SLEEPS * MS
    assert not any(each.user or each.kernel for each in short)
