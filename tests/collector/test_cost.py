"""What the collector takes, beside what the kernel says of the same processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

from collector.cost import Meter

BUSY = "import time\nwhile time.process_time() < 0.5: pass\nprint('done', flush=True)\ninput()"


class Source:
    spent_ns = 7

    def __init__(self, *children: int) -> None:
        self.children = children


def test_cpu_and_memory_of_the_collector_are_those_of_this_process() -> None:
    meter = Meter(Source())
    before = meter.read()
    begun = time.process_time_ns()
    while time.process_time_ns() - begun < 50_000_000:
        pass
    cost = meter.read()
    assert 50_000_000 <= cost.collector_ns - before.collector_ns < 500_000_000
    assert cost.kernel_ns == 7
    assert cost.collector_bytes > 10 << 20
    assert cost.cpu_ns == cost.collector_ns + cost.children_ns + 7


def test_a_child_counts_while_it_runs_and_after_its_end() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin and child.stdout
    meter = Meter(Source(child.pid))
    before = Meter(Source()).read().children_ns
    child.stdout.readline()
    running = meter.read()
    assert 0.4e9 < running.children_ns - before < 2e9
    assert running.children_bytes > 1 << 20
    child.stdin.close()
    child.wait()
    child.stdout.close()
    ended = meter.read()
    assert ended.children_ns >= running.children_ns
    assert ended.children_bytes == 0


def test_the_name_of_a_child_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / str(os.getpid())).mkdir()
    fields = " ".join(str(number) for number in range(4, 53))
    (tmp_path / "5" / "stat").write_text(f"5 (a) R 9 9 (b) S {fields}\n")
    (tmp_path / "5" / "statm").write_text("100 3 1 1 0 1 0\n")
    cost = Meter(Source(5), proc=tmp_path).read()
    assert cost.children_bytes == 3 * os.sysconf("SC_PAGE_SIZE")
    assert cost.children_ns >= (14 + 15) * 10_000_000


def test_a_child_that_has_gone_costs_nothing_more() -> None:
    assert Meter(Source(2**22 - 1)).read().children_bytes == 0
