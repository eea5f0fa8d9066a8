"""Files of file systems that may never answer."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.processes.cache import Process, ProcessCache
from collector.processes.maps import Mapping
from collector.processes.procfs import ProcFs
from collector.symbols.answering import MAX_SILENT, Answering, SilentError
from collector.symbols.files import Unreadable, open_mapped
from tests.collector.symbols.silenceable import silenceable
from tests.processes import eventually

REMOTE, OTHER, DISK = (0, 77), (0, 78), (8, 1)


def null() -> int:
    return os.open("/dev/null", os.O_RDONLY)


def closed(descriptor: int) -> bool | None:
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return None


def test_one_that_does_not_answer_is_given_up_until_it_does() -> None:
    answering, answer, late = Answering(patience_seconds=0.05), threading.Event(), null()

    def wait() -> int:
        answer.wait(60)
        return late

    def opens() -> bool | None:
        try:
            descriptor = answering.opened(REMOTE, null)
        except SilentError:
            return None
        assert descriptor is not None
        os.close(descriptor)
        return True

    assert opens()
    with pytest.raises(SilentError):
        answering.opened(REMOTE, wait)
    assert opens() is None  # without asking
    for device in (OTHER, DISK):
        descriptor = answering.opened(device, null)
        assert descriptor is not None
        os.close(descriptor)
    answer.set()
    eventually(lambda: closed(late), "what was opened late is closed")
    eventually(opens, "it is asked again")


def test_no_more_threads_wait_than_there_may_be() -> None:
    answering, answer = Answering(patience_seconds=0.01), threading.Event()

    def wait() -> None:
        answer.wait(60)

    asked: list[Callable[[], None]] = [wait] * (MAX_SILENT + 5)
    for number, each in enumerate(asked):
        with pytest.raises(SilentError):
            answering.opened((0, number), each)
    waiting = [thread for thread in threading.enumerate() if thread.name == "open-file"]
    answer.set()
    assert len(waiting) == MAX_SILENT


def test_where_there_can_be_no_more_threads_a_file_is_not_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(SilentError):
        Answering().opened(REMOTE, null)


def mapped(pid: int) -> tuple[Process, Mapping] | None:
    process = ProcessCache(ProcFs()).refresh(pid)
    found = (mapping for mapping in process.mappings if mapping.name == "program")
    return next(((process, mapping) for mapping in found), None)


@pytest.mark.kernel
def test_a_program_of_a_file_system_without_its_server_holds_nobody_up(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with silenceable(place, Path("/bin/dash")) as silence:
        command = [str(place / "program"), "-c", "read never"]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
            process, mapping = eventually(lambda: mapped(program.pid), "it runs")
            os.close(open_mapped(Path("/proc"), process, mapping))
            silence()
            for _ in range(2):
                with pytest.raises(Unreadable, match="file_system_silent"):
                    open_mapped(Path("/proc"), process, mapping)
            program.kill()
