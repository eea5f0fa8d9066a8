"""Sessions as a node grants, refuses and ends them; those marked `kernel` sample for real."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from collector.events import parse_all
from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampling import sample
from collector.labels.labeller import Labelling
from collector.on_demand.limits import Limits
from collector.on_demand.request import Request
from collector.on_demand.sessions import Sessions
from collector.on_demand.source import Node, Open, Source, opened
from collector.sources import live
from collector.sources.live import LiveSource
from collector.symbols.symbolizer import Symbolizer
from profiler import wire
from profiler.errors import PrivilegeError
from profiler.model import Drain
from profiler.session import State
from profiler.timerange import SECOND
from profiler.v1 import ingest_pb2 as pb

NAME = "9f86d081884c7d65"
WORKER = 'cpu{process_executable_name="worker"}'


class Delivered:
    """An Exporter that hands out what it was given."""

    def __init__(self) -> None:
        self._drains = SimpleQueue[Drain]()

    def export(self, drain: Drain) -> None:
        self._drains.put(drain)

    def close(self) -> None: ...

    def next(self) -> Drain:
        return self._drains.get(timeout=60)

    def until_end(self) -> list[Drain]:
        """Of the session that ends next."""
        drains = [self.next()]
        while drains[-1].progress and not drains[-1].progress.ended:
            drains.append(self.next())
        return drains

    @property
    def nothing(self) -> bool:
        with suppress(Empty):
            self._drains.get(timeout=0.2)
            return False
        return True


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


@pytest.fixture
def begin(tmp_path: Path, delivered: Delivered) -> Iterator[Callable[..., Sessions]]:
    """The sessions of a node with these limits; what still runs at the end is ended."""
    begun: list[Sessions] = []

    def make(opened: Open = opened, usual: LiveSource | None = None, **limits: Any) -> Sessions:
        labelling = Labelling("a", engine_sockets=())
        node = Node(usual, labelling, "auto", "auto", "auto", None, tmp_path / "unwind")
        begun.append(Sessions(Limits(**limits), node, delivered, open=opened))
        return begun[-1]

    yield make
    for each in begun:
        each.close()


def request(session: str = NAME, **given: Any) -> pb.Request:
    usual: Mapping[str, Any] = {
        "selector": WORKER,
        "event": "cpu",
        "frequency_hz": 499,
        "duration_ns": SECOND,
    }
    return pb.Request(session=session, **{**usual, **given})


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is busy, and starts another one that is."""
    program, other = tmp_path / "worker", tmp_path / "other"
    for each in (program, other):
        shutil.copy("/bin/dash", each)
    busy = "while :; do :; done"
    with subprocess.Popen([program, "-c", f"{other} -c '{busy}' & {busy}"]) as process:
        yield process
        subprocess.run(["pkill", "-KILL", "-P", str(process.pid)], check=True)
        process.kill()


def outcome(drain: Drain) -> tuple[State, str]:
    assert drain.progress
    return drain.progress.state, drain.progress.reason


@pytest.mark.kernel
def test_the_processes_that_match_are_sampled_and_nothing_else(
    begin: Callable[..., Sessions], delivered: Delivered, worker: subprocess.Popen[bytes]
) -> None:
    begin().ask(request())
    drains = delivered.until_end()
    assert [drain.progress and drain.progress.processes for drain in drains] == [1] * len(drains)
    assert outcome(drains[0]) == (State.RUNNING, "")
    assert outcome(drains[-1]) == (State.DONE, "")
    labels = [dict(profile.labels) for drain in drains for profile in drain.profiles]
    assert {one["process_executable_name"] for one in labels} == {"worker"}
    assert {one["profiler_session"] for one in labels} == {NAME}
    assert {drain.type.name for drain in drains} == {"cpu_on_demand"}
    assert {profile.period for drain in drains for profile in drain.profiles} == {SECOND // 499}
    assert sum(drain.taken for drain in drains) > 20
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)


@pytest.mark.kernel
def test_time_off_cpus_is_a_session_of_its_own_type(
    begin: Callable[..., Sessions], delivered: Delivered, tmp_path: Path
) -> None:
    """It waits for one program after the other, nearly all of the time."""
    program = shutil.copy("/bin/dash", tmp_path / "worker")
    with subprocess.Popen([program, "-c", "while :; do sleep 0.1; done"]) as process:
        begin(frequency_hz=1).ask(request(event="off-cpu/min=1ms/", duration_ns=3 * SECOND))
        drains = delivered.until_end()
        process.kill()
    assert outcome(drains[-1]) == (State.DONE, "")
    assert {(drain.type.name, drain.type.unit) for drain in drains} == {
        ("off_cpu_on_demand", "nanoseconds")
    }
    profiles = [profile for drain in drains for profile in drain.profiles]
    assert {dict(one.labels)["process_executable_name"] for one in profiles} == {"worker"}
    assert SECOND < sum(profile.total_value for profile in profiles) < 4 * SECOND
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)


