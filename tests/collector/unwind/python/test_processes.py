"""How processes become known, and what is said of those whose frames have no names."""

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from collector.kernel.maps import Map
from collector.processes.cache import Process, ProcessCache
from collector.processes.maps import Mapping
from collector.processes.procfs import ProcFs
from collector.unwind.python.inspection import Inspected
from collector.unwind.python.stacks import PythonFrame
from profiler.model import Kind
from tests.collector.unwind.python.conftest import Start, interpreters
from tests.collector.unwind.python.harness import Harness
from tests.collector.unwind.python.test_walk import FREQUENCY_HZ, python_frames, simple
from tests.processes import eventually

pytestmark = pytest.mark.kernel

WAIT = "input()"
FORK = """
import os, sys, threading, time
def child():
    while True: pass
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
pid = os.fork()
if not pid:
    child()
print(pid, flush=True)
os.waitpid(pid, 0)
"""


EXEC = """
import os, sys
sys.stdin.read(1)
os.execv(sys.argv[1], sys.argv[1:])
"""


def waiting(harness: Harness, start: Start, python: Path) -> Process:
    """A process that is known, and waits in Python code."""
    process = start(python, "-c", WAIT, stdin=subprocess.PIPE)
    eventually(lambda: harness.introduced(process.pid), "an interpreter that waits for input")
    return ProcessCache(ProcFs()).refresh(process.pid)


def library(process: Process) -> Mapping:
    """The mapping of the interpreter's code."""
    return max((m for m in process.mappings if "python" in m.name), key=lambda m: m.end - m.start)


def test_a_new_process_begins_with_what_was_good_in_another(
    harness: Harness, start: Start, python: Path
) -> None:
    known = waiting(harness, start, python)
    good = harness.interpreters.inspected(known.pid)
    assert good
    # Our own memory has no interpreter there, as that of a process that has just begun.
    moved, mapping = 1 << 40, library(known)
    begun = Process(os.getpid(), mappings=(Mapping(mapping.start + moved, mapping.end + moved,
        mapping.offset, mapping.device, mapping.inode, mapping.path),))  # fmt: skip
    try:
        harness.interpreters.add(begun)
        assert harness.interpreters.cause(begun.pid) == "layout_mismatch"
        provisional = harness.interpreters.inspected(begun.pid)
        assert provisional
        assert provisional.code_type == good.code_type + moved
        assert (provisional.layout, provisional.slot) == (good.layout, good.slot)
    finally:
        harness.interpreters.remove(begun.pid)


def test_a_child_is_walked_before_anybody_heard_of_it(
    harness: Harness, start: Start, python: Path
) -> None:
    parent = start(python, "-c", FORK, stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(parent.stdout.readline())
    try:
        eventually(lambda: harness.introduced(parent.pid), "a parent that waits")
        samples = harness.sample(child, 0.2, FREQUENCY_HZ, least=50)
        assert any(isinstance(frame, PythonFrame) for frame in samples[0].stack.frames)
        harness.interpreters.copy(child, parent.pid)
        chains = Counter(
            tuple(map(simple, python_frames(harness, child, sample))) for sample in samples
        )
        assert chains["<module>", "child"] > 0.9 * len(samples) > 20
    finally:
        os.kill(child, signal.SIGKILL)
        harness.interpreters.remove(child)


def test_an_exec_that_nobody_saw_is_noticed(harness: Harness, start: Start, python: Path) -> None:
    other = next(path for path in reversed(interpreters()) if path.name != python.name)
    command = (other, "-c", "while True: pass")
    process = start(python, "-c", EXEC, *command, stdin=subprocess.PIPE)
    before = eventually(lambda: checked(harness, process.pid), "an interpreter that waits")
    assert process.stdin
    process.stdin.write(b"!")
    process.stdin.flush()

    def changed() -> bool | None:
        return True if checked(harness, process.pid) not in (None, before) else None

    eventually(changed, "the interpreter that it executed")
    samples = harness.settled(process.pid, 0.3, FREQUENCY_HZ)
    chains = {tuple(map(simple, python_frames(harness, process.pid, s))) for s in samples}
    assert ("<module>",) in chains <= {("<module>",), ()}


def test_a_process_that_runs_python_no_more_is_forgotten(
    harness: Harness, start: Start, python: Path
) -> None:
    process = start(python, "-c", EXEC, "/bin/sleep", "60", stdin=subprocess.PIPE)
    eventually(lambda: checked(harness, process.pid), "an interpreter that waits")
    told = Map(harness.fds["python_processes"])
    assert told.lookup(process.pid.to_bytes(4, "little")) is not None
    assert process.stdin
    process.stdin.write(b"!")
    process.stdin.flush()

    def forgotten() -> bool | None:
        checked(harness, process.pid)
        return True if told.lookup(process.pid.to_bytes(4, "little")) is None else None

    eventually(forgotten, "a process without an interpreter")
    assert harness.interpreters.inspected(process.pid) is None


def checked(harness: Harness, pid: int) -> Inspected | None:
    """What is known of a process that was checked, after another look at what it has mapped."""
    harness.introduced(pid)
    harness.interpreters.poll()
    return None if harness.interpreters.cause(pid) else harness.interpreters.inspected(pid)


def test_frames_without_a_name_say_why(harness: Harness, start: Start, python: Path) -> None:
    known = waiting(harness, start, python)
    place = library(known).start
    nothing = harness.names.answer(known.pid, PythonFrame(place, 0, 1))
    assert nothing.cause == "python_unreadable"
    gone = harness.names.answer((1 << 22) + 1, PythonFrame(place, 0, 1))
    assert gone.cause == "process_gone"
    assert {gone.frames[0].kind, nothing.frames[0].kind} == {Kind.PYTHON}
