"""Counters that are held in the BPF file system: as the last sample left them."""

import json
import mmap
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.delivery import batchfile
from collector.delivery.mark import CAUSE
from collector.delivery.spool import Spool
from collector.events import parse_all
from collector.kernel import maps
from collector.kernel.loader import LOADERS
from collector.kernel.maps import Shape
from collector.kernel.pins import Pins, problem
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import sample
from collector.sources.raw import RawDrain
from profiler.errors import UnavailableError
from profiler.model import CPU, OFF_CPU, WALL, Drain, ProfileType
from tests import bpf_fs

pytestmark = pytest.mark.kernel


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with bpf_fs.mounted(tmp_path / "bpf") as path:
        yield path / "profiler"


@pytest.mark.parametrize("loader", LOADERS)
def test_counters_outlive_their_program(loader: str, root: Path, tmp_path: Path) -> None:
    pins = Pins.of(tmp_path, root)
    try:
        with Sampler(frequency_hz=999, loader=loader) as sampler:
            ids = pins.hold([sampler.counters_fd])
            for _ in range(3):
                sum(range(1_000_000))
                drained = sampler.drain().taken
            before = sampler.counted["taken"]
            sum(range(1_000_000))
    except UnavailableError as error:
        pytest.skip(str(error))
    counted = pins.counted(ids)
    assert counted and counted["taken"] > before > drained > 0
    assert counted["taken"] == bpf_fs.taken(root)
    pins.clear()
    assert pins.counted(ids) is None
    assert list(root.iterdir()) == []


def test_a_sampler_knows_what_its_drains_counted(root: Path, tmp_path: Path) -> None:
    pins = Pins.of(tmp_path, root)
    with Sampler(frequency_hz=999) as sampler:
        ids = pins.hold([sampler.counters_fd])
        taken = 0
        for _ in range(4):
            sum(range(300_000))
            taken += sampler.drain().taken
        sampler.stop()
        taken += sampler.drain().taken
        assert sampler.counted["taken"] == taken
    assert pins.counted(ids) == sampler.counted


def test_of_each_event_that_a_killed_collector_sampled_the_loss_is_known(
    root: Path, tmp_path: Path
) -> None:
    sampling = sample(parse_all(("cpu,page-faults/period=10/,wall",), frequency_hz=999))
    killed, accounts = Spool(tmp_path, pins=root), Counter[ProfileType]()
    with sampling:  # its descriptors are closed at the end, as the kernel does
        killed.mark.follow("a", sampling.parts)
        for _ in range(3):
            work()
            for raw in sampling.drain():
                killed.append(nameless(raw))
                accounts[raw.type] += raw.taken
        work()
        sampling.drain()  # the one in hand
        work()
    killed._lock.close()
    marked = json.loads((tmp_path / "running").read_text())["types"]
    with Spool(tmp_path, pins=root) as spool:
        assert spool.mark.unaccounted_ns == 0
        for drain in spool.mark.lost:
            assert drain.unaccounted == 0 and drain.losses[CAUSE] > 0
            accounts[drain.type] += drain.taken
        taken = {
            type: sum(
                bpf_fs.taken_of(next(root.glob(f"*/{one}"))) for one in marked[type.name]["pins"]
            )
            for type in accounts
        }
    # A sleep that goes on is divided by drains: a sample more for each.
    assert accounts.pop(WALL) >= taken.pop(WALL) > 0
    assert accounts == taken and len(taken) == 2


COLLECTOR = """
import sys
from pathlib import Path
from collector.delivery.spool import Spool
from collector.events import parse_all
from collector.kernel.sampling import sample
from tests.collector.kernel.test_pins import nameless

spool = Spool(Path(sys.argv[1]), limit_bytes=1 << 30, pins=Path(sys.argv[2]))
for drain in spool.mark.lost:
    spool.append(drain)
with sample(parse_all(("cpu,page-faults/period=10/",), frequency_hz=999)) as sampling:
    spool.mark.follow("a", sampling.parts)
    while True:
        for raw in sampling.drain():
            print("drained", flush=True)
            spool.append(nameless(raw))
"""


