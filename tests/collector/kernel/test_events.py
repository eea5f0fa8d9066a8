"""Events on the running kernel: exact counts where each is a sample, times within 5 %, and sums
that close for every type.
"""

import mmap
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.events import parse
from collector.kernel import hook
from collector.kernel.loader import LOADERS
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import sample
from collector.sources.raw import RawDrain
from profiler.errors import ProfilerError, UnavailableError, UsageError
from profiler.formats import folded
from tests.collector.kernel.conftest import Start
from tests.collector.kernel.test_sampler import closes, functions, held, of, sampled

pytestmark = pytest.mark.kernel

MS = 1_000_000
PAGES, CALLS, WRITES, SLEEPS = 400, 250, 150, 50
"""What counted.c does."""


@pytest.fixture(autouse=True)
def tracefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Mounted where it is not."""
    place = tmp_path_factory.mktemp("tracefs") if hook.tracefs() is None else None
    if place:
        subprocess.run(["mount", "-t", "tracefs", "nodev", place], check=True)
    yield
    if place:
        subprocess.run(["umount", place], check=True)


@contextmanager
def counted(binary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program at its first wait; `tell` lets it go on."""
    with subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def tell(process: subprocess.Popen[bytes]) -> None:
    """Returns once it has done what it does."""
    assert process.stdin and process.stdout
    process.stdin.write(b"!")
    process.stdin.flush()
    assert process.stdout.read(1) == b"!"


def counts(drain: RawDrain, binary: Path, function: str) -> int:
    """The samples of stacks with a function, by its address."""
    addresses = functions(binary)[function]
    return sum(s.count for s in drain.samples if any(each in addresses for each in s.user))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("event", "samples"),
    [
        ("page-faults:u/period=1/", PAGES),
        ("page-faults/period=8/", PAGES // 8),
        ("software/config=0x2,period=1,name=page_faults/u", PAGES),
    ],
)
def test_each_page_that_is_touched_is_a_fault(
    event: str, samples: int, loader: str, build: Callable[[str], Path]
) -> None:
    binary = build("counted")
    with (
        counted(binary) as process,
        Sampler(event=event, target=[process.pid], loader=loader) as sampler,
    ):
        tell(process)
        sampler.stop()
        drain = sampler.drain()
    assert closes(drain)
    assert drain.type.name == "page_faults"
    assert counts(drain, binary, "touch") == pytest.approx(
        samples, abs=0 if samples == PAGES else 1
    )


def test_faults_by_frequency_add_up_to_their_number() -> None:
    pages = 0
    with Sampler(event="page-faults/freq=1000/") as sampler:
        before, end = machine_faults(), time.monotonic() + 1
        while time.monotonic() < end:  # the kernel takes some samples to find the period
            touch(1000)
            pages += 1000
        sampler.stop()
        faults = machine_faults() - before
        drain = sampler.drain()
    assert closes(drain)
    assert drain.period == 0
    # What has come since the last sample of each CPU is in none.
    assert 0.5 * pages < sum(each.value for each in drain.samples) <= 1.2 * faults


def touch(pages: int) -> None:
    """Pages of this process that were never there."""
    with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


def machine_faults() -> int:
    lines = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return int(lines["pgfault"])


def test_a_frequency_of_faults_is_for_the_whole_machine() -> None:
    with pytest.raises(UsageError, match="choose page-faults/period=1/"):
        Sampler(event="page-faults", target=[os.getpid()]).__enter__()
    (event,) = parse("page-faults", frequency_hz=99, each=True)
    assert (event.frequency_hz, event.period) == (0, 1)


def test_every_sleep_is_a_context_switch(build: Callable[[str], Path]) -> None:
    with (
        counted(build("counted")) as process,
        Sampler(event="context-switches/period=1/", target=[process.pid]) as sampler,
    ):
        before = switches(process.pid)
        tell(process)
        sampler.stop()
        drain = sampler.drain()
        after = switches(process.pid)
    assert closes(drain)
    assert SLEEPS <= drain.taken <= after - before
    assert drain.taken >= after - before - 1  # its last wait may begin after the end


def switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


@pytest.mark.parametrize("loader", LOADERS)
def test_every_hit_of_a_tracepoint_is_a_sample(loader: str, build: Callable[[str], Path]) -> None:
    binary = build("counted")
    with (
        counted(binary) as process,
        Sampler(event="syscalls:sys_enter_write", loader=loader) as sampler,
    ):
        tell(process)
        sampler.stop()
        drain = sampler.drain()
    assert closes(drain)
    assert drain.type.name == "syscalls_sys_enter_write"
    assert sum(each.count for each in of(drain, process.pid)) == WRITES + 1


