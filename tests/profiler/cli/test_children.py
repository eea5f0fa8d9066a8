import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.cli.children import REASON_DELAY_S, Children
from profiler.errors import UnavailableError

TIMEOUT_S = 60


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


WAIT = "import time; print('ready', flush=True); time.sleep(600)"


def attend_until(children: Children, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not done():
        assert children.attend(0.05)
        assert time.monotonic() < deadline


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_what_a_child_says_is_passed_on() -> None:
    said: list[str] = []
    with Children(said.append) as children:
        children.start("talk", python("print('one'); print('two', end='')"), may_end=True)
        attend_until(children, lambda: len(said) == 2)
    assert said == ["one", "two"]


def test_a_child_that_fails_is_told_with_its_reason_and_exit_code() -> None:
    said: list[str] = []
    code = "import sys; print('hello'); print('profiler: port in use', file=sys.stderr); exit(3)"
    with (
        pytest.raises(UnavailableError) as caught,
        Children(said.append) as children,
    ):
        children.start("serve", python(code))
        attend_until(children, lambda: False)
    assert str(caught.value) == "`profiler serve` ended: port in use (exit code 3)"
    assert said == ["hello"]


def test_a_child_that_ends_without_a_word_is_told_too() -> None:
    with (
        pytest.raises(UnavailableError, match=r"`profiler x` ended: no reason \(exit code 0\)"),
        Children(print) as children,
    ):
        children.start("x", python(""))
        attend_until(children, lambda: False)


def test_a_reason_that_was_passed_on_before_the_end_is_pointed_at() -> None:
    said: list[str] = []
    code = (
        f"import time; print('port in use', flush=True); time.sleep({2 * REASON_DELAY_S}); exit(1)"
    )
    with (
        pytest.raises(UnavailableError, match=r"`profiler x` ended: see above \(exit code 1\)"),
        Children(said.append) as children,
    ):
        children.start("x", python(code))
        attend_until(children, lambda: False)
    assert said == ["port in use"]


def test_a_killed_child_is_told_by_the_signal() -> None:
    code = "import os; os.kill(os.getpid(), 9)"
    with (
        pytest.raises(UnavailableError, match=r"\(killed by SIGKILL\)"),
        Children(print) as children,
    ):
        children.start("x", python(code), may_end=True)
        attend_until(children, lambda: False)


def test_children_are_stopped_last_started_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open(sys.argv[2], 'a').write(sys.argv[1]); time.sleep(0.1)\n"
        "    open(sys.argv[2], 'a').write(sys.argv[1].upper()); exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    said: list[str] = []
    with Children(said.append) as children:
        for name in "abc":
            children.start(name, [*python(code), name, str(log)])
        attend_until(children, lambda: len(said) == 3)
    assert log.read_text() == "cCbBaA"


def test_a_signal_ends_the_attendance_and_then_the_children() -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with Children(said.append) as children:
        children.start("wait", python(WAIT))
        attend_until(children, lambda: said == ["ready"])
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        started = time.monotonic()
        assert not children.attend(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_kills_a_child_that_does_not_end() -> None:
    said: list[str] = []
    stubborn = "import signal; signal.signal(signal.SIGTERM, lambda *_: None)\n" + WAIT
    started = time.monotonic()
    with Children(said.append) as children:
        children.start("wait", python(stubborn))
        attend_until(children, lambda: said == ["ready"])
        os.kill(os.getpid(), signal.SIGINT)
        assert not children.attend(TIMEOUT_S)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert time.monotonic() - started < TIMEOUT_S
    assert said[-1] == "profiler: `wait` was killed: what it had left is not stored"


def test_who_waits_for_a_child_to_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler.cli.children.PATIENCE_S", 0.1)
    said: list[str] = []
    slow = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), exit(0)))\n" + WAIT
    )
    with Children(said.append) as children:
        children.start("wait", python(slow))
        attend_until(children, lambda: said == ["ready"])
    assert said[1:] == ["profiler: waiting for `wait` to end; Ctrl-C again kills it"]


def test_no_child_outlives_a_parent_that_is_killed() -> None:
    parent = (
        "import sys\n"
        "from profiler.cli.children import Children\n"
        "with Children(print) as children:\n"
        f"    children.start('wait', [sys.executable, '-c', {WAIT!r}])\n"
        "    print(children._children[0].process.pid, flush=True)\n"
        "    children.attend(60)\n"
    )
    with subprocess.Popen(python(parent), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert not gone(child)
        process.kill()
    deadline = time.monotonic() + TIMEOUT_S
    while not gone(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)
