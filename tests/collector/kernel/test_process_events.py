"""What the running kernel reports of processes that come and go."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from collector.events import parse
from collector.kernel import cpus, perf_event
from collector.kernel.perf_event import Events
from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampling import sample
from collector.processes.events import Event, Executed, Exited, Forked, Mapped

pytestmark = pytest.mark.kernel


def of_process(events: list[Event], pid: int) -> list[Event]:
    return [event for event in events if getattr(event, "pid", None) == pid]


def test_a_process_leaves_its_birth_its_program_its_mappings_and_its_end_behind() -> None:
    with ProcessEvents() as events:
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            pass
        born, *later, ended = of_process(events.read(), process.pid)
    assert isinstance(born, Forked) and isinstance(ended, Exited)
    executed = next(event for event in later if isinstance(event, Executed))
    mapped = [event.mapping for event in later if isinstance(event, Mapped)]
    file = Path(sys.executable).resolve()
    assert executed.comm.startswith(b"python")
    assert mapped[0].path == bytes(file)
    assert mapped[0].inode == file.stat().st_ino
    assert any(mapping.name.startswith("libc.so") for mapping in mapped)


def test_events_come_in_the_order_in_which_they_happened() -> None:
    with ProcessEvents() as events:
        for _ in range(20):
            subprocess.run(["/bin/true"], check=True)
        times = [event.time_ns for event in events.read()]
    assert len(times) > 100 and times == sorted(times)


def test_each_event_is_read_once() -> None:
    with ProcessEvents() as events:
        with subprocess.Popen(["/bin/true"]) as process:
            pass
        assert of_process(events.read(), process.pid)
        assert not of_process(events.read(), process.pid)


def test_a_ring_is_emptied_before_it_is_full() -> None:
    with ProcessEvents(pages=16) as events:
        for _ in range(400):  # some 300 KB of records, for at most 128 KiB of room
            subprocess.run(["/bin/true"], check=True)
        executed = [event for event in events.read() if isinstance(event, Executed)]
    assert events.missed == 0
    assert len([event for event in executed if event.comm == b"true"]) >= 400


def test_events_that_find_no_room_are_counted() -> None:
    with ProcessEvents(pages=1) as events:
        with events._lock:  # nobody empties the ring meanwhile
            for _ in range(100):
                subprocess.run(["/bin/true"], check=True)
        events.read()
        subprocess.run(["/bin/true"], check=True)
        events.read()
        assert events.missed > 0


def test_nothing_is_told_in_a_pause_and_what_was_missed_is_known() -> None:
    with ProcessEvents() as events:
        events.paused = True
        events.read()
        with subprocess.Popen(["/bin/true"]) as process:
            pass
        assert events.missed
        assert not events.read()
        events.paused = False
        missed = events.missed
        with subprocess.Popen(["/bin/true"]) as process:
            pass
        assert of_process(events.read(), process.pid)
        assert events.missed == missed


def test_a_cpu_that_comes_is_watched_and_what_it_did_before_is_missed(tmp_path: Path) -> None:
    online = cpus.online()
    if len(online) < 2:
        pytest.skip("one CPU: none can come or go")
    with ProcessEvents() as events:
        events.follow_cpus(online[:1])
        alone_on(online[1], tmp_path)
        assert not executed_alone(events)
        events.follow_cpus(online)
        assert events.missed == 1
        alone_on(online[1], tmp_path)
        assert executed_alone(events)
        events.follow_cpus(online)
        assert events.missed == 1


def test_a_cpu_that_was_away_between_two_looks_is_watched_again(tmp_path: Path) -> None:
    """Its event does nothing any more, and stands in no list."""
    cpu = cpus.online()[-1]
    with ProcessEvents() as events:
        events.follow_cpus(cpus.online())
        fcntl.ioctl(events._fds[cpu], perf_event.DISABLE, 0)
        for _ in range(2):
            events.follow_cpus(cpus.online())
        assert events.missed == 1
        alone_on(cpu, tmp_path)
        assert executed_alone(events)


def test_a_cpu_that_was_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """However many events are sampled, each of which had one on that CPU."""
    cpu, chosen = cpus.online()[-1], parse("cpu-clock,page-faults", frequency_hz=99)
    with ProcessEvents() as events, sample(chosen) as sampling:

        def look() -> None:
            sampling.drain()
            events.follow_cpus(cpus.online())

        look()
        for followed in (events, *(sampler._events for sampler in sampling.samplers)):
            assert isinstance(followed, ProcessEvents | Events)
            fcntl.ioctl(followed._fds[cpu], perf_event.DISABLE, 0)
        for _ in range(3):
            look()
    assert caplog.text.count(f"CPU {cpu} was offline") == 1


def alone_on(cpu: int, folder: Path) -> None:
    """`taskset` starts anywhere, and becomes a program of this test's own on that CPU."""
    program = shutil.copy("/bin/true", folder / "alone")
    subprocess.run(["taskset", "--cpu-list", str(cpu), program], check=True)


def executed_alone(events: ProcessEvents) -> bool:
    return any(isinstance(event, Executed) and event.comm == b"alone" for event in events.read())


def test_another_reader_has_the_events_since_its_entry_for_itself() -> None:
    def run() -> int:
        with subprocess.Popen(["/bin/true"]) as process:
            return process.pid

    with ProcessEvents() as events:
        before = run()
        with events.overheard() as overheard:
            pid = run()
            mine, theirs = overheard.read(), events.read()
        after = run()
        rest = events.read()
    assert of_process(mine, pid) == of_process(theirs, pid) != []
    assert (of_process(mine, before), of_process(overheard.read(), after)) == ([], [])
    assert of_process(theirs, before) and of_process(rest, after)


def test_another_reader_misses_what_is_not_told() -> None:
    with ProcessEvents() as events, events.overheard() as overheard:
        events.paused = True
        overheard.read()
        assert overheard.missed == 1
