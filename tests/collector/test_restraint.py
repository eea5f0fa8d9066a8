"""The collector within its ceilings: bursts are let through, an hour is not."""

from dataclasses import dataclass, field

from collector.cost import Cost
from collector.restraint import STEPS, Ceilings, Restraint, Step
from tests.collector.clock import SECOND_NS, FakeClock

MIB = 1 << 20
INTERVAL = 10


@dataclass
class Node:
    """A collector that takes `base` of a CPU, and `sampling` more at the full rate; a change of
    rate comes into force with the next drain."""

    restraint: Restraint = field(init=False)
    clock: FakeClock = field(default_factory=FakeClock)
    base: float = 0.0
    sampling: float = 0.0
    resident: int = 0
    cpu_ns: int = 0
    asked: list[Step] = field(default_factory=list)
    forgotten: int = 0
    cpu: float = 0.2
    memory: int = 0

    def __post_init__(self) -> None:
        self._divisor = self._next = 1
        self.restraint = Restraint(Ceilings(self.cpu, self.memory), self, self.read, self.clock)

    def read(self) -> Cost:
        return Cost(self.cpu_ns, 0, 0, self.resident, 0)

    def restrain(self, step: Step) -> None:
        self.asked.append(step)
        self._next = step.divisor

    def forget(self) -> None:
        self.forgotten += 1

    def run(self, seconds: float) -> float:
        """CPUs that were taken on average."""
        before_ns = self.cpu_ns
        for _ in range(round(seconds / INTERVAL)):
            self.clock.pass_by(INTERVAL)
            taken = self.base + self.sampling / self._divisor
            self.cpu_ns += round(taken * INTERVAL * SECOND_NS)
            self._divisor = self._next
            self.restraint.look()
        return (self.cpu_ns - before_ns) / SECOND_NS / seconds


def test_what_stays_below_the_ceiling_is_let_alone() -> None:
    node = Node(base=0.1, sampling=0.09)
    node.run(3600)
    assert not node.asked


def test_a_start_may_take_more_for_a_while() -> None:
    node = Node(base=0.8)  # 4 s of a CPU in the first 5, and so on
    node.run(10)
    node.base = 0.02
    node.run(60)
    assert not node.asked


def test_a_little_too_much_is_brought_below_the_ceiling_within_a_minute() -> None:
    node = Node(base=0.02, sampling=0.2)
    node.run(90)
    assert node.run(60) <= node.cpu
    assert node.asked == [Step(2)]


def test_a_minute_that_is_paid_for_by_the_next_ones_takes_no_step() -> None:
    node = Node(base=0.9)
    node.run(10)
    node.base = 0.19  # the minute of the start has 18.5 s of a CPU: too much, but not any more
    node.run(300)
    assert not node.asked


def test_an_hour_takes_no_more_than_is_allowed() -> None:
    node = Node(base=0.05, sampling=1.0)
    node.run(600)
    assert node.run(3600) <= node.cpu
    assert all(step.symbols and step.events for step in node.asked)


def test_the_rate_comes_back_when_there_is_room_again() -> None:
    node = Node(sampling=1.0)
    node.run(600)
    assert node.restraint.in_force.divisor > 1
    node.sampling = 0.05
    node.run(600)
    assert node.restraint.in_force == Step(1)


def test_what_no_rate_helps_goes_to_the_last_step_and_no_further() -> None:
    node = Node(base=0.5)
    node.run(1200)
    assert node.asked == list(STEPS[1:])


def test_a_step_is_judged_by_a_drain_that_it_was_in_force_for() -> None:
    """Half of the rate is enough here: no second step is taken for the first one's delay."""
    node = Node(sampling=0.3)
    node.run(600)
    assert {step.divisor for step in node.asked} <= {1, 2}


def test_memory_is_given_back_and_no_more_symbols_are_read_until_there_is_less() -> None:
    node = Node(memory=400 * MIB, resident=401 * MIB)
    node.run(INTERVAL)
    assert node.forgotten == 1
    assert node.asked == [Step(1, symbols=False)]
    node.resident = 390 * MIB
    node.run(20)
    assert node.asked == [Step(1, symbols=False)]
    node.resident = 300 * MIB
    node.run(20)
    assert node.asked == [Step(1, symbols=False), Step(1)]
    assert node.forgotten == 1


def test_memory_that_is_not_files_is_fewer_samples() -> None:
    """Each step is judged by a drain of its own; below the ceiling it goes no further, and once
    there is room again the steps are taken back, one a minute."""
    node = Node(memory=400 * MIB, resident=500 * MIB)
    node.run(2 * INTERVAL)
    assert (node.forgotten, node.restraint.step) == (2, 1)
    node.run(2 * INTERVAL)
    assert node.restraint.step == 2
    node.resident = 390 * MIB
    node.run(120)
    assert node.restraint.step == 2
    node.resident = 300 * MIB
    node.run(180)
    assert node.asked[-1] == Step(1)


def test_without_ceilings_nothing_is_held_back() -> None:
    node = Node(base=5.0, resident=1 << 40, cpu=0, memory=0)
    node.run(3600)
    assert not node.asked


def test_what_is_beside_the_usual_profile_is_given_up_first() -> None:
    node = Node(sampling=0.5)
    others = ["a session"]
    give_up = lambda: bool(others) and others.pop() != ""  # noqa: E731
    node.restraint = Restraint(Ceilings(0.2, 0), node, node.read, node.clock, give_up)
    while others:
        node.run(INTERVAL)
    assert node.restraint.step == 0
    node.run(INTERVAL)
    assert node.restraint.step == 1
