"""What the benchmarks compute from what they saw."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from collector.processes.events import Event, Forked
from profiler.model import Frame, Kind
from tests.bench import fleet, perf, proc
from tests.bench.beside import better
from tests.bench.lines import PROGRAM, by_line, known_shares
from tests.bench.named import Files
from tests.bench.product import Stack, Tree
from tests.bench.quality import quality, reaching, roots
from tests.bench.report import Figure
from tests.bench.sampling import cut
from tests.bench.shares import Place, Places, differences, physical_leaf
from tests.bench.stored import best_rate
from tests.bench.workloads.source import functions
from tests.builders import profile


def stacks(*lines: str) -> list[Stack]:
    return [(frames, samples) for frames, samples, _ in profile(*lines).stacks()]


class Symbols(Files):
    """Files of which some have symbols."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._has_symbols = Counter(names)  # type: ignore[assignment]


def test_stacks_are_whole_unless_they_are_marked() -> None:
    found = quality(
        stacks(
            "thread:a;_start;main;work 6",
            "thread:a;[truncated: depth];main;work 3",
            "thread:a;[truncated: new process];main 1",
            "thread:a;exit_mmap_[k] 5",  # about to end: no user stack is left
        ),
        Files(),
        perf_map=False,
    )
    assert (found.samples, found.complete) == (10, 60)
    assert found.cut == {"depth": 3, "new process": 1}
    assert found.depth == pytest.approx((6 * 3 + 3 * 2 + 1) / 10)


def test_another_marker_cuts_no_stack() -> None:
    spied = Frame("[python by py-spy]", kind=Kind.MARKER)
    assert cut(((Frame("python", kind=Kind.THREAD), spied, Frame("main")), 1)) == ""
    assert cut(stacks("thread:python;[truncated: depth];main 1")[0]) == "depth"


def test_frames_without_a_name_count_as_often_as_they_were_sampled() -> None:
    exported = Frame("[unknown] libz.so.1+0x10", binary="libz.so.1", address=16)
    own = Frame("[unknown] tool+0x20", binary="tool", address=32)
    main = Frame("main", binary="tool")
    seen = [((main, own), 1), ((main, exported), 2), ((main, Frame("[unknown]", kind=Kind.JIT)), 1)]
    found = quality(seen, Symbols("tool"), perf_map=False)
    assert found.unnamed == pytest.approx(100 * 1 / 5)  # main four times, own once
    assert found.unnamed_of_all == pytest.approx(100 * 4 / 8)
    assert quality(seen, Symbols("tool"), perf_map=True).unnamed == pytest.approx(100 * 2 / 6)


def test_a_frame_pointer_walk_reaches_the_roots_of_whole_stacks_alone() -> None:
    whole = stacks("thread:a;_start;main 5", "thread:a;[truncated: depth];work 1")
    by_pointers = stacks("thread:a;_start;main;work 1", "thread:a;work 2", "thread:a;main 1")
    start = Frame("_start", address=64)
    whole = [(tuple(start if f.function == "_start" else f for f in s), n) for s, n in whole]
    by_pointers = [((s[0], start, *s[2:]), n) if len(s) > 2 else (s, n) for s, n in by_pointers]
    assert reaching(by_pointers, roots(whole)) == (25.0, 1.5)


def test_the_leaf_is_the_innermost_function_that_was_called() -> None:
    called, inlined = Frame("called"), Frame("inlined", inlined=True)
    python = Frame("handler", kind=Kind.PYTHON)
    assert physical_leaf((Frame("main"), called, inlined)) == called
    assert physical_leaf((Frame("main"), called, python)) == called


SCRIPT = """\
   10 0.000000000: PERF_RECORD_MMAP2 10/10: [0x7f0000001000(0x2000) @ 0x1000 fe:00 3 0]: r-xp {file}
   10 0.000000000: PERF_RECORD_MMAP2 10/10: [0x7f0000009000(0x2000) @ 0 fe:00 3 0]: rw-p {file}
   10 5.000000100:     7f0000001234 work+0x34 ({file})
   10 5.000000200:     7f0000001300 [unknown] ({file})
   10 5.000000300: ffffffff81234567 do_syscall_64+0x7 ([kernel.kallsyms])
   10 5.000000400:     7f5500000010 JS:*two words /a.js:3+0x10 (/tmp/perf-10.map)
   10 9.000000000:     7f0000001234 work+0x34 ({file})
"""


def test_perf_says_where_in_its_file_a_sample_fell() -> None:
    found = list(perf.parse(SCRIPT.format(file="/lib/x.so"), 5_000_000_000, 6_000_000_000))
    assert found == [
        perf.Sampled("work", 0x34, "/lib/x.so", 0x1234),
        perf.Sampled("[unknown]", 0, "/lib/x.so", 0x1300),
        perf.Sampled("do_syscall_64", 7, "[kernel.kallsyms]", None),
        perf.Sampled("JS:*two words /a.js:3", 16, "/tmp/perf-10.map", None),
    ]


