"""What the next collector learns of one that was killed where no counters are held."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from collector.delivery.mark import Mark
from collector.delivery.spool import Spool
from profiler.model import OFF_CPU
from profiler.session import Progress, State
from tests.collector.clock import SECOND_NS, FakeClock
from tests.collector.delivery.drains import drain


def begun(path: Path, now_s: int = 0) -> Mark:
    return Mark(path, FakeClock(now_s * SECOND_NS), None, lambda sequence: True)


def test_a_collector_that_was_killed_leaves_up_to_when_it_had_drained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed = Spool(tmp_path, clock=FakeClock(100 * SECOND_NS))
    killed.append(drain(110))  # up to 111 s
    killed._lock.close()  # as the kernel does for a process that is killed
    with Spool(tmp_path, clock=FakeClock(125 * SECOND_NS)) as spool:
        assert spool.mark.unaccounted_ns == 14 * SECOND_NS
    assert "14.0 s" in caplog.text
    with Spool(tmp_path, clock=FakeClock(200 * SECOND_NS)) as spool:
        assert spool.mark.unaccounted_ns == 0
    assert caplog.text.count("was killed") == 1


def test_one_that_was_killed_before_its_first_drain_is_told_of_from_its_start(
    tmp_path: Path,
) -> None:
    Spool(tmp_path, clock=FakeClock(100 * SECOND_NS))._lock.close()
    with Spool(tmp_path, clock=FakeClock(103 * SECOND_NS)) as spool:
        assert spool.mark.unaccounted_ns == 3 * SECOND_NS


def test_of_several_types_it_is_the_one_that_was_drained_least_far(tmp_path: Path) -> None:
    path, session = tmp_path / "running", Progress("9f86d081884c7d65", State.RUNNING)
    mark = begun(path)
    for number, each in enumerate(
        (
            drain(10),
            replace(drain(10), type=OFF_CPU),
            drain(11),
            replace(drain(30), type=OFF_CPU, progress=session),
        )
    ):
        mark.stage(each, number)
        mark.settle(on_disk=True)
    assert begun(path, 20).unaccounted_ns == 9 * SECOND_NS


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "9" * 5000, "[]", "{}", "\udcff"),
        json.dumps({"since_ns": 1, "sequence": 1, "types": {"cpu": {"until_ns": 1}}}),
        json.dumps({"since_ns": 1, "sequence": 1, "types": ["cpu"]}),
    ],
)
def test_a_mark_that_says_nothing_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "running").write_bytes(text.encode("utf-8", "surrogateescape"))
    mark = begun(tmp_path / "running")
    assert mark.unaccounted_ns == 0 and mark.lost == ()
