"""The children that read files: each is reaped, however long it takes to end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.confined.child import Child
from tests.processes import eventually


def test_a_child_that_is_slow_to_end_is_reaped_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = Child("collector.symbols.worker")
    with (tmp_path / "file").open("w+b") as file:
        child.ask(b"all", file.fileno(), file.fileno())
    slow = child._process
    assert slow

    def late(timeout: float) -> int:
        raise subprocess.TimeoutExpired("child", timeout)

    monkeypatch.setattr(slow, "wait", late)
    monkeypatch.setattr(slow, "poll", lambda: None)  # as while it waits for a disk that is away
    child.close()
    assert child.pid is None
    monkeypatch.undo()

    def reaped() -> bool | None:
        child.close()
        return True if slow.returncode is not None else None

    eventually(reaped, "the child is reaped")
    with pytest.raises(ChildProcessError):
        os.waitpid(slow.pid, os.WNOHANG)


def test_a_child_has_the_priority_of_its_parents_first_thread() -> None:
    """Which stands back where one that does not has started it."""
    script = """
import os, threading
from collector.confined.child import Child
from collector.prompt import Prompt
prompt = Prompt()
os.nice(3)
child = Child("collector.symbols.worker")
def ask():
    with open("/bin/true", "rb") as file, open("/dev/null", "wb") as target:
        child.ask(b"all", file.fileno(), target.fileno())
        child.answer(60)
        print(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        print(os.getpriority(os.PRIO_PROCESS, child.pid), flush=True)
prompt.start(ask, "ask").join()
"""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout
    assert said.split() == [str(usual), str(min(usual + 3, 19))]