def kill_one_after_another(spool: Path, root: Path, times: int) -> tuple[int, int, int]:
    """Collectors, at any moment; samples that their programs took, of the accounts, and of what was
    lost."""
    taken = 0
    for _ in range(times):
        command = [sys.executable, "-c", COLLECTOR, str(spool), str(root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as collector:
            for _ in range(random.randint(2, 8)):
                assert collector.stdout and collector.stdout.readline()
            time.sleep(random.uniform(0, 0.05))
            collector.kill()
        taken += bpf_fs.taken(root) or 0
    with Spool(spool, limit_bytes=1 << 30, pins=root) as left:
        for drain in left.mark.lost:
            left.append(drain)
    found = [batchfile.loads_accounts(path.read_bytes()).accounts for path in spool.glob("*.batch")]
    lost = sum(accounts.losses[CAUSE] for accounts in found if CAUSE in accounts.losses)
    return taken, sum(accounts.taken for accounts in found), lost


def test_killed_at_any_moment_no_sample_is_missed_or_counted_twice(
    root: Path, tmp_path: Path
) -> None:
    taken, accounted, lost = kill_one_after_another(tmp_path / "spool", root, times=4)
    assert taken == accounted > lost > 0


def nameless(raw: RawDrain) -> Drain:
    """Without samples: what is lost here is not what the tests are about."""
    lost = {**raw.losses, "excluded": raw.taken - sum(raw.losses.values())}
    return Drain("a", raw.start_ns, raw.duration_ns, raw.taken, lost, type=raw.type)


def work() -> None:
    """On a CPU and off it, with faults."""
    sum([number % 7 for number in range(300_000)])
    mmap.mmap(-1, 1 << 20).write(bytes(1 << 20))
    time.sleep(0.01)


def test_wall_clock_time_is_counted_by_two_programs() -> None:
    sampling = sample(parse_all(("cpu,wall",), frequency_hz=99))
    found = {type: [one.type for one in of] for type, of in sampling.parts.items()}
    assert found == {CPU: [CPU], WALL: [CPU, OFF_CPU]}


def test_collectors_with_other_spools_have_pins_of_their_own(root: Path, tmp_path: Path) -> None:
    spools = [tmp_path / name for name in ("a", "b")]
    for spool in spools:
        spool.mkdir()
    one, other = (Pins.of(spool, root) for spool in spools)
    with Sampler() as first, Sampler() as second:
        ids, others = one.hold([first.counters_fd]), other.hold([second.counters_fd])
        one.clear()
        assert one.counted(ids) is None and other.counted(others) is not None
        assert one.counted(others) is None


def test_what_is_held_anew_replaces_what_was(root: Path, tmp_path: Path) -> None:
    pins = Pins.of(tmp_path, root)
    with Sampler() as before:
        ids = pins.hold([before.counters_fd])
    with Sampler() as after:
        assert pins.hold([after.counters_fd]) != ids
        assert pins.counted(ids) is None


def test_counters_of_another_version_say_nothing(root: Path, tmp_path: Path) -> None:
    fd = maps.create(Shape(maps.ARRAY, key_size=4, value_size=16, max_entries=2))
    pins = Pins.of(tmp_path, root)
    try:
        assert pins.counted(pins.hold([fd])) is None
    finally:
        os.close(fd)


def test_elsewhere_nothing_is_held_and_the_check_says_why(root: Path, tmp_path: Path) -> None:
    assert problem(root) == ""
    assert list(root.iterdir()) == []
    assert "Operation not permitted" in problem(tmp_path)
    assert list(tmp_path.glob("check*")) == []
    assert "No such file" in problem(tmp_path / "no" / "such")
