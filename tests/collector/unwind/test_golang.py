"""Stacks of Go programs, across the changes from a goroutine's stack to its thread's."""

import shutil
import subprocess
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from collector.unwind import abi, golang
from collector.unwind.abi import Cause, Rule
from collector.unwind.eh_frame import Functions
from tests.collector.unwind.conftest import PROGRAMS, Walk, symbols


@pytest.mark.kernel
@pytest.mark.parametrize("flags", ["", "-s -w"], ids=["with symbols", "stripped"])
def test_stacks_lead_back_from_the_stack_of_the_thread(
    flags: str, walk: Walk, tmp_path: Path
) -> None:
    if shutil.which("go") is None:
        pytest.skip("no go: apt-get install golang")
    source, binary = tmp_path / "main.go", tmp_path / "stacks"
    source.write_bytes((PROGRAMS / "stacks.go").read_bytes())
    command: list[str | Path] = ["go", "build", "-ldflags", flags, "-o", binary, source]
    subprocess.run(command, cwd=tmp_path, check=True)
    walked = walk(binary, seconds=1.0)
    assert walked.complete >= 0.99
    if not flags:
        stacks = [named(binary, sample.words) for sample in walked.samples]
        changed = [stack for stack in stacks if "runtime.systemstack.abi0" in stack[1:]]
        assert len(changed) > 10
        ends = Counter(stack[-1] for stack in changed)
        assert ends["runtime.goexit.abi0"] > 0.9 * len(changed), ends
        assert {stack[-2] for stack in changed} >= {"main.main.func1", "runtime.main"}


def named(binary: Path, words: Sequence[int]) -> tuple[str, ...]:
    """The functions of a stack; the linker of Go puts them at fixed addresses."""
    functions = symbols(binary)
    places = (word - (place > 0) for place, word in enumerate(words))
    return tuple(functions[bisect_right(functions, (at, "\x7f")) - 1][1] for at in places)


def test_a_frame_of_go_has_the_callers_frame_pointer_below_the_return_address() -> None:
    rows = [
        abi.code(Rule.CFA_SP, 8),  # at the entry nothing is saved yet
        abi.code(Rule.CFA_SP, 16),
        abi.code(Rule.CFA_SP, 96),
        abi.code(Rule.CFA_SP, -8),
        abi.code(Rule.ROOT),
        abi.unsupported(Cause.EXPRESSION),
    ]
    empty = np.zeros(0, np.uint64)
    functions = Functions(
        start=empty, size=empty, program=empty.astype(np.uint32),
        first=np.array([0, len(rows)], np.uint32), offset=np.zeros(len(rows), np.uint64),
        code=np.array(rows, np.uint64),
    )  # fmt: skip
    expected = [rows[0], abi.code(Rule.CFA_SP, 16, -2), abi.code(Rule.CFA_SP, 96, -2), *rows[3:]]
    assert golang.with_frame_pointers(functions).code.tolist() == expected
