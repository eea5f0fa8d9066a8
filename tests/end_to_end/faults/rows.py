"""One function a fault: begins it, lets it last, ends it, and tells the outcome.

`make test` has them for seconds, `make bench-faults` for as long as you like.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from collector.delivery import batchfile
from tests import bpf_fs
from tests.end_to_end.conftest import started
from tests.end_to_end.faults import cpu, killing
from tests.end_to_end.faults.clock import WallClock
from tests.end_to_end.faults.disk import disk
from tests.end_to_end.faults.network import cable
from tests.end_to_end.faults.node import Node, Outcome
from tests.processes import eventually

Row = Callable[[Path, Path, float, Sequence[str]], Outcome]
"""In an empty folder, with a program that works, for so many seconds, with options of the
collector's."""

HOUR_SECONDS = 3600
KILLS = 20


def server_killed(folder: Path, program: Path, seconds: float, options: Sequence[str]) -> Outcome:
    node = Node(folder, *options)
    with started(program), ExitStack() as collecting:
        with node.serving() as server:
            collecting.enter_context(node.collecting())
            node.wait_until_stored()
            server.kill()
            server.wait()
            node.last(seconds)
        with node.serving():
            node.recover()
            collecting.close()
            return node.outcome()


def database_locked(folder: Path, program: Path, seconds: float, options: Sequence[str]) -> Outcome:
    node = Node(folder, *options)
    with started(program), node.serving():
        with node.collecting():
            node.wait_until_stored()
            other = sqlite3.connect(node.database, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            node.last(seconds)
            other.close()
            node.recover()
        return node.outcome()


def network_cut(folder: Path, program: Path, seconds: float, options: Sequence[str]) -> Outcome:
    with started(program), cable() as between:
        near, far = between.near.enter, between.far.enter
        node = Node(folder, *options, host="10.0.0.2", near=near, far=far)
        with node.serving():
            with node.collecting():
                node.wait_until_stored()
                between.pull()
                node.last(seconds)
                between.plug()
                node.recover()
            return node.outcome()


def spool_disk_full(folder: Path, program: Path, seconds: float, options: Sequence[str]) -> Outcome:
    """While the server is away."""
    node = Node(folder, *options)
    with started(program), disk(node.spool, "4m") as small, ExitStack() as collecting:
        with node.serving() as server:
            collecting.enter_context(node.collecting())
            node.wait_until_stored()
            server.kill()
            server.wait()
            small.fill()
            node.last(seconds)
        small.free()
        with node.serving():
            node.recover()
            collecting.close()
            return node.outcome()


def collector_killed(
    folder: Path, program: Path, seconds: float, options: Sequence[str]
) -> Outcome:
    """In mid-drain, with batches in the spool that nobody has; another one is started. What those
    that were killed took is read from the kernel's counters."""
    with started(program), bpf_fs.mounted(folder / "bpf") as root:
        pins = root / "profiler"
        node = Node(folder, "--pins", str(pins), *options)
        taken = 0
        for _ in range(KILLS):
            with node.collecting() as collector:
                node.last(seconds)
                in_time = killing.kill_while_it_writes(collector, node.spool)
            taken += bpf_fs.taken(pins) or 0
            if in_time:
                break
        assert in_time, f"each of {KILLS} batches was written before the signal came"
        with node.serving():
            with node.collecting():
                node.recover()
            # The one that ends in order has those of the last killed one in its own sum.
            return node.outcome(taken - node.said_killed())


def collector_killed_uncounted(
    folder: Path, program: Path, seconds: float, options: Sequence[str]
) -> Outcome:
    """Where no counters can be held: what is known are the batches that it left."""
    node = Node(folder, *options, "--pins", str(folder / "none" / "such"))
    with started(program):
        with node.collecting() as collector:
            node.last(seconds)
            collector.kill()
            collector.wait()
        spooled = sum(map(_taken, node.spool.glob("*.batch")))
        with node.serving():
            with node.collecting():
                node.recover()
            return node.outcome(spooled)


def _taken(path: Path) -> int:
    return batchfile.loads_accounts(path.read_bytes()).accounts.taken


def clock_set_back(folder: Path, program: Path, seconds: float, options: Sequence[str]) -> Outcome:
    """By an hour, and set right again."""
    node, clock = Node(folder, *options), WallClock(folder)
    with started(program), node.serving():
        with node.collecting(environment=clock.environment):
            node.wait_until_stored()
            clock.set(-HOUR_SECONDS)
            node.last(seconds)
            node.wait_until_stored()
            earlier = samples(
                node, time.time() - 1.5 * HOUR_SECONDS, time.time() - HOUR_SECONDS / 2
            )
            assert earlier, "no sample stands an hour earlier"
            clock.set(0)
            node.recover()
        return node.outcome()


def samples(node: Node, begin_s: float, end_s: float, query: str = "cpu") -> int:
    within = {"from": f"{begin_s:.0f}", "to": f"{end_s:.0f}", "query": query}
    found: int = node.get("top", **within)["total"]["samples"]
    return found


def cpu_offline(folder: Path, program: Path, seconds: float, options: Sequence[str]) -> Outcome:
    """The last one, between two drains; a program that is bound to it is sampled afterwards."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU: it stays")
    node, number = Node(folder, *options), cpu.last()
    with node.serving():
        with node.collecting():
            for _ in range(3):  # the CPU is known to be at work from the second drain on
                _next_drain(node)
            with cpu.offline(number):
                node.last(min(seconds, cpu.MOST_SECONDS / 2))
            for _ in range(2):
                _next_drain(node)
            node.recover()
            with started(program) as process:
                os.sched_setaffinity(process.pid, [number])
                eventually(lambda: _sampled(node, program) or None, "samples of the CPU")
        return node.outcome()


def _next_drain(node: Node) -> None:
    drains = node.metric("drain_seconds_count")
    eventually(lambda: node.metric("drain_seconds_count") > drains or None, "a drain")


def _sampled(node: Node, program: Path) -> int:
    query = f'cpu{{process_executable_name="{program.name}"}}'
    found: int = node.get("top", query=query)["total"]["samples"]
    return found


ROWS: dict[str, Row] = {
    "server killed": server_killed,
    "database locked": database_locked,
    "network cut": network_cut,
    "disk of the spool full": spool_disk_full,
    "collector killed": collector_killed,
    "clock set back": clock_set_back,
    "CPU offline": cpu_offline,
}
