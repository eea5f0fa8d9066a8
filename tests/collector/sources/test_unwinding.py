"""Stacks of programs without frame pointers, through the live source on the running kernel."""

import logging
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.kernel import libbpf
from collector.kernel.command import Command
from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF, DWARF_SIZES, FRAME_POINTERS, Sizes
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.kernel.stacks import unwalked
from collector.labels.labeller import Labelling
from collector.sources.live import LiveSource
from collector.symbols import builder
from collector.symbols.symbolizer import Symbolizer
from collector.unwind.later import SavedStack, Walk
from collector.unwind.unwinder import Unwinder
from profiler.model import Drain, Kind
from tests.collector.kernel.conftest import PROGRAMS, compiler
from tests.processes import eventually

pytestmark = pytest.mark.kernel

CHAIN = ("main", *("descend", "second") * 150, "descend", "third", "innermost")
TINY = Sizes(stacks=16, counts=16, ring_bytes=4096)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unwind")


@pytest.fixture
def running(build: Callable[[str], Path]) -> Iterator[Callable[[str], int]]:
    processes = []

    def start(name: str) -> int:
        processes.append(subprocess.Popen([build(name)]))
        return processes[-1].pid

    yield start
    for process in processes:
        process.kill()
        process.wait()


def live(folder: Path, sampler: Sampler) -> LiveSource:
    return LiveSource(Sampling([sampler]), ProcessEvents(), Symbolizer(Labelling("a")), "a", folder)


def stacks(drain: Drain) -> Counter[tuple[str, ...]]:
    """The names of user frames, root first, and what says that a stack is cut."""
    found = Counter[tuple[str, ...]]()
    for profile in drain.profiles:
        for stack, samples, _ in profile.stacks():
            kinds = (Kind.THREAD, Kind.KERNEL)
            found[tuple(frame.function for frame in stack if frame.kind not in kinds)] += samples
    return found


def of_program(drain: Drain) -> Counter[tuple[str, ...]]:
    """From the program's `main` on; whole where a stack is cut."""
    found = Counter[tuple[str, ...]]()
    for stack, samples in stacks(drain).items():
        found[stack[stack.index("main") :] if "main" in stack else stack] += samples
    return found


def test_every_frame_of_a_deep_chain_is_there_in_order(
    folder: Path, running: Callable[[str], int]
) -> None:
    sampler = Sampler(call_graph=DWARF, frequency_hz=999, target=[running("bare")])
    with live(folder, sampler) as source:
        time.sleep(0.5)
        (drain,) = source.drain()
    assert drain.taken > 20
    assert set(of_program(drain)) == {CHAIN}
    assert not source.incomplete


def test_by_frame_pointers_the_same_chain_is_cut(
    folder: Path, running: Callable[[str], int]
) -> None:
    sampler = Sampler(call_graph=FRAME_POINTERS, frequency_hz=999, target=[running("bare")])
    with live(folder, sampler) as source:
        time.sleep(0.3)
        (drain,) = source.drain()
    assert drain.taken > 10
    assert CHAIN not in of_program(drain)


def test_the_first_samples_of_a_command_are_whole_and_those_of_its_children(
    folder: Path, build: Callable[[str], Path]
) -> None:
    script = f"timeout 0.4 {build('bare')}; timeout 0.4 {build('bare')}; exit 0"
    with Command(["sh", "-c", script]) as command:
        sampler = Sampler(call_graph=DWARF, frequency_hz=499, target=[command.pid], on_exec=True)
        with live(folder, sampler) as source:
            command.resume()
            command.wait()
            sampler.stop()
            (drain,) = source.drain()
    chains = sum(count for stack, count in of_program(drain).items() if stack == CHAIN)
    assert drain.unaccounted == 0
    assert chains > 20
    assert source.incomplete.total() <= 0.05 * drain.taken


def test_each_program_of_a_process_is_walked_and_named_by_its_own_code(
    folder: Path, build: Callable[[str], Path]
) -> None:
    with Command([str(build("relay")), "6"]) as command:
        sampler = Sampler(call_graph=DWARF, frequency_hz=999, target=[command.pid], on_exec=True)
        with live(folder, sampler) as source:
            command.resume()
            command.wait()
            sampler.stop()
            (drain,) = source.drain()
    found = Counter[str]()
    for stack, samples in of_program(drain).items():
        if stack[:1] == ("main",) and "burn" in stack:
            found[stack[1]] += samples
    assert set(found) == {"even", "odd"}
    assert min(found.values()) > 0.4 * drain.taken > 100
    assert source.incomplete.total() <= 0.05 * drain.taken


def test_two_processes_with_one_number_are_named_by_their_own_programs(
    folder: Path, build: Callable[[str], Path], tmp_path: Path
) -> None:
    """One after the other in one drain, with the same addresses in their stacks."""
    first, second = (named(name, tmp_path) for name in ("first_", "second"))
    with Command([str(build("reuse")), str(first), "200", str(second), "600"]) as command:
        sampler = Sampler(call_graph=DWARF, frequency_hz=999, target=[command.pid], on_exec=True)
        with live(folder, sampler) as source:
            command.resume()
            assert command.wait() == 0, "the number could not be had again"
            sampler.stop()
            (drain,) = source.drain()
    found = Counter[str]()
    for stack, samples in of_program(drain).items():
        found[stack[1] if stack[:1] == ("main",) and len(stack) > 1 else ""] += samples
    assert found["first_"] + found["second"] > 0.9 * drain.taken > 100
    assert 0.65 < found["second"] / (found["first_"] + found["second"]) < 0.85