def test_a_period_takes_every_so_manyth_hit_of_a_target_and_its_children(
    build: Callable[[str], Path],
) -> None:
    with (
        counted(build("counted")) as process,
        Sampler(event="syscalls:sys_enter_write/period=10/", target=[process.pid]) as sampler,
    ):
        os.sched_setaffinity(process.pid, [0])  # hits are counted a CPU
        tell(process)
        sampler.stop()
        drain = sampler.drain()
    assert closes(drain)
    assert {each.pid for each in drain.samples} == {process.pid}
    assert (drain.taken, drain.period) == ((WRITES + 1) // 10, 10)


@pytest.mark.parametrize("loader", LOADERS)
def test_every_call_of_a_probed_function_is_a_sample(
    loader: str, build: Callable[[str], Path]
) -> None:
    binary = build("counted")
    with (
        counted(binary) as process,
        Sampler(event=f"uprobe:{binary}:probed", loader=loader) as sampler,
    ):
        tell(process)
        sampler.stop()
        drain = sampler.drain()
    assert closes(drain)
    assert drain.type.name == "probe_counted_probed"
    assert sum(each.count for each in of(drain, process.pid)) == CALLS
    assert counts(drain, binary, "probed") == CALLS


def test_a_command_that_sleeps_waits_and_works_shows_these_three(
    build: Callable[[str], Path], tmp_path: Path
) -> None:
    program = [sys.executable, "-m", "profiler", "record", "-F", "999"]
    run = subprocess.run(
        [*program, "--event", "cpu,off-cpu", "-o", tmp_path / "out.folded", "--", build("waits")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    rested, contended, worked = map(int, run.stdout.split())
    off_cpu = folded.loads((tmp_path / "out.off_cpu.folded").read_bytes())
    on_cpu = folded.loads((tmp_path / "out.cpu.folded").read_bytes())

    def total(profile: object, function: str) -> int:
        assert isinstance(profile, type(off_cpu))
        return sum(
            value
            for stack, _, value in profile.stacks()
            if any(frame.function == function for frame in stack)
        )

    assert total(off_cpu, "rest") == pytest.approx(rested, rel=0.05)
    assert total(off_cpu, "contend") == pytest.approx(contended, rel=0.05)
    assert total(on_cpu, "work") * 10**9 / 999 == pytest.approx(worked, rel=0.05)
    assert total(on_cpu, "rest") <= 0.01 * total(on_cpu, "work")  # the system call itself
    assert re.search(r"0 of them lost|of them lost \([\d,]+ end_unseen\)", run.stderr)


def test_the_time_that_programs_took_is_told_once(start: Start) -> None:
    """By the drains of their own types, else by that of the sum."""
    start("split")
    with sample(parse("wall", frequency_hz=49)) as alone:
        time.sleep(0.3)
        (wall,) = alone.drain()
    assert wall.spent_ns > 0
    with sample(parse("wall,cpu,off-cpu", frequency_hz=49)) as beside:
        time.sleep(0.3)
        wall, cpu, off_cpu = beside.drain()
    assert wall.spent_ns == 0
    assert min(cpu.spent_ns, off_cpu.spent_ns) > 0


def test_several_events_have_each_its_own_rate_and_wall_is_their_sum(start: Start) -> None:
    start("split")
    events = parse("cpu/freq=999/,wall,off-cpu,cs/period=1/,page-faults", frequency_hz=49)
    with sample(events) as sampling:
        time.sleep(1)
        sampling.stop()
        drains = sampling.drain()
    assert [drain.type.name for drain in drains] == [
        *("cpu", "wall", "off_cpu", "context_switches", "page_faults")
    ]
    assert all(closes(drain) for drain in drains)
    cpu, wall, off_cpu, _, _ = drains
    assert cpu.taken > 500
    assert wall.taken == cpu.taken + off_cpu.taken
    values = [sum(each.value for each in drain.samples) for drain in (wall, off_cpu)]
    assert values[0] == held(cpu) * cpu.period + values[1]


@pytest.mark.parametrize(
    ("event", "kind", "said"),
    [
        (
            "sched:no_such_thing",
            UsageError,
            "no event sched:no_such_thing: this kernel has no such",
        ),
        ("uprobe:/no/such/file:f", UsageError, "cannot read /no/such/file"),
        ("uprobe:/dev/null:f", UsageError, "/dev/null is no file"),
        ("uprobe:/etc/passwd:f", UsageError, "/etc/passwd: not an ELF file"),
        ("uprobe:/bin/true:no_such_function", UsageError, "has no function no_such_function"),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    event: str, kind: type[ProfilerError], said: str
) -> None:
    with pytest.raises(kind, match=f"event {event}.*{said}|{said}"):
        Sampler(event=event).__enter__()


def test_a_counter_that_the_machine_has_not_is_refused_by_name() -> None:
    try:
        sampled(Sampler(event="cache-misses"), seconds=0)
    except UnavailableError as error:
        assert str(error).startswith("event cache-misses: this machine does not count it")
        return
    pytest.skip("this machine has hardware counters")


@pytest.mark.parametrize("event", ["off-cpu", "page-faults"])
def test_what_bcc_cannot_load_is_refused_by_name(event: str) -> None:
    with pytest.raises(UnavailableError, match=f"event {event}: loader bcc cannot load this event"):
        Sampler(event=event, loader="bcc").__enter__()