@pytest.mark.kernel
def test_what_they_start_is_left_out_by_name_where_it_does_not_match(
    begin: Callable[..., Sessions], delivered: Delivered, tmp_path: Path
) -> None:
    """It is born within the session, so its samples are taken: they are not lost uncounted."""
    program, other = tmp_path / "worker", tmp_path / "other"
    for each in (program, other):
        shutil.copy("/bin/dash", each)
    script = f"read go; {other} -c 'while :; do :; done'"
    with subprocess.Popen([program, "-c", script], stdin=subprocess.PIPE) as process:
        begin().ask(request())
        assert outcome(delivered.next()) == (State.RUNNING, "")
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        drains = delivered.until_end()
        subprocess.run(["pkill", "-KILL", "-P", str(process.pid)], check=True)
        process.kill()
    assert sum(drain.losses.get("excluded", 0) for drain in drains) > 0
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)


@pytest.mark.kernel
def test_a_host_alone_means_all_of_it(
    begin: Callable[..., Sessions], delivered: Delivered, worker: subprocess.Popen[bytes]
) -> None:
    begin().ask(request(selector='cpu{host_name=~"a|b"}'))
    drains = delivered.until_end()
    assert drains[-1].progress and drains[-1].progress.processes == 0
    labels = [dict(profile.labels) for drain in drains for profile in drain.profiles]
    assert {one["process_executable_name"] for one in labels} >= {"worker", "other"}


@pytest.fixture
def usual(tmp_path: Path) -> Iterator[LiveSource]:
    """The usual profile of this machine."""
    labelling = Labelling("a", engine_sockets=())
    sampling = sample(parse_all(["cpu"], frequency_hz=99), call_graph="auto")
    symbolizer = Symbolizer(labelling)
    with LiveSource(sampling, ProcessEvents(), symbolizer, "a", tmp_path / "unwind") as live:
        yield live