def named(name: str, folder: Path) -> Path:
    """A program that works in a function of this name."""
    binary = folder / name
    flags = ("-O2", "-static", "-no-pie", f"-DNAME={name}", "-o", binary)
    subprocess.run([compiler(), *flags, PROGRAMS / "named.c"], check=True)
    return binary


@pytest.mark.parametrize("sizes", [DWARF_SIZES, TINY], ids=["roomy maps", "tiny maps"])
def test_every_sample_is_accounted_for_over_many_fast_drains(
    sizes: Sizes, folder: Path, running: Callable[[str], int]
) -> None:
    for name in ("stacks", "stacks", "bare"):
        running(name)
    sampler = Sampler(call_graph=DWARF, frequency_hz=2_999, sizes=sizes)
    with live(folder, sampler) as source:
        drains: list[Drain] = []
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            drains.extend(source.drain())
        sampler.stop()
        drains += [*source.drain(), *source.drain()]
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)
    assert sum(drain.taken for drain in drains) > 1000
    assert drains[-1].taken == 0
    causes = {cause for drain in drains for cause, lost in drain.losses.items() if lost}
    assert causes == (set() if sizes == DWARF_SIZES else {"ring_full"})


def test_a_stack_is_sent_once_and_counted_from_then_on(
    folder: Path, running: Callable[[str], int]
) -> None:
    sampler = Sampler(call_graph=DWARF, frequency_hz=999, target=[running("bare")])
    with live(folder, sampler) as source:
        time.sleep(0.3)
        source.drain()
        time.sleep(0.5)
        raw = sampler.drain()
    user = Counter(sample.user for sample in raw.samples for _ in range(sample.count))
    assert user.total() == raw.taken > 20
    assert len(user) < 20


def test_the_kernel_is_told_of_a_process_between_drains_and_forgets_it_after_its_end(
    folder: Path, running: Callable[[str], int]
) -> None:
    with live(folder, Sampler(call_graph=DWARF, frequency_hz=999)) as source:
        assert source.unwinding
        told = source.unwinding._unwinder
        pid = running("bare")
        source.drain()  # it is a copy of its parent until its program is known
        eventually(lambda: pid in told or None, "the process that is sampled")
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        source.drain()
        assert pid in told  # stacks of it may still be there to be walked
        source.drain()
        assert pid not in told


def test_stacks_that_stay_unknown_are_not_saved_for_ever(
    folder: Path, running: Callable[[str], int]
) -> None:
    saved = 0

    def counted(stacks: Sequence[SavedStack]) -> Iterable[Walk]:
        nonlocal saved
        saved += len(stacks)
        return unwalked(stacks)

    pid = running("unknown")
    with live(folder, Sampler(call_graph=DWARF, frequency_hz=4_999, target=[pid])) as source:
        (raw,) = source._sampling.drain(counted)
        samples = list(raw.samples)
        while sum(sample.count for sample in samples) < 2_500:
            time.sleep(0.2)
            (raw,) = source._sampling.drain(counted)
            assert raw.taken == sum(sample.count for sample in raw.samples)
            samples += raw.samples
    assert 1_024 <= saved < 1_500
    assert "unknown code" in {sample.truncated for sample in samples}


def test_a_ring_that_fills_is_emptied_before_the_drain(
    folder: Path, running: Callable[[str], int]
) -> None:
    sizes = Sizes(stacks=4096, ring_bytes=1 << 18)
    pid = running("stacks")
    sampler = Sampler(call_graph=DWARF, frequency_hz=1_999, sizes=sizes, target=[pid])
    with live(folder, sampler) as source:
        source.drain()  # the tables are there
        time.sleep(2)
        sampler.stop()
        raw = sampler.drain()
    assert not raw.losses
    assert sum(8 * len(sample.user) for sample in raw.samples) > sizes.ring_bytes


def test_without_the_program_frame_pointers_serve_and_the_log_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(libbpf.OBJECTS, DWARF, "build/none.bpf.o")
    sampler = Sampler(call_graph="auto")
    with caplog.at_level(logging.INFO), live(folder, sampler) as source:
        source.drain()
    assert sampler.call_graph == FRAME_POINTERS
    assert "by frame pointers alone: bpf/build/none.bpf.o is not there" in caplog.text


def test_a_mistake_in_feeding_the_unwinder_costs_stacks_but_no_sample(
    folder: Path,
    running: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise IndexError("a strange file")

    monkeypatch.setattr(Unwinder, "poll", broken)
    monkeypatch.setattr(Unwinder, "walk_later", broken)
    sampler = Sampler(call_graph=DWARF, frequency_hz=999, target=[running("bare")])
    with live(folder, sampler) as source:
        time.sleep(0.3)
        (drain,) = source.drain()
    assert drain.taken > 10
    assert drain.unaccounted == 0
    assert source.incomplete == {"no unwind table": drain.taken}
    assert "a strange file" in caplog.text


def test_while_a_large_file_is_read_there_is_no_other_child_and_none_after_the_drain(
    tmp_path: Path, running: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "LARGE_BYTES", 0)
    sampler = Sampler(call_graph=DWARF, frequency_hz=999, target=[running("bare")])
    with live(tmp_path, sampler) as source:
        assert source.unwinding
        tables, symbols = source.unwinding._unwinder._builder, source.symbolizer._builder
        eventually(lambda: tables.child_pid, "the child that builds tables")
        ask, beside = symbols._ask, []

        def asked(*question: Any) -> str:
            beside.append(tables.child_pid)
            return ask(*question)

        monkeypatch.setattr(symbols, "_ask", asked)
        (drain,) = source.drain()
        assert beside and set(beside) == {None}
        assert symbols.child_pid is None
    assert CHAIN in of_program(drain)
