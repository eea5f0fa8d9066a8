"""The collector's side of the walk, on the kernel's own maps."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from collector.kernel.maps import Map
from collector.processes.maps import Mapping
from collector.unwind import abi
from collector.unwind.abi import Cause
from collector.unwind.unwinder import FAILED, UnwindStats
from tests.collector.unwind.conftest import Build
from tests.collector.unwind.harness import Harness, read_mappings
from tests.processes import eventually

pytestmark = pytest.mark.kernel


@pytest.fixture
def fresh(program: Path) -> Iterator[Harness]:
    with Harness(program) as harness:
        yield harness


@contextmanager
def running(path: Path, *arguments: str) -> Iterator[int]:
    with subprocess.Popen([path, *arguments]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def slice_of(harness: Harness, pid: int) -> tuple[int, int] | None:
    value = Map(harness.fds["unwind_processes"]).lookup(pid.to_bytes(4, "little"))
    if value is None:
        return None
    first, count = np.frombuffer(value, abi.PROCESS)[0].tolist()
    return first, count


def some_mappings(count: int, inode: int = 0) -> list[Mapping]:
    return [
        Mapping(start, start + 4096, 0, (0, 0), inode)
        for start in range(0x10000, 0x10000 + count * 0x10000, 0x10000)
    ]


def test_the_kernel_is_told_the_mappings_of_a_process(fresh: Harness) -> None:
    fresh.unwinder.add_process(7, some_mappings(3))
    assert slice_of(fresh, 7) == (0, 3)
    fresh.unwinder.add_process(7, some_mappings(5))
    assert slice_of(fresh, 7) == (3, 5)
    fresh.unwinder.remove_process(7)
    assert slice_of(fresh, 7) is None
    fresh.unwinder.remove_process(7)


def test_a_child_shares_what_its_parent_has(fresh: Harness) -> None:
    fresh.unwinder.add_process(7, some_mappings(3))
    fresh.unwinder.copy_process(8, 7)
    fresh.unwinder.remove_process(7)
    assert slice_of(fresh, 8) == (0, 3)
    fresh.unwinder.copy_process(9, 7)
    assert slice_of(fresh, 9) is None
    assert fresh.unwinder.stats().processes == 1


def test_mappings_beyond_the_room_are_counted(fresh: Harness) -> None:
    fresh.unwinder.add_process(7, some_mappings(40_000))
    fresh.unwinder.add_process(8, some_mappings(40_000))
    assert slice_of(fresh, 8) is None
    assert fresh.unwinder.stats().no_room == 1
    fresh.unwinder.remove_process(7)
    fresh.unwinder.add_process(8, some_mappings(40_000))
    assert slice_of(fresh, 8) == (0, 40_000)


def test_tables_come_when_stacks_end_for_want_of_them(fresh: Harness, build: Build) -> None:
    with running(build("deep.c"), "20") as pid:
        assert fresh.unwinder.stats() == UnwindStats(*[0] * 9)
        samples = fresh.settled(0.2, pid)
        assert {sample.cause for sample in samples} == {Cause.COMPLETE}
        stats = fresh.unwinder.stats()
        assert stats.tables >= 2
        assert stats.table_bytes % abi.PAGE_BYTES == 0
        assert stats.failed == stats.evicted == 0


def test_what_is_loaded_stays_within_its_bound(program: Path, build: Build) -> None:
    """Room for one of the two tables that each stack needs: they take turns, and are counted."""
    with running(build("deep.c"), "20") as pid, Harness(program, max_table_bytes=4096) as harness:
        while harness.unwinder.stats().evicted < 2:
            harness.sample(0.1, pid, least=1)
            assert harness.unwinder.stats().tables <= 1


def test_a_replaced_program_is_not_walked_by_the_old_rows(
    fresh: Harness, build: Build, tmp_path: Path
) -> None:
    """exec: the same pid, other mappings, which a stack that leaves the known ones makes known."""
    script = f"while [ ! -e {tmp_path}/go ]; do :; done; exec {build('deep.c')} 30"
    with running(Path("/bin/sh"), "-c", script) as pid:
        fresh.settled(0.1, pid)
        (tmp_path / "go").touch()
        executed = Path(f"/proc/{pid}/exe")
        eventually(lambda: executed.readlink() == build("deep.c") or None, "the other program")
        samples = fresh.settled(0.2, pid)
        assert {(sample.cause, len(sample.words)) for sample in samples} == {(Cause.COMPLETE, 36)}


def test_rows_that_were_found_before_are_forgotten_with_their_table(
    fresh: Harness, build: Build
) -> None:
    executable = build("deep.c")
    with running(executable, "20") as pid:
        assert {sample.cause for sample in fresh.settled(0.2, pid)} == {Cause.COMPLETE}
        found = executable.stat()
        key = (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
        (number,) = fresh.unwinder._files._files[key].numbers.values()
        fresh.unwinder._tables.load({number: FAILED})
        assert {sample.cause for sample in fresh.sample(0.2, pid, least=5)} == {Cause.BROKEN}


def test_leaving_closes_what_was_opened(program: Path) -> None:
    with Harness(program):  # libbpf keeps what it opens first
        pass
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Harness(program) as harness:
        harness.unwinder.add_process(os.getpid(), read_mappings(os.getpid()) or ())
        harness.sample(0.3, os.getpid())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