@pytest.mark.kernel
def test_what_the_usual_profile_knows_serves_a_session_too(
    begin: Callable[..., Sessions],
    delivered: Delivered,
    worker: subprocess.Popen[bytes],
    usual: LiveSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has no tables of its own: each would be built and kept twice. Both have whole stacks."""
    if usual.unwinding is None:
        pytest.skip("stacks are walked by frame pointers here")
    monkeypatch.setattr(live, "Unwinding", None)
    usual.drain()  # by now its tables are there
    sessions = begin(usual=usual)
    sessions.ask(request(duration_ns=2 * SECOND))
    drains = delivered.until_end()
    assert outcome(drains[-1]) == (State.DONE, "")
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)
    assert not any(name.startswith("[truncated") for name in functions(drains))
    (after,) = usual.drain()
    assert after.unaccounted == 0
    assert functions([after])


def functions(drains: Sequence[Drain]) -> set[str]:
    """Of the worker."""
    profiles = [profile for drain in drains for profile in drain.profiles]
    own = [one for one in profiles if dict(one.labels)["process_executable_name"] == "worker"]
    stacks = [frames for one in own for frames, _, _ in one.stacks()]
    return {frame.function for frames in stacks for frame in frames}


@pytest.mark.kernel
def test_a_session_that_outlasts_the_usual_profile_delivers_what_it_has(
    begin: Callable[..., Sessions],
    delivered: Delivered,
    worker: subprocess.Popen[bytes],
    usual: LiveSource,
) -> None:
    sessions = begin(usual=usual)
    sessions.ask(request(duration_ns=60 * SECOND))
    assert outcome(delivered.next()) == (State.RUNNING, "")
    usual.__exit__(None, None, None)
    sessions.close()
    drains = delivered.until_end()
    assert outcome(drains[-1]) == (State.CUT, "the collector stops")
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)


@pytest.mark.kernel
def test_a_session_is_cut_at_the_limit_of_the_node(
    begin: Callable[..., Sessions], delivered: Delivered, worker: subprocess.Popen[bytes]
) -> None:
    begin(duration_ns=SECOND).ask(request(duration_ns=3600 * SECOND))
    assert outcome(delivered.until_end()[-1]) == (State.CUT, "this node samples for 1 s at most")


@pytest.mark.kernel
def test_a_session_that_is_stopped_delivers_what_it_has(
    begin: Callable[..., Sessions], delivered: Delivered, worker: subprocess.Popen[bytes]
) -> None:
    sessions = begin()
    sessions.ask(request(duration_ns=60 * SECOND))
    assert outcome(delivered.next()) == (State.RUNNING, "")
    assert delivered.next().taken > 0
    sessions.ask(pb.Request(session=NAME, stop=True))
    drains = delivered.until_end()
    assert outcome(drains[-1]) == (State.CUT, "stopped by who asked")


@pytest.mark.kernel
def test_a_collector_that_stops_ends_its_sessions_first(
    begin: Callable[..., Sessions], delivered: Delivered, worker: subprocess.Popen[bytes]
) -> None:
    sessions = begin()
    sessions.ask(request(duration_ns=60 * SECOND))
    delivered.next()
    sessions.close()
    assert outcome(delivered.until_end()[-1]) == (State.CUT, "the collector stops")
    sessions.ask(request("0" * 16))
    assert delivered.nothing


@pytest.mark.kernel
def test_nothing_that_matches_is_a_refusal(
    begin: Callable[..., Sessions], delivered: Delivered
) -> None:
    begin().ask(request(selector='cpu{service_name="nobody"}'))
    assert outcome(delivered.next()) == (State.REFUSED, "no process here matches")


@contextmanager
def refused_by_the_kernel(request: Request, node: Node) -> Iterator[Source]:
    raise PrivilegeError("the kernel refuses perf events")
    yield  # type: ignore[unreachable]


@contextmanager
def waiting(request: Request, node: Node) -> Iterator[Source]:
    """Runs until it is stopped, and takes nothing."""
    yield Source(_Idle(), _Idle(), 1)  # type: ignore[arg-type]


class _Idle:
    stopped = False
    children = (7,)
    spent_ns = 5

    @property
    def symbolizer(self) -> "_Idle":
        return self

    def hurry(self, patience_seconds: float) -> None: ...

    def stop(self) -> None:
        self.stopped = True

    def drain(self) -> tuple[Drain, ...]:
        return (Drain("a", 0, 0, 0),)


@contextmanager
def broken(request: Request, node: Node) -> Iterator[Source]:
    raise RuntimeError("a bug")
    yield  # type: ignore[unreachable]


@pytest.mark.parametrize(
    ("limits", "asked", "reason"),
    [
        ({"off": "switched off"}, {}, "switched off"),
        ({"frequency_hz": 500}, {"frequency_hz": 501}, "501 Hz is above the 500 Hz that this node"),
        ({"frequency_hz": 500}, {"event": "cpu/freq=501/"}, "501 Hz is above the 500 Hz that"),
        ({}, {"event": "pagefaults"}, "no event 'pagefaults'; did you mean page-faults"),
        ({}, {"event": "cpu,off-cpu"}, "events cpu,off-cpu: a session is of one"),
        ({}, {"event": "uprobe:/bin/dash:main"}, "uprobe:/bin/dash:main is not offered on demand"),
        ({}, {"event": "uprobe:/a:f+08"}, "uprobe:/a:f+08 is not offered on demand"),
        ({}, {"event": "9x"}, "no event '9x'"),
        ({}, {"event": "page-faults/period=1/"}, "page-faults is not offered on demand"),
        ({}, {"event": "sched:sched_switch"}, "sched:sched_switch is not offered on demand"),
        ({"opened": refused_by_the_kernel}, {}, "the kernel refuses perf events"),
        ({"opened": broken}, {}, "a mistake of the collector, whose log says more"),
        ({}, {"selector": "cpu{"}, "expected a label name or }"),
        ({}, {"duration_ns": 0}, "a session needs a frequency and a duration"),
    ],
)
def test_a_refusal_says_why(
    begin: Callable[..., Sessions],
    delivered: Delivered,
    limits: dict[str, Any],
    asked: dict[str, Any],
    reason: str,
) -> None:
    begin(**{"opened": waiting, **limits}).ask(request(**asked))
    state, said = outcome(drain := delivered.next())
    assert state is State.REFUSED
    assert reason in said
    wire.decode(wire.encode(drain, bytes(16), 1))  # the server takes it
    assert delivered.nothing


def test_there_are_no_more_at_once_than_the_node_allows(
    begin: Callable[..., Sessions], delivered: Delivered
) -> None:
    sessions = begin(waiting, at_once=1)
    sessions.ask(request(duration_ns=60 * SECOND))
    assert outcome(delivered.next()) == (State.RUNNING, "")
    sessions.ask(request("0" * 16))
    drains = [delivered.next() for _ in range(2)]  # one of them may be of the first, after a second
    refused = [drain for drain in drains if drain.progress and drain.progress.session != NAME]
    reason = "1 sessions run here, as many as this node allows at once"
    assert [outcome(drain) for drain in refused] == [(State.REFUSED, reason)]


def test_what_sessions_cost_is_told_and_they_are_the_first_to_be_given_up(
    begin: Callable[..., Sessions], delivered: Delivered
) -> None:
    sessions = begin(waiting)
    assert not sessions.give_up()
    sessions.ask(request(duration_ns=60 * SECOND))
    assert outcome(delivered.next()) == (State.RUNNING, "")
    assert (sessions.children, sessions.spent_ns) == ([7], 5)
    assert sessions.give_up()
    state, reason = outcome(delivered.until_end()[-1])
    assert state is State.CUT
    assert "has taken what it may of its node" in reason
    sessions.close()
    assert (sessions.children, sessions.spent_ns) == ([], 5)


def test_a_session_that_is_asked_for_again_is_not_begun_again(
    begin: Callable[..., Sessions], delivered: Delivered
) -> None:
    sessions = begin(refused_by_the_kernel)
    for _ in range(2):
        sessions.ask(request())
    assert outcome(delivered.next())[0] is State.REFUSED
    assert delivered.nothing


def test_a_request_without_a_name_is_left(
    begin: Callable[..., Sessions], delivered: Delivered
) -> None:
    begin().ask(request("../../etc/passwd"))
    assert delivered.nothing