def test_both_tell_a_function_by_its_address_whatever_they_call_it() -> None:
    places, file = Places(), "/proc/self/exe"
    executable = Path(file).resolve()
    text = SCRIPT.format(file=executable)
    theirs = places.of_perf(perf.parse(text, 5_000_000_000, 5_000_000_101))
    ((_, address),) = theirs
    assert isinstance(address, int)
    named = Frame("ns::work(int)", binary=executable.name, address=address)
    ours = places.of_stacks([((named,), 1)])
    assert ours == theirs


def test_differences_are_those_of_shares_in_points() -> None:
    a, b, c = (("", name) for name in "abc")
    ours: Counter[Place] = Counter({a: 60, b: 40})
    theirs: Counter[Place] = Counter({a: 140, b: 59, c: 1})
    found = differences(ours, theirs, {a: "a", b: "b", c: "c"})
    assert {one.name: one.points for one in found} == {
        "a": pytest.approx(10),
        "b": pytest.approx(10.5),
    }


def test_the_known_lines_are_those_of_the_program() -> None:
    shares = known_shares(PROGRAM.read_text())
    assert [round(share, 1) for share in shares.values()] == [6.7, 13.3, 20.0, 26.7, 33.3]


def test_a_line_is_that_of_the_innermost_python_frame() -> None:
    outer, inner = (Frame("f", line=line, kind=Kind.PYTHON) for line in (3, 7))
    found = by_line([((outer, inner, Frame("sum")), 4), ((outer,), 2), ((Frame("main"),), 1)])
    assert found == {7: 4, 3: 2, 0: 1}


def test_a_figure_says_what_is_demanded_and_whether_it_is_met() -> None:
    figure = Figure("deep-50", "complete", 99.5, "%", at_least=99, ratio_to="fp", beside=50)
    assert json.loads(figure.as_json()) == {
        "name": "deep-50 complete",
        "value": 99.5,
        "unit": "%",
        "demand": ">= 99",
        "met": True,
        "ratio_to": "fp",
        "ratio": 1.99,
    }
    assert not replace(figure, value=98.9).met
    assert Figure("", "agent", 1.2, "%", at_most=1).met is False
    assert Figure("", "agent", 1.2, "%").met is None


def test_a_tree_has_the_descendants_of_its_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = [Forked(1, 11, 10), Forked(2, 12, 11), Forked(3, 21, 20)]
    monkeypatch.setattr("collector.kernel.process_events.ProcessEvents.read", lambda _: events)
    tree = Tree()
    tree.read()
    tree.begin([10])
    assert [pid in tree for pid in (10, 11, 12, 20, 21)] == [True, True, True, False, False]


def test_a_process_is_weighed_with_what_it_started() -> None:
    command = ["sh", "-c", "sleep 60 & echo; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pids = proc.tree(process.pid)
        alone, together = (proc.memory_mb(found)[0] for found in ([process.pid], pids))
        os.killpg(process.pid, 9)
    assert len(pids) == 2
    assert 0 < alone < together


def test_the_functions_of_a_generated_source_all_differ() -> None:
    lines = functions(20).splitlines()
    bodies = {line.partition("{")[2].partition("i = 0;")[2] for line in lines}
    assert len(bodies) == len(lines) == 20


def test_a_fleet_is_the_same_each_time_and_has_the_shape_of_real_ones() -> None:
    (pool,), (again,) = fleet.pools(1), fleet.pools(1)
    chunk = pool.hour(3, 12)
    assert chunk.entries.nodes.tolist() == again.hour(3, 12).entries.nodes.tolist()
    assert 1.7 < len(pool.parents) / len(pool.stacks) < 1.9
    assert 800 < np.mean([len(pool.texts[node]) for node in pool.stacks.tolist()]) < 1000
    assert 600 < chunk.times.lengths.mean() < 760
    assert chunk.entries.samples.sum() == chunk.times.samples.sum()
    for entries in fleet.profiles(chunk):
        assert (np.diff(entries.nodes) > 0).all()
    assert (pool.parents[1:] < np.arange(1, len(pool.parents))).all()


def test_a_rate_is_better_when_it_is_higher_and_a_time_when_it_is_lower() -> None:
    assert better(8, 2, "entries/s") == 4
    assert better(2, 8, "ms") == 4


def test_the_best_rate_is_that_of_a_part() -> None:
    written: list[int] = []

    def write(part: Sequence[int]) -> int:
        written.extend(part)
        return len(part)

    assert best_rate(write, list(range(1003))) > 0
    assert written == list(range(1003))
