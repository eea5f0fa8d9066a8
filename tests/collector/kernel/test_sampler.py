"""The sampler on the running kernel."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.kernel.command import Command
from collector.kernel.loader import LOADERS
from collector.kernel.program import Sizes
from collector.kernel.sampler import Sampler
from collector.sources.raw import RawDrain, RawSample
from profiler.errors import UsageError
from tests.collector.kernel.conftest import Start

pytestmark = pytest.mark.kernel

FAST_HZ = 5_000
TINY = Sizes(stacks=16)
NS = 1_000_000_000


def held(drain: RawDrain) -> int:
    return sum(sample.count for sample in drain.samples)


def closes(drain: RawDrain) -> bool:
    """Whether the accounts of a drain do, to the last sample."""
    return drain.taken == held(drain) + sum(drain.losses.values())


def sampled(sampler: Sampler, seconds: float) -> RawDrain:
    """Everything of some seconds: the first drain and the last one are one."""
    with sampler:
        time.sleep(seconds)
        sampler.stop()
        return sampler.drain()


def until_named(pid: int, names: set[str]) -> None:
    """Returns once the threads of a process have these names."""
    while {
        path.read_bytes().decode("utf-8", "backslashreplace").strip()
        for path in Path(f"/proc/{pid}/task").glob("*/comm")
    } != names:
        time.sleep(0.01)


def until_used(pid: int, ms: int = 20) -> None:
    """Returns once a process has had a CPU for that long: it has begun what it does."""
    spent = Path(f"/proc/{pid}/schedstat")
    while int(spent.read_text().split()[0]) < ms * 1_000_000:
        time.sleep(0.01)


def of(drain: RawDrain, pid: int) -> list[RawSample]:
    return [sample for sample in drain.samples if sample.pid == pid]


def functions(binary: Path) -> dict[str, range]:
    """Names and addresses of a program's functions, by nm."""
    listed = subprocess.run(["nm", "-S", binary], check=True, capture_output=True, text=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return {
        row[3]: range(int(row[0], 16), int(row[0], 16) + int(row[1], 16))
        for row in rows
        if len(row) == 4 and row[2] in "tT"
    }


@pytest.mark.parametrize("loader", LOADERS)
def test_time_spent_three_to_one_is_sampled_three_to_one(
    loader: str, start: Start, build: Callable[[str], Path]
) -> None:
    process = start("split")
    addresses = functions(build("split"))
    leaves = Counter[str]()
    with Sampler(loader=loader, frequency_hz=1999) as sampler:
        while leaves.total() < 2500:
            time.sleep(0.2)
            for sample in of(sampler.drain(), process.pid):
                for name in ("three_quarters", "one_quarter"):
                    if any(address in addresses[name] for address in sample.user[:1]):
                        leaves[name] += sample.count
    # 5 standard deviations.
    assert leaves["three_quarters"] / leaves.total() == pytest.approx(0.75, abs=0.045)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "sizes", [Sizes(), Sizes(stacks=64, counts=8)], ids=["roomy maps", "tiny maps"]
)
def test_every_sample_is_accounted_for_over_many_fast_drains(
    loader: str, sizes: Sizes, start: Start
) -> None:
    start("stacks"), start("stacks")
    with Sampler(loader=loader, frequency_hz=FAST_HZ, sizes=sizes) as sampler:
        drains = []
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            drains.append(sampler.drain())
        sampler.stop()
        drains.append(sampler.drain())
    assert all(closes(drain) for drain in drains)
    assert sum(drain.taken for drain in drains) > 1000


def test_stacks_that_collide_come_through_the_ring_and_none_is_lost(start: Start) -> None:
    process = start("stacks")
    drain = sampled(Sampler(frequency_hz=999, sizes=TINY), seconds=1)
    assert closes(drain)
    assert not drain.losses
    assert len({sample.user for sample in of(drain, process.pid)}) > TINY.stacks


def test_a_count_without_room_comes_through_the_ring(start: Start) -> None:
    start("stacks")
    drain = sampled(Sampler(frequency_hz=999, sizes=Sizes(counts=4)), seconds=1)
    assert closes(drain)
    assert not drain.losses
    assert len(drain.samples) > 100


