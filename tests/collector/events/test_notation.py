"""What people type for perf, read as events; and what is refused, by name and with what to do."""

import pytest

from collector.events import (
    AnyClock,
    Event,
    OffCpu,
    Pmu,
    Tracepoint,
    Uprobe,
    Wall,
    parse,
    parse_all,
)
from collector.kernel.perf_event import EXCLUDE_KERNEL, EXCLUDE_USER, Counter
from profiler.errors import UsageError
from profiler.model import CPU, ProfileType


def one(text: str) -> Event:
    (event,) = parse(text, frequency_hz=99)
    return event


def count(name: str) -> ProfileType:
    return ProfileType(name, "count")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu", Event("cpu", CPU, AnyClock(), 99)),
        ("cpu/freq=199/", Event("cpu", CPU, AnyClock(), 199)),
        ("cpu-clock", Event("cpu-clock", CPU, Counter("cpu-clock", 1, 0), 99)),
        (
            "task-clock/period=1000000/",
            Event("task-clock", CPU, Counter("task-clock", 1, 1), 0, 1_000_000),
        ),
        (
            "page-faults",
            Event("page-faults", count("page_faults"), Counter("page-faults", 1, 2), 99),
        ),
        ("faults", Event("faults", count("page_faults"), Counter("page-faults", 1, 2), 99)),
        (
            "cs/period=1/",
            Event("cs", count("context_switches"), Counter("context-switches", 1, 3), 0, 1),
        ),
        (
            "cycles:u",
            Event("cycles", count("cycles"), Counter("cycles", 0, 0, EXCLUDE_KERNEL), 99),
        ),
        (
            "cache-misses/freq=19/k",
            Event(
                "cache-misses",
                count("cache_misses"),
                Counter("cache-misses", 0, 3, EXCLUDE_USER),
                19,
            ),
        ),
        (
            "LLC-load-misses",
            Event(
                "LLC-load-misses",
                count("LLC_load_misses"),
                Counter("LLC-load-misses", 3, 2 | 1 << 16),
                99,
            ),
        ),
        (
            "cpu/event=0xc0,umask=1,period=1000/u",
            Event(
                "cpu/event=0xc0,umask=1/",
                count("cpu_event_0xc0_umask_1"),
                Pmu("cpu", (("event", 0xC0), ("umask", 1)), EXCLUDE_KERNEL),
                0,
                1000,
            ),
        ),
        (
            "cpu_core/cache-misses,name=misses/",
            Event(
                "cpu_core/cache-misses/",
                count("misses"),
                Pmu("cpu_core", (("cache-misses", None),)),
                99,
            ),
        ),
        ("r01a8", Event("r01a8", count("r01a8"), Counter("r01a8", 4, 0x1A8), 99)),
        (
            "sched:sched_switch",
            Event(
                "sched:sched_switch",
                count("sched_sched_switch"),
                Tracepoint("sched", "sched_switch"),
            ),
        ),
        (
            "syscalls:sys_enter_read/period=100,name=reads/",
            Event(
                "syscalls:sys_enter_read",
                count("reads"),
                Tracepoint("syscalls", "sys_enter_read"),
                0,
                100,
            ),
        ),
        (
            "uprobe:/usr/lib/libc.so.6:malloc+0x10/period=7/",
            Event(
                "uprobe:/usr/lib/libc.so.6:malloc+0x10",
                count("probe_libc_malloc_10"),
                Uprobe("/usr/lib/libc.so.6", "malloc", 16),
                0,
                7,
            ),
        ),
        (
            "uprobe:/a:f+010",
            Event("uprobe:/a:f+010", count("probe_a_f_a"), Uprobe("/a", "f", 10), 0, 1),
        ),
        (
            "off-cpu/min=1ms,sample=10/",
            Event("off-cpu", ProfileType("off_cpu", "nanoseconds"), OffCpu(1_000_000, 10), 99),
        ),
        ("wall", Event("wall", ProfileType("wall", "nanoseconds"), Wall(OffCpu()), 99)),
    ],
)
def test_an_event_is_read(text: str, expected: Event) -> None:
    assert one(text) == expected


def test_several_stand_in_one_list_or_in_several() -> None:
    lists = ["cpu,page-faults:u/period=5/", "uprobe:/bin/ab:f,off-cpu/min=1ms,sample=2/,cs"]
    names = [event.type.name for event in parse_all(lists, frequency_hz=99)]
    assert names == ["cpu", "page_faults", "probe_ab_f", "off_cpu", "context_switches"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brunches", "no event 'brunches'; did you mean branches"),
        ("", "no event: expected cpu, off-cpu, page-faults"),
        ("cpu,,cs", "expected NAME, NAME:MODIFIER or NAME/TERM=VALUE,…/"),
        ("kprobe:do_sys_open", "kernel functions and returns are not probed; tracepoints"),
        ("uprobe:malloc", "expected uprobe:/FILE:SYMBOL"),
        ("page-faults:x", "no modifier 'x'; u is user mode alone, k kernel mode alone"),
        ("off-cpu:u", "event off-cpu takes no modifier"),
        ("sched:sched_switch/freq=9/", "comes by period, not by frequency"),
        ("cs/freq=9,period=9/", "freq or period, not both"),
        ("cs/min=1ms/", "event cs has no term min: there are freq, period, name"),
        ("cs/half/", "event cs has no term half: there are freq, period, name"),
        ("cs/period/", "period='': expected a number from 1 on"),
        ("cpu/event=many/", "event cpu/event=many/: expected event=NUMBER, got 'many'"),
        ("cpu/../", "event cpu/../: expected ..=NUMBER"),
        ("cpu/=1/", "event cpu: expected TERM=VALUE, each once, got '=1'"),
        ("cs/period=0/", "period='0': expected a number from 1 on"),
        ("off-cpu/min=soon/", "soon"),
        ("cpu/freq=100001/", "frequency must be from 1 to 100000 Hz, got 100001"),
        ("cpu,cpu-clock", "are both of the profile type cpu: give one of them another"),
        ("cpu/event=1/,cpu/event=1/", "give one of them another, cpu/event=1,name=…/"),
        ("faults,page-faults", "are both of the profile type page_faults"),
        ("cs/name=a-b/", "name='a-b': expected letters, digits and underscores"),
        (f"uprobe:/a:f+{'9' * 5000}", "expected NAME, NAME:MODIFIER or NAME/TERM=VALUE,…/"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        parse(text, frequency_hz=99)
