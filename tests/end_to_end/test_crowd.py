"""The collector among 10,000 processes, most of which do nothing."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from profiler.model import Drain
from profiler.wire import decode, read_batches
from tests.collector.kernel.conftest import PROGRAMS, compiler
from tests.end_to_end.conftest import started
from tests.end_to_end.test_ceilings import metric
from tests.processes import eventually, free_address, running

pytestmark = pytest.mark.kernel

IDLE = 10_000
"""More than the 8,192 that the kernel is told of at a time."""


@contextmanager
def idle(folder: Path) -> Iterator[None]:
    program = folder / "idle"
    subprocess.run([compiler(), "-O1", "-o", program, PROGRAMS / "idle.c"], check=True)
    with subprocess.Popen([program, str(IDLE)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def stacks_of_split(drain: Drain) -> list[list[str]]:
    return [
        [frame.function for frame in stack]
        for profile in drain.profiles
        if dict(profile.labels).get("process_executable_name") == "split"
        for stack, _, _ in profile.stacks()
    ]


def test_among_ten_thousand_processes_those_that_work_are_walked(
    split: Path, tmp_path: Path
) -> None:
    """Whether the kernel was told of them first or last; within the usual ceilings."""
    address, log, samples = free_address(), tmp_path / "log", tmp_path / "samples.pb"
    command = ["collect", "--interval", "500ms", "--to", str(samples), "--metrics", address]

    def walked() -> bool | None:
        """Some drains after the tables of what works were built."""
        return True if metric(address, "drain_seconds_count") >= 8 else None

    behind = Path("/usr/bin/nice"), "-n", "15", str(split)  # two of them keep two CPUs busy
    with started(*behind) as first, idle(tmp_path), started(*behind) as last:
        with running(*command, log=log):
            eventually(walked, "some drains", log)
            assert IDLE > metric(address, "unwind_processes") > 100
            assert metric(address, "unwind_no_room_total") == 0
            assert metric(address, "memory_given_back_total") == 0
            assert metric(address, "restraint_step") == 0
        assert first.poll() is None and last.poll() is None
    with samples.open("rb") as file:
        drains = [decode(batch) for batch in read_batches(file)]
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)
    # The last drain may be over before they have had a CPU.
    stacks = next(found for drain in reversed(drains) if (found := stacks_of_split(drain)))
    assert not [names for names in stacks if "main" not in names]
    assert re.search(r"taken [\d,]+ samples, 0 of them lost", log.read_text())