def test_what_the_ring_has_no_room_for_is_counted(start: Start) -> None:
    start("stacks"), start("stacks")
    sizes = Sizes(stacks=16, ring_bytes=4096)
    drain = sampled(Sampler(frequency_hz=FAST_HZ, sizes=sizes), seconds=0.3)
    assert closes(drain)
    assert set(drain.losses) == {"ring_full"}


@pytest.mark.parametrize("loader", LOADERS)
def test_without_a_ring_collisions_and_full_counts_are_counted(loader: str, start: Start) -> None:
    start("stacks"), start("stacks")
    causes = set()
    for sizes in (Sizes(stacks=16, ring_bytes=0), Sizes(counts=4, ring_bytes=0)):
        drain = sampled(Sampler(loader=loader, frequency_hz=FAST_HZ, sizes=sizes), seconds=0.3)
        assert closes(drain)
        causes |= set(drain.losses)
    assert causes == {"stack_collision", "counts_full"}


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(counts=1)], ids=["by the map", "by the ring"])
def test_a_stack_as_deep_as_the_kernel_walks_is_marked_as_truncated(
    sizes: Sizes, start: Start
) -> None:
    process, other = start("deep"), start("split")
    until_used(process.pid)
    until_used(other.pid)
    drain = sampled(Sampler(frequency_hz=FAST_HZ, sizes=sizes), seconds=0.2)
    assert {(len(s.user), s.truncated) for s in of(drain, process.pid)} == {(127, "depth")}
    assert {s.truncated for s in of(drain, other.pid)} == {""}


def test_the_kernel_part_of_a_system_call_is_sampled() -> None:
    copying = (
        "with open('/dev/zero', 'rb', 0) as zero:\n print(flush=True)\n while 1: zero.read(1 << 24)"
    )
    command = [sys.executable, "-c", copying]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        drain = sampled(Sampler(frequency_hz=FAST_HZ, target=[process.pid]), seconds=0.5)
        process.kill()
    in_kernel = sum(sample.count for sample in drain.samples if sample.kernel)
    assert in_kernel > held(drain) / 2
    assert any(sample.kernel and sample.user for sample in drain.samples)


def test_kernel_threads_are_kept_and_idle_is_left_out(tmp_path: Path) -> None:
    with Sampler(frequency_hz=FAST_HZ) as sampler:
        threads = set[str]()
        for round_ in range(50):
            (tmp_path / "file").write_bytes(bytes(1 << 24))
            subprocess.run(["sync", tmp_path / "file"], check=True)
            drain = sampler.drain()
            assert all(sample.pid != 0 for sample in drain.samples)
            threads |= {s.thread_name for s in drain.samples if s.kernel and not s.user}
            if threads and round_ > 3:
                break
    assert threads


def test_a_target_is_sampled_with_its_threads_and_nothing_else(start: Start) -> None:
    process, _ = start("threads"), start("split")
    until_named(process.pid, {"left", "right"})
    drain = sampled(Sampler(target=[process.pid], frequency_hz=999), seconds=0.5)
    assert closes(drain)
    assert {sample.pid for sample in drain.samples} == {process.pid}
    assert {sample.thread_name for sample in drain.samples} == {"left", "right"}


def test_a_command_is_sampled_from_its_exec_with_its_children_and_nothing_else(
    start: Start, build: Callable[[str], Path]
) -> None:
    start("split")
    script = f"timeout 0.4 {build('stacks')}; timeout 0.4 {build('threads')}; exit 7"
    with (
        Command(["sh", "-c", script]) as command,
        Sampler(target=[command.pid], on_exec=True, frequency_hz=999) as sampler,
    ):
        before = sampler.drain()
        command.resume()
        exit_code = command.wait()
        sampler.stop()
        drain = sampler.drain()
    assert before.taken == 0
    assert exit_code == 7
    assert closes(drain)
    names = {sample.thread_name for sample in drain.samples}
    programs = {"stacks", "left", "right"}
    assert programs <= names <= programs | {"threads", "timeout", "sh"}  # until they are named
    assert drain.idle == 0


