"""The children that read files: each is reaped, however long it takes to end."""

import os
import subprocess
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
