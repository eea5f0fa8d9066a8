"""What the next collector learns of one that was killed."""

from dataclasses import replace
from pathlib import Path

import pytest

from collector.delivery.mark import Mark
from collector.delivery.spool import Spool
from profiler.model import OFF_CPU
from profiler.session import Progress, State
from tests.collector.clock import SECOND_NS, FakeClock
from tests.collector.delivery.drains import drain


def test_a_collector_that_was_killed_leaves_up_to_when_it_had_drained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed = Spool(tmp_path, clock=FakeClock(100 * SECOND_NS))
    killed.append(drain(110))  # up to 111 s
    killed._lock.close()  # as the kernel does for a process that is killed
    with Spool(tmp_path, clock=FakeClock(125 * SECOND_NS)) as spool:
        assert spool.unaccounted_ns == 14 * SECOND_NS
    assert "14.0 s" in caplog.text
    with Spool(tmp_path, clock=FakeClock(200 * SECOND_NS)) as spool:
        assert spool.unaccounted_ns == 0
    assert caplog.text.count("was killed") == 1


def test_one_that_was_killed_before_its_first_drain_is_told_of_from_its_start(
    tmp_path: Path,
) -> None:
    Spool(tmp_path, clock=FakeClock(100 * SECOND_NS))._lock.close()
    with Spool(tmp_path, clock=FakeClock(103 * SECOND_NS)) as spool:
        assert spool.unaccounted_ns == 3 * SECOND_NS


def test_of_several_types_it_is_the_one_that_was_drained_least_far(tmp_path: Path) -> None:
    mark, path = Mark(tmp_path / "running", FakeClock()), tmp_path / "running"
    mark.advance(drain(10))
    mark.advance(replace(drain(10), type=OFF_CPU))
    mark.advance(drain(11))
    assert int(path.read_text()) == 11 * SECOND_NS
    session = Progress("9f86d081884c7d65", State.RUNNING)
    mark.advance(replace(drain(30), type=OFF_CPU, progress=session))
    assert int(path.read_text()) == 11 * SECOND_NS


@pytest.mark.parametrize("text", ["", "soon", "9" * 5000, "\udcff"])
def test_a_mark_that_says_nothing_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "running").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert Mark(tmp_path / "running", FakeClock()).unaccounted_ns == 0
