"""Stacks that were saved are walked later as they would have been at once."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from collector.unwind import abi
from collector.unwind.abi import Cause
from collector.unwind.later import Unfinished, Walk, parse_saved
from profiler.errors import FormatError
from tests.collector.unwind.conftest import Build, Names
from tests.collector.unwind.harness import Harness, read_mappings


@pytest.mark.kernel
@pytest.mark.parametrize("arguments", [("20",), ("200",)], ids=["20 deep", "200 deep"])
def test_a_process_that_has_ended_is_walked_to_its_root(
    program: Path, build: Build, arguments: tuple[str, ...]
) -> None:
    executable = build("deep.c")
    remembered = {}
    with Harness(program, read_mappings=remembered.get) as harness:
        with subprocess.Popen([executable, *arguments]) as process:
            harness.sample(0.2, process.pid)
            names = Names(process.pid, executable)
            remembered[process.pid] = read_mappings(process.pid)
            process.kill()
        saved = [s for s in harness.saved if parse_saved(s)[0]["tgid"] == process.pid]
        assert saved
        unfinished = Unfinished[int](harness.unwinder.walk_later)
        for number, record in enumerate(saved):
            unfinished.add(number, record)
        walks = {}
        for _ in range(100):
            walks |= dict(unfinished.finished())
            if len(walks) == len(saved):
                break
            harness.sample(0.1)
        assert sorted(walks) == list(range(len(saved)))
        burning = [walk for walk in walks.values() if names.stack(walk.ips)[0] == "burn"]
        assert burning
        depth = int(arguments[0])
        for walk in burning:
            assert walk.cause is Cause.COMPLETE
            stack = names.stack(walk.ips)
            assert stack[: depth + 3] == ("burn", *["recurse"] * (depth + 1), "main")
            assert stack[-1] == "_start"


def record(pid: int, size: int = 1024) -> bytes:
    head = np.zeros(1, abi.SAVED)
    head["tgid"], head["size"] = pid, size
    return head.tobytes() + bytes(size)


def walker(known: dict[int, Cause], asked: list[int]) -> Callable[[bytes], Walk]:
    def walk(saved: bytes) -> Walk:
        pid = int(parse_saved(saved)[0]["tgid"])
        asked.append(pid)
        return Walk((1,), known.get(pid, Cause.NO_PROCESS))

    return walk


def test_stacks_wait_until_their_process_is_known() -> None:
    known: dict[int, Cause] = {}
    asked: list[int] = []
    unfinished = Unfinished[str](walker(known, asked))
    for key, pid in (("a", 1), ("b", 1), ("c", 2)):
        unfinished.add(key, record(pid))
    assert list(unfinished.finished()) == []
    known[1] = Cause.COMPLETE
    assert [key for key, _ in unfinished.finished()] == ["a", "b"]
    assert list(unfinished.give_up()) == [("c", Walk((1,), Cause.NO_PROCESS))]
    assert unfinished.bytes == 0


def test_one_stack_asks_for_all_of_its_process() -> None:
    asked: list[int] = []
    unfinished = Unfinished[int](walker({}, asked))
    for number in range(50):
        unfinished.add(number, record(7))
    list(unfinished.finished())
    assert asked == [7]


def test_beyond_the_bound_those_that_wait_longest_end() -> None:
    unfinished = Unfinished[int](walker({}, []), max_bytes=3 * len(record(7)))
    for number in range(5):
        unfinished.add(number, record(7))
    assert [key for key, _ in unfinished.finished()] == [0, 1]
    assert unfinished.bytes == 3 * len(record(7))


@pytest.mark.parametrize("size", [0, 100, abi.SAVED.itemsize - 1])
def test_a_saved_stack_that_is_cut_is_a_format_error(size: int) -> None:
    with pytest.raises(FormatError, match="a saved stack has at least"):
        parse_saved(bytes(size))
