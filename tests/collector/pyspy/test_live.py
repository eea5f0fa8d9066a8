"""Interpreters that the kernel's walk does not know, through the live source and py-spy."""

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.labels.labeller import Labelling
from collector.pyspy import recording, spying
from collector.pyspy.placement import MARKER
from collector.pyspy.spying import Spying
from collector.sources import live
from collector.sources.live import LiveSource
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Drain, Frame, Kind
from tests.collector.pyspy.conftest import PROGRAMS, Start, interpreter
from tests.collector.pyspy.test_spying import PATIENCE_NS, begun
from tests.processes import eventually

pytestmark = pytest.mark.kernel

LOOPS = ("_PyEval_EvalFrameDefault", "PyEval_EvalFrameEx")


def source(pid: int, folder: Path, *, py_spy: bool = True) -> LiveSource:
    sampler = Sampler(call_graph=DWARF, frequency_hz=199, target=[pid])
    return LiveSource(
        Sampling([sampler]),
        ProcessEvents(),
        Symbolizer(Labelling("a")),
        "a",
        folder,
        py_spy=py_spy,
    )


def stacks(drain: Drain) -> Iterator[tuple[tuple[Frame, ...], int]]:
    for profile in drain.profiles:
        for stack, samples, _ in profile.stacks():
            yield stack, samples


def test_the_split_of_a_program_is_shown_below_a_marker_and_the_accounts_close(
    python: Path, program: Path, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "RATE_HZ", 199)
    monkeypatch.setattr(spying, "PATIENCE_NS", PATIENCE_NS)
    process = start(python, PROGRAMS / "split.py")
    found, native = Counter[str](), 0
    with source(process.pid, tmp_path) as live_source:
        assert live_source.spying
        time.sleep(1)
        (first,) = live_source.drain()
        for _ in range(2):
            for one in live_source.spying._recordings:
                eventually(partial(begun, one), "the beginning of a recording")
            time.sleep(1)
            (drain,) = live_source.drain()
            assert drain.unaccounted == 0
            for stack, samples in stacks(drain):
                assert stack[0].kind is Kind.THREAD
                if stack[1] == MARKER:
                    assert {frame.kind for frame in stack[2:]} == {Kind.PYTHON}
                    assert [frame.function for frame in stack[2:4]] == ["<module>", "main"]
                    found[stack[-1].function] += samples
                else:
                    native += samples
        counts = live_source.symbolizer.counters.spied
        assert live_source.spying.outcomes["ok"] == 2
    assert first.unaccounted == 0
    assert all(MARKER not in stack for stack, _ in stacks(first))
    assert found.total() > 50
    deviations = 5 * math.sqrt(0.75 * 0.25 / found.total())
    assert found["three"] / found.total() == pytest.approx(0.75, abs=deviations)
    assert native < 0.1 * found.total()
    assert counts["python"] == found.total()


def test_native_stacks_are_whole_where_py_spy_is_not_asked(start: Start, tmp_path: Path) -> None:
    process = start(interpreter("python3.7"), PROGRAMS / "split.py")
    with source(process.pid, tmp_path, py_spy=False) as live_source:
        time.sleep(1)
        live_source.drain()
        time.sleep(1)
        (drain,) = live_source.drain()
    assert drain.taken > 20
    for stack, _ in stacks(drain):
        assert MARKER not in stack
        assert any(frame.function in LOOPS for frame in stack)


def test_without_py_spy_the_native_stacks_stay(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "find_program", lambda: None)
    process = start(interpreter("python3.7"), PROGRAMS / "split.py")
    with caplog.at_level(logging.WARNING), source(process.pid, tmp_path) as live_source:
        assert live_source.spying
        for _ in range(3):
            time.sleep(0.5)
            (drain,) = live_source.drain()
        assert live_source.spying.outcomes == {"not_installed": 1}
    assert drain.unaccounted == 0
    assert all(MARKER not in stack for stack, _ in stacks(drain))
    assert caplog.text.count("pip install py-spy") == 1


def test_a_mistake_in_asking_py_spy_costs_no_sample(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise IndexError("a strange report")

    monkeypatch.setattr(Spying, "collect", broken)
    process = start(interpreter("python3.7"), PROGRAMS / "split.py")
    with source(process.pid, tmp_path) as live_source:
        time.sleep(0.5)
        (drain,) = live_source.drain()
    assert drain.taken > 10
    assert (drain.unaccounted, drain.losses.get("symbols_failed")) == (0, None)
    assert "a strange report" in caplog.text
