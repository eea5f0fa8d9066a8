"""Which CPUs have an event, and what the kernel's refusals mean."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from collector.kernel import cpus, perf_event
from collector.kernel.loader import load
from collector.kernel.perf_event import CPU_CLOCK, CYCLES, Events
from collector.kernel.sets import Sets
from profiler.errors import PrivilegeError, ProfilerError, UsageError
from tests.collector.kernel.conftest import Start


@pytest.fixture
def sampling() -> Iterator[tuple[Events, Sets]]:
    with (
        load("auto") as loaded,
        Sets(loaded) as sets,
        Events(loaded.program_fd, CPU_CLOCK, 999) as events,
    ):
        yield events, sets


@pytest.mark.kernel
def test_cpus_that_come_and_go_are_followed(sampling: tuple[Events, Sets], start: Start) -> None:
    online = cpus.online()
    if len(online) < 2:
        pytest.skip("one CPU: none can come or go")
    events, sets = sampling
    processes = {cpu: start("split").pid for cpu in online[:2]}
    for cpu, pid in processes.items():
        os.sched_setaffinity(pid, [cpu])
    events.enable()
    first, second = processes
    for followed in ([first], [first, second], [second]):
        events.follow_cpus(followed)
        sets.swap()
        sets.take()
        time.sleep(0.2)
        sets.swap()
        seen = {key.tgid for key in sets.take().samples} & set(processes.values())
        assert seen == {processes[cpu] for cpu in followed}


@pytest.mark.kernel
def test_an_event_that_ended_while_nobody_looked_is_opened_again(
    sampling: tuple[Events, Sets], start: Start
) -> None:
    """As that of a CPU which went offline and came back between two drains: it counts no more."""
    events, sets = sampling
    cpu = cpus.online()[-1]
    pid = start("split").pid
    os.sched_setaffinity(pid, [cpu])
    events.enable()
    for _ in range(2):
        events.follow_cpus([cpu])
    fcntl.ioctl(events._fds[cpu], perf_event.DISABLE, 0)
    for _ in range(2):
        events.follow_cpus([cpu])
    sets.swap()
    sets.take()
    time.sleep(0.2)
    sets.swap()
    assert pid in {key.tgid for key in sets.take().samples}


@pytest.mark.kernel
def test_a_counter_of_some_cpus_is_opened_on_those() -> None:
    """As on a machine with two kinds of cores."""
    online = cpus.online()
    some = replace(CPU_CLOCK, cpus=frozenset(online[-1:]))
    with load("auto") as loaded, Events(loaded.program_fd, some, 99) as events:
        for _ in range(2):
            events.enable()
            events.follow_cpus(online)
            assert set(events._fds) == set(online[-1:])


@pytest.mark.kernel
def test_the_clock_is_cycles_where_the_machine_has_them() -> None:
    expected = CYCLES if perf_event.available(CYCLES, 99) else CPU_CLOCK
    assert perf_event.clock(99) == expected


@pytest.mark.kernel
def test_a_frequency_above_the_kernels_limit_names_the_limit() -> None:
    limit = int(perf_event._MAX_RATE.read_text())
    with pytest.raises(UsageError, match=f"perf_event_max_sample_rate = {limit}: choose a lower"):
        perf_event.available(CPU_CLOCK, limit + 1)


@pytest.mark.parametrize(
    ("number", "kind", "named"),
    [
        (errno.EACCES, PrivilegeError, "CAP_BPF and CAP_PERFMON"),
        (errno.EPERM, PrivilegeError, "CAP_BPF and CAP_PERFMON"),
        (errno.EMFILE, ProfilerError, "ulimit -n"),
        (errno.ENOSYS, ProfilerError, "no cpu-clock event at 99 Hz: Function not implemented"),
    ],
)
def test_a_refused_event_is_explained(number: int, kind: type[Exception], named: str) -> None:
    explained = perf_event.explained(OSError(number, os.strerror(number)), CPU_CLOCK, 99)
    assert type(explained) is kind
    assert named in str(explained)
