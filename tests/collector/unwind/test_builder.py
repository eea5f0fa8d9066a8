"""The child that builds tables: answers in order, and one that dies costs one file."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.elf.source import of_descriptor
from collector.unwind import builder as builder_module
from collector.unwind import tablefile
from collector.unwind.builder import Builder
from profiler.clock import SystemClock
from profiler.errors import FormatError
from tests.collector.unwind.conftest import Build


class Hands(SystemClock):
    """A clock that the test can put forward."""

    ahead_ns = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


@pytest.fixture
def builder() -> Iterator[Builder[str]]:
    with Builder[str](None, Hands()) as started:
        yield started


def answers(builder: Builder[str], count: int) -> list[tuple[str, int | FormatError]]:
    """That many answers; the child may take its time on a busy machine."""
    found: list[tuple[str, int | FormatError]] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += builder.answers()
        time.sleep(0.01)
    return found


def text_file(tmp_path: Path) -> int:
    path = tmp_path / "text"
    path.write_bytes(b"\x7fELF, but no program")
    return os.open(path, os.O_RDONLY)


def test_a_file_becomes_a_table(builder: Builder[str], build: Build) -> None:
    builder.submit("leaf", os.open(build("leaf.c"), os.O_RDONLY))
    assert builder.pending == 1
    ((key, answer),) = answers(builder, 1)
    assert key == "leaf"
    assert isinstance(answer, int)
    assert dict(tablefile.read_windows(of_descriptor(answer), [0]))[0].size > 4
    os.close(answer)
    assert builder.pending == 0


def test_files_are_answered_in_order_and_a_bad_one_by_its_error(
    builder: Builder[str], build: Build, tmp_path: Path
) -> None:
    builder.submit("text", text_file(tmp_path))
    builder.submit("leaf", os.open(build("leaf.c"), os.O_RDONLY))
    (first, wrong), (second, table) = answers(builder, 2)
    assert (first, second) == ("text", "leaf")
    assert "not an ELF file" in str(wrong)
    assert isinstance(table, int)
    os.close(table)


def child_of(builder: Builder[str]) -> int:
    pid = builder.child_pid
    assert pid is not None
    return pid


def test_a_death_costs_the_file_at_hand_and_no_other(
    builder: Builder[str], build: Build, tmp_path: Path
) -> None:
    builder.submit("killer", text_file(tmp_path))
    os.kill(child_of(builder), signal.SIGKILL)
    builder.submit("leaf", os.open(build("leaf.c"), os.O_RDONLY))
    (first, wrong), (_, table) = answers(builder, 2)
    assert first == "killer"
    assert "ended the child" in str(wrong)
    assert isinstance(table, int)
    os.close(table)


def test_a_file_that_takes_too_long_is_given_up(builder: Builder[str], tmp_path: Path) -> None:
    builder.submit("slow", text_file(tmp_path))
    os.kill(child_of(builder), signal.SIGSTOP)
    assert list(builder.answers()) == []
    Hands.ahead_ns = builder_module.PATIENCE_NS
    try:
        ((_, wrong),) = builder.answers()
    finally:
        Hands.ahead_ns = 0
    assert "too long" in str(wrong)


def test_an_idle_child_is_ended(builder: Builder[str], tmp_path: Path) -> None:
    builder.submit("text", text_file(tmp_path))
    answers(builder, 1)
    pid = child_of(builder)
    Hands.ahead_ns = builder_module.IDLE_NS + 10**9
    try:
        assert list(builder.answers()) == []
    finally:
        Hands.ahead_ns = 0
    assert not Path(f"/proc/{pid}").exists()


def test_leaving_with_files_in_the_queue_leaves_nothing_open(build: Build) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Builder[str](None, SystemClock()) as builder:
        for _ in range(3):
            builder.submit("leaf", os.open(build("leaf.c"), os.O_RDONLY))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_pause_ends_the_child_once_it_is_done_and_begins_nothing(
    builder: Builder[str], build: Build
) -> None:
    builder.submit("first", os.open(build("leaf.c"), os.O_RDONLY))
    builder.submit("second", os.open(build("leaf.c"), os.O_RDONLY))
    assert not builder.pause()
    ((key, table),) = answers(builder, 1)
    assert isinstance(table, int)
    os.close(table)
    assert (key, builder.pending) == ("first", 1)
    assert builder.pause() and builder.child_pid is None
    assert not list(builder.answers()) and builder.child_pid is None
    builder.resume()
    ((key, table),) = answers(builder, 1)
    assert isinstance(table, int)
    os.close(table)
    assert key == "second"
