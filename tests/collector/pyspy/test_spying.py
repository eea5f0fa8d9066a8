"""py-spy at work on real interpreters, and what becomes of it where it does not work."""

import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from collector import privileges
from collector.pyspy import recording, spying
from collector.pyspy.placement import Sighting
from collector.pyspy.recording import Failed, Recording, held_at_most
from collector.pyspy.spying import FIRST_WAIT_NS, Spying
from collector.sources.raw import RawDrain, RawSample
from profiler.clock import SystemClock
from profiler.model import Frame, Kind
from tests.collector.clock import FakeClock
from tests.collector.pyspy.conftest import PROGRAMS, Start, interpreter
from tests.processes import PATIENCE_SECONDS, eventually

PATIENCE_NS = int(PATIENCE_SECONDS * 1e9)
GONE = 4_194_305
"""A pid that no process can have (pid_max is 2^22 at most)."""
BEGIN = """
import os, sys, time
from pathlib import Path
from collector.pyspy.recording import Recording
from profiler.clock import SystemClock
kept = Recording(Path(sys.argv[1]), os.getpid(), SystemClock())
print(kept._child.pid, flush=True)
time.sleep(60)
"""

Script = Callable[[str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A program in place of py-spy."""

    def written(text: str) -> Path:
        path = tmp_path / "py-spy"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return written


def begun(one: Recording) -> bool | None:
    """Once it has said something or ended."""
    said = os.fstat(one._log).st_size or one._child.poll() is not None
    return True if said else None


def recorded(program: Path, pid: int, seconds: float) -> Sighting:
    clock = SystemClock()
    one = Recording(program, pid, clock)
    try:
        eventually(lambda: begun(one), "the beginning of a recording")
        time.sleep(seconds)
        one.interrupt()
        return one.result(clock.monotonic_ns() + PATIENCE_NS)
    finally:
        one.close()


def outcome(program: Path, pid: int) -> str:
    """Of one that ends by itself."""
    one = Recording(program, pid, SystemClock())
    try:
        one._child.wait()
        one.interrupt()
        with pytest.raises(Failed) as failed:
            one.result(0)
    finally:
        one.close()
    return failed.value.outcome


def started(start: Start, python: Path, name: str) -> subprocess.Popen[bytes]:
    """One of our programs, once its last thread runs."""
    process = start(python, PROGRAMS / name)
    tasks = Path(f"/proc/{process.pid}/task")
    eventually(lambda: len([*tasks.iterdir()]) > 1 or None, "its threads")
    return process


def leaves(sighting: Sighting) -> Counter[str]:
    found = Counter[str]()
    for stacks in sighting.stacks.values():
        for frames, count in stacks:
            found[frames[-1].function] += count
    return found


def used(*counts: tuple[int, int]) -> RawDrain:
    """A drain of 10 s at 100 Hz, by pid and samples."""
    samples = tuple(RawSample(pid, "t", (1,), (), count) for pid, count in counts)
    return RawDrain(0, 10_000_000_000, 10_000_000, sum(s.count for s in samples), samples=samples)


# --- real interpreters ------------------------------------------------------------------------


def test_time_is_split_as_the_program_does_and_sleepers_have_none(
    python: Path, program: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "RATE_HZ", 199)
    process = started(start, python, "split.py")
    since = time.monotonic()
    seen = recorded(program, process.pid, 2)
    passed = time.monotonic() - since
    found = leaves(seen)
    assert found.total() > 50
    deviations = 5 * math.sqrt(0.75 * 0.25 / found.total())
    assert found["three"] / found.total() == pytest.approx(0.75, abs=deviations)
    assert found["rest"] == 0
    assert min(found.total() / (199 * passed), 1) <= seen.held <= 1
    stack = max((stack for stacks in seen.stacks.values() for stack in stacks), key=lambda s: s[1])
    assert [frame.function for frame in stack[0]] == ["<module>", "main", "three"]
    assert {(frame.kind, frame.file) for frame in stack[0]} == {
        (Kind.PYTHON, str(PROGRAMS / "split.py"))
    }


def test_the_main_thread_has_the_name_that_the_kernel_knows(program: Path, start: Start) -> None:
    process = started(start, interpreter("python3.7"), "split.py")
    seen = recorded(program, process.pid, 1)
    assert set(seen.stacks) == {Path(f"/proc/{process.pid}/comm").read_text().strip()}


def test_names_that_a_process_makes_up_hurt_nobody(program: Path, start: Start) -> None:
    process = started(start, interpreter("python3.7"), "hostile.py")
    seen = recorded(program, process.pid, 1)
    for stacks in seen.stacks.values():
        for frames, _ in stacks:
            assert all(len(frame.function) <= 1024 for frame in frames)
            assert all(frame.function.isprintable() for frame in frames)


def test_what_ends_meanwhile_still_has_its_stacks(program: Path, start: Start) -> None:
    process = started(start, interpreter("python3.7"), "split.py")
    one = Recording(program, process.pid, SystemClock())
    eventually(lambda: begun(one), "the beginning of a recording")
    time.sleep(1)
    process.kill()
    process.wait()
    one._child.wait()
    one.interrupt()
    seen = one.result(0)
    one.close()
    assert leaves(seen)["three"] > 0


def test_what_runs_no_python_is_an_unknown_interpreter(program: Path, start: Start) -> None:
    assert outcome(program, start("sleep", "60").pid) == "unknown_interpreter"


def test_what_is_gone_is_gone(program: Path) -> None:
    assert outcome(program, GONE) == "process_gone"


def test_without_the_privilege_it_is_refused(
    program: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher gives up what it is not told to keep, and root has no more than that."""
    if not privileges.mask(recording.CAPABILITIES) & privileges.held():
        pytest.skip("there are no privileges to give up")
    process = start(interpreter("python3.7"), PROGRAMS / "split.py")
    monkeypatch.setattr(recording, "CAPABILITIES", ())
    assert outcome(program, process.pid) == "refused"


# --- bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo 'Permission Denied: Try again' >&2; exit 1", "refused"),
        ("echo 'Error: Unsupported version of Python' >&2; exit 1", "unknown_interpreter"),
        ("kill -SEGV $$", "crashed"),
        ("exit 0", "nothing_seen"),
    ],
)
def test_each_failure_has_its_name(script: Script, text: str, expected: str) -> None:
    assert outcome(script(text), os.getpid()) == expected


