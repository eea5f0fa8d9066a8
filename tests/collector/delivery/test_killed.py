"""Killed between any two steps, a collector loses samples, but not their number."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.delivery import durable
from collector.delivery import mark as marks
from collector.delivery import spool as spools
from collector.delivery.spool import Spool
from collector.kernel.pins import Pins
from profiler.model import CPU, OFF_CPU, Drain, ProfileType
from tests.collector.clock import FakeClock
from tests.collector.delivery.drains import SECOND_NS, losses, taken
from tests.collector.delivery.test_spool import Killed, dying_after

NEVER = 10**6


@dataclass
class Program:
    """One in the kernel, as a sampler shows it."""

    type: ProfileType
    counters_fd: int
    total: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        self.total += Counter(taken=5, ring_full=1)

    def drain(self, number: int) -> Drain:
        since = self.total - self.counted
        self.counted = Counter(self.total)
        lost = {"ring_full": since["ring_full"], "excluded": since["taken"] - since["ring_full"]}
        window = number * SECOND_NS, SECOND_NS
        return Drain("a", *window, since["taken"], lost, type=self.type)


class Kernel(Pins):
    """Programs come and go; counters that are held stay."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self.held: dict[int, Program] = {}
        self.refuses = False

    def load(self) -> list[Program]:
        first = len(self.programs)
        new = [Program(type, first + n) for n, type in enumerate((CPU, OFF_CPU))]
        self.programs += new
        return new

    def hold(self, fds: Iterable[int]) -> tuple[int, ...]:
        if self.refuses:
            self.held = {}
            raise PermissionError(1, "Operation not permitted")
        self.held = {1000 + fd: self.programs[fd] for fd in fds}
        return tuple(self.held)

    def counted(self, ids: Sequence[int]) -> Counter[str] | None:
        if not ids or not set(ids) <= self.held.keys():
            return None
        return sum((self.held[id_].total for id_ in ids), Counter[str]())

    def clear(self) -> None:
        self.held = {}

    @property
    def taken(self) -> int:
        return sum(program.total["taken"] for program in self.programs)


