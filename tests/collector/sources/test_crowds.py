"""What comes in thousands: programs that one process executes, control groups. All that is kept of
them has a bound, and every sample is accounted for."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.labels.labeller import Labelling
from collector.processes.cache import MAX_LEFT_OF_ONE
from collector.sources.live import LiveSource
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Drain
from tests.collector.sources.test_unwinding import of_program

pytestmark = pytest.mark.kernel

Build = Callable[[str], Path]

GROUPS, MAX_SERIES = 1_000, 20


@contextmanager
def started(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([program]) as process:
        try:
            yield process
        finally:
            process.kill()


def live(folder: Path, labelling: Labelling, *targets: int) -> LiveSource:
    sampler = Sampler(call_graph=DWARF, frequency_hz=999, target=targets)
    return LiveSource(Sampling([sampler]), ProcessEvents(), Symbolizer(labelling), "a", folder)


def test_a_process_that_executes_without_end_is_sampled_and_kept_within_bounds(
    build: Build, tmp_path: Path
) -> None:
    """Some 200 programs a second."""
    with started(build("loop")) as loop, live(tmp_path, Labelling("a"), loop.pid) as source:
        worked = 0
        for _ in range(6):
            time.sleep(0.3)
            (drain,) = source.drain()
            assert drain.unaccounted == 0
            found = of_program(drain)
            worked += sum(count for stack, count in found.items() if stack[:2] == ("main", "work"))
            left = source.symbolizer.processes._left.get(loop.pid) or ()
            assert len(left) <= MAX_LEFT_OF_ONE + 1
    assert worked > 20


def test_control_groups_that_come_and_go_are_bounded_and_no_sample_is_lost(
    build: Build, slice_: Path, tmp_path: Path
) -> None:
    labelling = Labelling("a", max_series=MAX_SERIES, engine_sockets=())
    program = [str(build("groups")), str(slice_), str(GROUPS)]
    with subprocess.Popen(program) as groups:
        drains: list[Drain] = []
        with live(tmp_path, labelling, groups.pid) as source:
            while groups.poll() is None:
                time.sleep(0.5)
                drains += source.drain()
            drains += source.drain()
            symbolizer = source.symbolizer
    assert groups.returncode == 0
    taken, stored = 0, 0
    containers = set[str]()
    for drain in drains:
        assert drain.unaccounted == 0
        assert len(drain.profiles) <= MAX_SERIES + 1
        taken += drain.taken
        stored += sum(profile.total_samples for profile in drain.profiles)
        containers |= {dict(one.labels).get("container_id", "") for one in drain.profiles}
    assert stored == taken > GROUPS
    assert len(containers) >= MAX_SERIES
    assert symbolizer.counters.without_place
    assert len(symbolizer.labeller.origins._cgroups) <= 4096