def test_one_that_has_not_begun_is_too_short(script: Script) -> None:
    one = Recording(script("exec sleep 600"), os.getpid(), SystemClock())
    one.interrupt()
    with pytest.raises(Failed, match="too_short"):
        one.result(time.monotonic_ns() + PATIENCE_NS)
    one.close()


def test_one_that_does_not_answer_is_ended(script: Script) -> None:
    clock = SystemClock()
    one = Recording(
        script("trap '' INT; echo Sampling; while :; do sleep 0.05; done"), os.getpid(), clock
    )
    eventually(lambda: begun(one), "the beginning of a recording")
    one.interrupt()
    with pytest.raises(Failed, match="timeout"):
        one.result(clock.monotonic_ns() + 300_000_000)
    one.close()
    assert not Path(f"/proc/{one._child.pid}").exists()


def test_a_report_without_an_end_is_cut(script: Script) -> None:
    endless = 'while [ "$1" != --output ]; do shift; done; exec yes "thread (1);f 1" > "$2"'
    assert outcome(script(endless), os.getpid()) == "crashed"


def test_it_does_not_outlive_the_collector(script: Script) -> None:
    collector = subprocess.Popen(
        [sys.executable, "-c", BEGIN, script("exec sleep 60")], stdout=subprocess.PIPE
    )
    assert collector.stdout
    with collector:
        child = Path("/proc", collector.stdout.readline().decode().strip())
        eventually(lambda: b"sleep" in (child / "cmdline").read_bytes() or None, "a recording")
        collector.send_signal(signal.SIGKILL)
    eventually(lambda: True if not (child / "cmdline").exists() else None, "its end")


def test_the_share_of_the_lock_is_one_at_most_and_never_too_small() -> None:
    assert held_at_most(290, 10) == held_at_most(0, 0) == 1
    assert 100 / 290 < held_at_most(100, 10) < 0.45
    assert 0 < held_at_most(0, 10) < 0.01


# --- which processes --------------------------------------------------------------------------


WRITES = """
while [ "$1" != --output ]; do shift; done
trap 'echo "thread (1);f (a.py:1) 7" > "$2"; exit 0' INT
echo Sampling
while :; do sleep 0.02; done
"""
SEEN = [((Frame("f", "a.py", 1, kind=Kind.PYTHON),), 7)]


def test_the_busiest_processes_are_recorded_up_to_a_number(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spying, "PATIENCE_NS", PATIENCE_NS)
    pids = [GONE + n for n in range(spying.AT_ONCE + 2)]
    known, clock = pids[1], FakeClock()
    cause = lambda pid: "" if pid == known else "unknown_version"  # noqa: E731
    with Spying(cause, script(WRITES), clock) as spy:
        spy.begin(used(*((pid, 1000 - n) for n, pid in enumerate(pids))))
        assert spy.collect() == {}  # it is too early
        spy.begin(used((pids[0], 1000)))
        for one in spy._recordings:
            eventually(partial(begun, one), "the beginning of a recording")
        clock.sleep(1)
        sightings = spy.collect()
        assert sorted(sightings) == [pid for pid in pids if pid != known][: spying.AT_ONCE]
        assert all(list(s.stacks.values()) == [SEEN] for s in sightings.values())
        assert spy.outcomes == {"ok": spying.AT_ONCE}
        assert spy.collect() == {}


def test_processes_that_use_little_or_wait_for_their_start_are_left_alone(script: Script) -> None:
    causes = {GONE: "unknown_version", GONE + 1: "idle", GONE + 2: "file_unreadable"}
    with Spying(causes.__getitem__, script(WRITES)) as spy:
        spy.begin(used((GONE, 19), (GONE + 1, 500), (GONE + 2, 500)))
        assert spy.collect() == {}
        assert not spy.outcomes


def test_a_failure_is_said_once_and_tried_again_later(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    clock, pid = FakeClock(), os.getpid()
    program = script("echo 'Permission Denied' >&2; exit 1")
    with Spying(lambda pid: "unknown_version", program, clock) as spy:
        first = FIRST_WAIT_NS // 1_000_000_000
        for seconds, refused in ((0, 1), (first - 1, 1), (1, 2), (2 * first - 1, 2), (1, 3)):
            clock.sleep(seconds)
            spy.begin(used((pid, 500)))
            for one in spy._recordings:
                one._child.wait()
                clock.sleep(1)
            assert spy.collect() == {}
            assert spy.outcomes == {"refused": refused}
    assert caplog.text.count("give the collector CAP_SYS_PTRACE") == 1


def test_without_py_spy_native_stacks_stay_and_the_log_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Spying(lambda pid: "unknown_version", None) as spy:
        spy.begin(used((os.getpid(), 500)))
        assert spy.collect() == {}
        assert spy.outcomes == {"not_installed": 1}
    assert "pip install py-spy" in caplog.text
