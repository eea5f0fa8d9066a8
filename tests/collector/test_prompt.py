"""Threads that do not stand back with who starts them, until they have taken too much."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from collector import priority
from collector.prompt import Allowance, Prompt

USUAL = os.getpriority(os.PRIO_PROCESS, 0)


def own() -> tuple[int, int]:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), os.sched_getscheduler(0)


def in_a_thread(work: Callable[[], None]) -> None:
    """Whose priority ends with it."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_thread_has_the_priority_of_before_its_starter_stood_back() -> None:
    found = []

    def stand_back_and_start() -> None:
        prompt = Prompt()
        priority.stand_back_thread(0)
        found.append(own())
        prompt.start(lambda: found.append(own()), "work").join()

    in_a_thread(stand_back_and_start)
    assert found == [
        (max(USUAL, priority.NICE), os.SCHED_BATCH),
        (USUAL, os.sched_getscheduler(0)),
    ]


def test_where_there_can_be_no_more_threads_the_next_can_be_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompt = Prompt()
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "refused":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="no thread for refused"):
        prompt.start(lambda: None, "refused")
    prompt.start(lambda: None, "work").join()


def test_one_that_takes_more_than_it_may_stands_back_and_another_does_not() -> None:
    ended, stood_back = threading.Event(), threading.Event()

    def work_on() -> None:
        deadline = time.monotonic() + 60
        while not stood_back.is_set() and time.monotonic() < deadline:
            if own()[1] == os.SCHED_BATCH:
                stood_back.set()

    prompt = Prompt(Allowance(at_once=0.05, share=0))
    modest: list[tuple[int, int]] = []

    def wait() -> None:
        ended.wait(60)
        modest.append(own())

    waiting = prompt.start(wait, "waits")
    prompt.start(work_on, "works").join()
    ended.set()
    waiting.join()
    assert stood_back.is_set()
    assert modest == [(USUAL, os.sched_getscheduler(0))]