def test_the_last_drain_ends_with_the_sampling(start: Start) -> None:
    start("split")
    with Sampler(frequency_hz=999) as sampler:
        first = sampler.drain()
        time.sleep(0.1)
        sampler.stop()
        last, empty = sampler.drain(), sampler.drain()
    assert last.taken > 50
    assert (empty.taken, empty.duration_ns) == (0, 0)
    assert last.duration_ns > 0.09 * NS
    assert last.start_ns == pytest.approx(first.start_ns + first.duration_ns, abs=NS / 10)


def test_samples_times_period_is_the_cpu_time_of_the_process(start: Start) -> None:
    process = start("split")
    # Where others share its CPU, what is sampled of each of its turns is known to a period only.
    os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(1))

    def spent_ns() -> int:
        return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0])

    outer = spent_ns()
    with Sampler(target=[process.pid], frequency_hz=999) as sampler:
        inner = spent_ns()
        time.sleep(1)
        inner = spent_ns() - inner
        sampler.stop()
        outer = spent_ns() - outer
        drain = sampler.drain()
    assert drain.period == NS // 999
    assert 0.97 * inner <= drain.taken * drain.period <= 1.03 * outer


def test_a_thread_name_that_is_not_utf8_is_shown_with_escapes() -> None:
    naming = "open('/proc/self/comm', 'wb').write(b'caf\\xe9')\nwhile 1: pass"
    with subprocess.Popen([sys.executable, "-c", naming]) as process:
        until_named(process.pid, {"caf\\xe9"})
        drain = sampled(Sampler(target=[process.pid], frequency_hz=999), seconds=0.2)
        process.kill()
    assert {sample.thread_name for sample in drain.samples} == {"caf\\xe9"}


@pytest.mark.parametrize("loader", LOADERS)
def test_nothing_stays_open_after_the_sampler(loader: str) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    sampled(Sampler(loader=loader), seconds=0)
    with pytest.raises(UsageError, match="no process 4194305"):
        sampled(Sampler(loader=loader, target=[4194305]), seconds=0)
    assert len(list(descriptors.iterdir())) == before


def test_mistakes_are_named_before_anything_is_loaded() -> None:
    with pytest.raises(UsageError, match="frequency must be from 1 to 100000 Hz, got 0"):
        Sampler(frequency_hz=0)
    with pytest.raises(UsageError, match="no event 'brunches'; did you mean branches or "):
        Sampler(event="brunches").__enter__()
    with pytest.raises(UsageError, match="no loader 'grub': expected auto, libbpf or bcc"):
        Sampler(loader="grub").__enter__()


def test_a_slower_sampler_says_so_with_the_drain_that_is_sampled_so(start: Start) -> None:
    process = start("split")
    with Sampler(frequency_hz=997) as sampler:
        time.sleep(0.2)
        sampler.slow_down(10)
        drains = [sampler.drain()]
        time.sleep(1)
        drains.append(sampler.drain())
        sampler.slow_down(1)
        drains.append(sampler.drain())
        time.sleep(0.2)
        sampler.stop()
        drains.append(sampler.drain())
    assert [drain.period for drain in drains] == [NS // hz for hz in (997, 99, 99, 997)]
    assert all(closes(drain) for drain in drains)
    slow = sum(sample.count for sample in of(drains[1], process.pid))
    assert 0 < slow <= 99 * drains[1].duration_ns / NS + 1


@pytest.mark.parametrize(
    ("loader", "call_graph"), [("libbpf", "fp"), ("libbpf", "dwarf"), ("bcc", "fp")]
)
def test_the_time_of_the_program_itself_is_told(loader: str, call_graph: str, start: Start) -> None:
    start("stacks")
    drain = sampled(Sampler(loader=loader, call_graph=call_graph, frequency_hz=999), seconds=0.5)
    # On this order: 1 to 15 us a sample, of which one that was interrupted takes longer.
    assert 200 < drain.spent_ns / drain.taken < 200_000
