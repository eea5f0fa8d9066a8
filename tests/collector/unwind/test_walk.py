"""The walk in the running kernel: programs whose stack is known, to the name and the order."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from collector.unwind.abi import DEPTH, Cause
from tests.collector.unwind.conftest import FLAGS, Build, Names, Walk
from tests.collector.unwind.harness import Harness, read_mappings
from tests.processes import eventually

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("depth", [50, 200, 900])
def test_every_frame_of_a_deep_recursion_is_walked(build: Build, walk: Walk, depth: int) -> None:
    walked = walk(build("deep.c"), str(depth))
    assert walked.complete == 1
    assert walked.own_stacks() == {("burn", *["recurse"] * (depth + 1), "main")}


def test_a_stack_deeper_than_the_limit_keeps_its_innermost_frames(build: Build, walk: Walk) -> None:
    walked = walk(build("deep.c"), "2000")
    assert {(len(s.words), s.cause) for s in walked.samples} == {(DEPTH, Cause.TOO_DEEP)}
    assert walked.own_stacks() == {("burn", *["recurse"] * (DEPTH - 1))}


@pytest.mark.parametrize(
    "linked", [("-static",), ("-static-pie", "-fpie"), ("-pie", "-fpie")], ids="/".join
)
def test_the_root_is_reached_however_a_program_is_linked(
    build: Build, walk: Walk, linked: tuple[str, ...]
) -> None:
    walked = walk(build("deep.c", flags=(*FLAGS[:3], *linked)), "20")
    assert walked.complete == 1
    (stack,) = walked.stacks()
    assert stack[:23] == ("burn", *["recurse"] * 21, "main")
    assert stack[-1] == "_start"


@pytest.mark.parametrize("linked", [(), ("-static",)], ids=["dynamic", "static"])
@pytest.mark.parametrize("source", ["deep.c", "signals.c", "threads.c"])
def test_a_c_library_without_frame_information_has_roots_too(
    build: Build, walk: Walk, source: str, linked: tuple[str, ...]
) -> None:
    """musl is built without any; its programs have their own."""
    flags = (*FLAGS[:3], "-fasynchronous-unwind-tables", *linked)
    program = build(source, compiler="musl-gcc", flags=flags)
    told = {"told": signal.SIGALRM} if source == "signals.c" else {}
    walked = walk(program, *told, **told)
    assert walked.complete == 1


def test_leaf_functions_without_a_frame_are_left_right(build: Build, walk: Walk) -> None:
    walked = walk(build("leaf.c"))
    assert walked.complete == 1
    assert walked.own_stacks() - {("main",)} == {("leaf", "main")}


def test_a_stack_goes_on_below_a_signal_handler(build: Build, walk: Walk) -> None:
    walked = walk(build("signals.c"), "told", told=signal.SIGALRM)
    assert walked.complete == 1
    assert walked.own_stacks() == {("burn", "handler", "wait_here", "interrupted", "main")}


def test_realigned_and_grown_stacks_are_walked(build: Build, walk: Walk) -> None:
    walked = walk(build("realign.c"))
    assert walked.complete == 1
    assert walked.own_stacks() == {("burn", "aligned", "grown", "main")}


def test_a_destructor_is_walked_while_an_exception_passes(build: Build, walk: Walk) -> None:
    walked = walk(build("exceptions.cc"))
    assert walked.complete == 1
    (stack,) = walked.own_stacks()
    assert stack == ("burn", "Guard::~Guard", "middle", "outer", "main")


def test_a_thread_ends_where_the_library_started_it(build: Build, walk: Walk) -> None:
    walked = walk(build("threads.c"))
    assert walked.complete == 1
    assert walked.own_stacks() == {("burn", "body")}


def test_user_frames_are_found_when_the_sample_falls_into_the_kernel(
    build: Build, walk: Walk
) -> None:
    walked = walk(build("kernel.c"))
    assert walked.complete == 1
    assert walked.own_stacks() == {("reader", "main")}
    assert any(stack[0].startswith("libc") for stack in walked.stacks())


def test_the_vdso_is_walked(build: Build, walk: Walk) -> None:
    walked = walk(build("clock.c"))
    assert walked.complete == 1
    assert any(stack[0].startswith("[vdso]") for stack in walked.stacks())
    assert walked.own_stacks() == {("reader", "main")}


@pytest.mark.parametrize("memfd", ["", "code"], ids=["anonymous", "memfd"])
def test_code_without_an_elf_file_is_left_by_its_frame_pointer(
    build: Build, walk: Walk, memfd: str
) -> None:
    walked = walk(build("jit.c"), *filter(None, [memfd]))
    assert walked.complete == 1
    (stack,) = walked.stacks()
    where = f"memfd:{memfd}" if memfd else "[anon]"
    assert stack[:4] == ("burn", f"{where}.", "caller", "main")


@pytest.mark.parametrize(
    "rule, frames",
    [
        ("deref_sp", ("burn", "rule_deref_sp", "caller", "main")),
        ("deref_indexed", ("rule_deref_indexed", "caller", "main")),
        ("register", ("rule_register", "caller", "main")),
        ("return_in_register", ("rule_return_in_register", "caller", "main")),
        ("stub_before", ("rule_stub_before", "caller", "main")),
        ("stub_after", ("rule_stub_after", "caller", "main")),
    ],
)
def test_a_rare_rule_is_followed(
    build: Build, walk: Walk, rule: str, frames: tuple[str, ...]
) -> None:
    walked = walk(build("rules.c", "rules.S"), rule)
    assert walked.complete == 1
    assert walked.own_stacks() == {frames}


@pytest.mark.parametrize("rule, cause", [("expression", Cause.EXPRESSION), ("none", Cause.NO_ROW)])
def test_a_stack_that_cannot_go_on_says_why(
    build: Build, walk: Walk, rule: str, cause: Cause
) -> None:
    walked = walk(build("rules.c", "rules.S"), rule)
    assert {sample.cause for sample in walked.samples} == {cause}
    assert walked.own_stacks() == {(f"rule_{rule}",)}


@pytest.mark.parametrize("vfork", [(), ("vfork",)], ids=["fork", "vfork"])
def test_a_child_is_walked_before_the_collector_knows_of_it(
    build: Build, harness: Harness, vfork: tuple[str, ...]
) -> None:
    executable = build("children.c")
    with subprocess.Popen([executable, *vfork]) as parent:
        try:
            harness.unwinder.add_process(parent.pid, read_mappings(parent.pid) or ())
            (child,) = children(parent.pid)
            samples = harness.settled(0.3, child)
            assert {sample.cause for sample in samples} == {Cause.COMPLETE}
            stacks = {Names(child, executable).stack(sample.words)[:3] for sample in samples}
            assert stacks == {("burn", "child", "main")}
        finally:
            for pid in (*children(parent.pid), parent.pid):
                os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in eventually(lambda: listed.read_text() or None, "a child").split()]


def test_a_library_that_is_loaded_later_is_noticed(build: Build, walk: Walk) -> None:
    library = build("spin.c", flags=("-O2", "-shared", "-fPIC"))
    late = build("late.c", flags=(*FLAGS, "-ldl"))
    walked = walk(late, str(library), told=signal.SIGALRM)
    assert walked.complete == 1
    assert all(stack[0].startswith(library.name) for stack in walked.stacks())
    assert walked.own_stacks() == {("main",)}


def test_a_file_that_was_deleted_is_still_read(
    build: Build, harness: Harness, tmp_path: Path
) -> None:
    copy = tmp_path / "gone"
    copy.write_bytes(build("deep.c").read_bytes())
    copy.chmod(0o755)
    with subprocess.Popen([copy, "20"]) as process:  # returns once it is executed
        try:
            copy.unlink()
            samples = harness.settled(0.2, process.pid)
            found = {(sample.cause, len(sample.words)) for sample in samples}
            assert found == {(Cause.COMPLETE, 26)}
        finally:
            process.kill()


def test_broken_frame_information_ends_a_stack_by_name(
    build: Build, walk: Walk, harness: Harness, tmp_path: Path
) -> None:
    broken, garbage = tmp_path / "broken", tmp_path / "garbage"
    garbage.write_bytes(b"\xff" * 64)
    subprocess.run(
        ["objcopy", f"--update-section=.eh_frame={garbage}", build("deep.c"), broken], check=True
    )
    failed = harness.unwinder.stats().failed
    walked = walk(broken)
    assert {sample.cause for sample in walked.samples} == {Cause.BROKEN}
    assert harness.unwinder.stats().failed == failed + 1
