"""Stacks that were saved are walked later as they would have been at once."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.processes.maps import Mapping
from collector.unwind import abi
from collector.unwind.abi import Cause
from collector.unwind.later import WAITING, parse_saved
from profiler.errors import FormatError
from tests.collector.unwind.conftest import Build, Names
from tests.collector.unwind.harness import Harness, read_mappings


@pytest.mark.kernel
@pytest.mark.parametrize("arguments", [("20",), ("200",)], ids=["20 deep", "200 deep"])
def test_a_process_that_has_ended_is_walked_to_its_root(
    program: Path, build: Build, arguments: tuple[str, ...]
) -> None:
    executable = build("deep.c")
    remembered: dict[int, Sequence[Mapping] | None] = {}
    with Harness(program, read_mappings=remembered.get) as harness:
        with subprocess.Popen([executable, *arguments]) as process:
            harness.sample(0.2, process.pid)
            names = Names(process.pid, executable)
            remembered[process.pid] = read_mappings(process.pid)
            process.kill()
        saved = [s for s in harness.saved if parse_saved(s)[0]["tgid"] == process.pid]
        assert saved
        walks = [harness.unwinder.walk_later(record) for record in saved]
        for _ in range(100):
            if not any(walk.cause in WAITING for walk in walks):
                break
            harness.sample(0.1)
            walks = [harness.unwinder.walk_later(record) for record in saved]
        burning = [walk for walk in walks if names.stack(walk.words)[0] == "burn"]
        assert burning
        depth = int(arguments[0])
        for walk in burning:
            assert walk.cause is Cause.COMPLETE
            stack = names.stack(walk.words)
            assert stack[: depth + 3] == ("burn", *["recurse"] * (depth + 1), "main")
            assert stack[-1] == "_start"


@pytest.mark.parametrize("size", [0, 100, abi.SAVED.itemsize - 1])
def test_a_saved_stack_that_is_cut_is_a_format_error(size: int) -> None:
    with pytest.raises(FormatError, match="a saved stack has at least"):
        parse_saved(bytes(size))
