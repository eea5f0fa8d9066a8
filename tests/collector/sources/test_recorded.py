"""A recording replayed: moved to now, marked as one, and nothing else changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from collector.delivery.file import FileExporter
from collector.sources.recorded import RecordedSource
from profiler.errors import FormatError, UsageError
from profiler.model import OFF_CPU
from tests.collector.clock import FakeClock
from tests.collector.delivery.drains import SECOND_NS, drain, taken

NOW_NS = 1_700_000_000 * SECOND_NS


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "three.pb"
    exporter = FileExporter(str(path))
    for number in range(3):
        exporter.export(drain(number))
    exporter.close()
    return path


def test_a_recording_ends_now_and_then_has_finished(recording: Path) -> None:
    with RecordedSource(recording, FakeClock(NOW_NS)) as source:
        drains = []
        while not source.finished:
            drains.extend(source.drain())
    ends = [each.start_ns + each.duration_ns for each in drains]
    assert ends == [NOW_NS - 2 * SECOND_NS, NOW_NS - SECOND_NS, NOW_NS]
    assert taken(drains) == 33
    for each in drains:
        assert each.unaccounted == 0
        (held,) = each.profiles
        assert held.start_ns == each.start_ns
        assert held.labels == (
            ("host_name", "a"),
            ("profiler_recorded", "true"),
            ("service_name", "s"),
        )


def test_with_repeat_it_goes_on_and_every_window_ends_at_the_call(recording: Path) -> None:
    clock = FakeClock(NOW_NS)
    with RecordedSource(recording, clock, repeat=True) as source:
        for _ in range(7):
            clock.sleep(10)
            (each,) = source.drain()
            assert each.start_ns + each.duration_ns == clock.now_ns()
            assert not source.finished


def test_drains_of_several_types_that_were_taken_together_come_together(tmp_path: Path) -> None:
    path = tmp_path / "types.pb"
    exporter = FileExporter(str(path))
    for number in range(2):
        exporter.export(drain(number))
        exporter.export(replace(drain(number), type=OFF_CPU))
    exporter.close()
    with RecordedSource(path, FakeClock(NOW_NS)) as source:
        taken_together = []
        while not source.finished:
            taken_together.append([each.type.name for each in source.drain()])
    assert taken_together == [["cpu", "off_cpu"]] * 2


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    text, empty = tmp_path / "text", tmp_path / "empty"
    text.write_text("main;f 3\n")
    empty.touch()
    with pytest.raises(FormatError, match=r"text: batch 0: .*"):
        RecordedSource(text, FakeClock()).__enter__()
    with pytest.raises(FormatError, match="empty: the recording has no drains"):
        RecordedSource(empty, FakeClock()).__enter__()
    with pytest.raises(UsageError, match="nothing: No such file or directory"):
        RecordedSource(tmp_path / "nothing", FakeClock()).__enter__()


def test_a_recording_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        FileExporter(str(tmp_path / "no" / "file"))