class Node:
    """Collectors, one after another, over one spool; each drains twice and is then killed, or dies
    before. What the server stored is in `server`, by collector and sequence."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.kernel = Kernel()
        self.server: dict[tuple[bytes, int], Drain] = {}
        self.clock = FakeClock(100 * SECOND_NS)
        self._directory = directory
        self._locks: list[IO[str]] = []
        lock = spools._lock

        def kept(path: Path) -> IO[str]:
            self._locks.append(lock(path))
            return self._locks[-1]

        patch.setattr(spools, "_lock", kept)
        patch.setattr("os.fsync", lambda descriptor: None)  # no power is cut here
        patch.setattr(Pins, "of", lambda directory, root: self.kernel)

    def live(self, steps: int = NEVER) -> None:
        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            dying_after(steps, patch)
            spool = self.start()
            programs = self.kernel.load()
            spool.mark.follow("a", {program.type: [program] for program in programs})
            for number in range(2):
                self.run(programs)
                for drain in [program.drain(number) for program in programs]:
                    spool.append(drain)
                self.deliver(spool)
            self.run(programs)
        self.killed()

    def start(self) -> Spool:
        spool = Spool(self._directory, clock=self.clock, pins=Path("/"))
        for drain in spool.mark.lost:
            spool.append(drain)
        return spool

    def run(self, programs: Sequence[Program]) -> None:
        for program in programs:
            program.run()
        self.clock.pass_by(1)

    def deliver(self, spool: Spool) -> None:
        for sequence in spool.due():
            found = spool.read(sequence)
            assert found is not None
            self.server.setdefault((found[0], sequence), found[1])
            spool.remove(sequence)

    def killed(self) -> None:
        """As the kernel does for a process that is killed."""
        while self._locks:
            self._locks.pop().close()

    @property
    def closes(self) -> bool:
        accounts = all(drain.unaccounted == 0 for drain in self.server.values())
        return accounts and taken(self.server.values()) == self.kernel.taken

    def settle(self) -> None:
        """The next one, which ends in order."""
        with self.start() as spool:
            self.deliver(spool)
            assert spool.mark.unaccounted_ns == 0


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


def test_what_a_killed_collector_took_is_lost_to_the_sample_by_its_cause(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.live()
    spooled = len(node.server)
    node.clock.pass_by(9)
    node.settle()
    assert node.closes
    found = list(node.server.values())[spooled:]
    assert [drain.type for drain in found] == [CPU, OFF_CPU]
    for drain in found:
        assert drain.taken == 5
        assert drain.losses == {marks.CAUSE: 4, "ring_full": 1}
        assert (drain.start_ns, drain.host_name) == (2 * SECOND_NS, "a")
        assert drain.start_ns + drain.duration_ns == node.clock.now_ns()
    assert "5 samples of cpu, 5 samples of off_cpu" in caplog.text
    assert node.kernel.held == {}


@pytest.mark.parametrize("steps", range(60))
def test_killed_at_any_step_no_sample_is_missed_or_counted_twice(steps: int, node: Node) -> None:
    node.live(steps)
    node.live()
    node.settle()
    assert node.closes


@settings(max_examples=25)
@given(lives=st.lists(st.integers(0, 60), max_size=3))
def test_so_are_those_that_are_killed_one_after_another(
    lives: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        node = Node(tmp_path_factory.mktemp("spool"), patch)
        for steps in lives:
            node.live(steps)
        node.live()
        node.settle()
        assert node.closes


def test_one_that_ends_in_order_leaves_nothing(node: Node) -> None:
    with node.start() as spool:
        programs = node.kernel.load()
        spool.mark.follow("a", {program.type: [program] for program in programs})
        node.run(programs)
        assert node.kernel.held
    node.killed()
    assert node.kernel.held == {}
    with node.start() as spool:
        assert spool.mark.lost == () and spool.mark.unaccounted_ns == 0


def test_where_counters_cannot_be_held_it_says_since_when(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "collector")
    node.kernel.refuses = True
    node.live()
    assert caplog.text.count("Operation not permitted") == 1
    with node.start() as spool:
        assert spool.mark.lost == ()
        assert spool.mark.unaccounted_ns == node.clock.now_ns() - 2 * SECOND_NS


def test_where_the_machine_went_down_too_it_says_since_when(node: Node) -> None:
    node.live()
    node.kernel.clear()
    with node.start() as spool:
        assert spool.mark.lost == ()
        assert spool.mark.unaccounted_ns == node.clock.now_ns() - 2 * SECOND_NS


def test_while_the_disk_takes_nothing_no_number_is_claimed(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in memory may be stored by the server, of which the mark would know nothing."""
    spool = node.start()
    programs = node.kernel.load()
    spool.mark.follow("a", {program.type: [program] for program in programs})

    def drained(number: int) -> None:
        node.run(programs)
        for drain in [program.drain(number) for program in programs]:
            spool.append(drain)
        node.deliver(spool)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "replace", full)
        drained(0)
    assert node.kernel.held == {}
    drained(1)
    assert node.kernel.held, "from now on it is known again"
    node.run(programs)
    node.killed()
    node.settle()
    assert node.closes
    assert losses(node.server.values())[marks.CAUSE] == 8


def test_samples_of_two_programs_in_one_type_are_added(node: Node) -> None:
    """As wall-clock time is the sum of that on and off CPUs."""
    spool = node.start()
    programs = node.kernel.load()
    wall = ProfileType("wall", "nanoseconds")
    spool.mark.follow("a", {CPU: programs[:1], wall: programs})
    node.run(programs)
    node.killed()
    with node.start() as spool:
        assert {drain.type: drain.taken for drain in spool.mark.lost} == {CPU: 5, wall: 10}
