"""Files that are not what they seem, or are the same."""

import os
import shutil
from pathlib import Path

from collector.labels.labeller import Labelling
from collector.processes.cache import ProcessCache
from collector.processes.procfs import ProcFs
from collector.symbols.binaries import Binaries
from collector.symbols.builder import Builder
from collector.symbols.counters import Counters
from collector.symbols.debugfiles import DebugFiles
from collector.symbols.reader import Reader
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Frame, Kind
from tests.collector.clock import FakeClock
from tests.collector.processes.fake_proc import FakeProc, give_away
from tests.collector.symbols import programs
from tests.collector.symbols.drains import frames, map_of, on_fakes
from tests.collector.symbols.programs import BUILD_ID


def test_a_pipe_in_place_of_a_file_is_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with on_fakes(tmp_path) as (symbolizer, proc):
        proc.process(7, maps=map_of(pipe))
        (frame,) = frames(symbolizer, 7, 0x10123)
        assert frame == Frame("[unknown] pipe+0x123", binary="pipe")
        assert symbolizer.counters.unnamed == {"file_unreadable": 1}


def test_a_file_of_4_gigabytes_is_counted_and_not_read(tmp_path: Path, c_program: Path) -> None:
    huge = tmp_path / "huge"
    shutil.copy(c_program, huge)
    os.truncate(huge, 4 << 30)
    with on_fakes(tmp_path) as (symbolizer, proc):
        proc.process(7, maps=map_of(huge))
        assert frames(symbolizer, 7, 0x10123) == (Frame("[unknown] huge+0x123", binary="huge"),)
        assert symbolizer.counters.unnamed == {"file_too_large": 1}


def test_a_file_that_is_no_program_is_shown_as_memory(tmp_path: Path) -> None:
    text = tmp_path / "shared"
    text.write_text("not a program")
    with on_fakes(tmp_path) as (symbolizer, proc):
        proc.process(7, maps=map_of(text))
        (frame,) = frames(symbolizer, 7, 0x11123)
        assert frame == Frame("[unknown] shared+0x1000", binary="shared", kind=Kind.JIT)
        assert symbolizer.counters.files == {"bad_elf": 1}
        frames(symbolizer, 7, 0x11123)
        assert symbolizer.counters.files == {"bad_elf": 1}, "it is read once"


def test_equal_files_are_read_once(tmp_path: Path, c_program: Path) -> None:
    with on_fakes(tmp_path) as (symbolizer, proc):
        for pid in (7, 8, 9):
            copy = tmp_path / f"image-{pid}/shop"
            copy.parent.mkdir()
            shutil.copy(c_program, copy)
            proc.process(pid, maps=map_of(copy))
            frames(symbolizer, pid, 0x11100)
        assert symbolizer.counters.files == {"ok": 1}


def test_another_users_file_does_not_speak_for_roots(tmp_path: Path, c_program: Path) -> None:
    forged = tmp_path / "other/shop"
    forged.parent.mkdir()
    shutil.copy(c_program, forged)
    give_away(forged)
    with on_fakes(tmp_path) as (symbolizer, proc):
        for pid, path in ((7, forged), (8, c_program)):
            proc.process(pid, maps=map_of(path))
            frames(symbolizer, pid, 0x11100)
        assert symbolizer.counters.files == {"ok": 2}


def test_files_wait_for_the_next_drain_when_time_is_up(tmp_path: Path, c_program: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.process(7, maps=map_of(c_program))
    hurried = Symbolizer(Labelling("a"), tmp_path, sys=tmp_path, debug=tmp_path, patience_seconds=0)
    (frame,) = frames(hurried, 7, 0x11100)
    hurried.close()
    assert hurried.counters.unnamed == {"postponed": 1} and not hurried.counters.files
    assert (frame.function, frame.build_id) == ("[unknown] shop+0x1100", BUILD_ID)


def test_what_is_kept_of_files_is_bounded_and_read_again(tmp_path: Path, c_program: Path) -> None:
    proc = FakeProc(tmp_path)
    counters = Counters()
    cache = ProcessCache(ProcFs(tmp_path))
    with Builder() as builder:
        reader = Reader(builder, DebugFiles(tmp_path, tmp_path), None, counters)
        binaries = Binaries(tmp_path, reader, counters, FakeClock(), max_bytes=1)
        binaries.deadline_ns = 1
        for pid, name in ((7, "one"), (8, "two"), (9, "one")):
            copy = tmp_path / name
            shutil.copy(c_program, copy)
            proc.process(pid, maps=map_of(copy))
            process = cache.refresh(pid)
            binary = binaries.find(process, process.mappings[0])
            assert binary.name == name and not binary.cause
    assert (counters.files["ok"], counters.evicted_files) == (3, 2)


def test_what_another_has_read_is_not_read_again(tmp_path: Path, c_program: Path) -> None:
    hidden = 0x10000 + programs.address_of("hidden", c_program)
    with on_fakes(tmp_path) as (symbolizer, proc):
        proc.process(7, maps=map_of(c_program))
        (frame,) = frames(symbolizer, 7, hidden)
        assert frame.function == "hidden"
        labelling, others = Labelling("node-a", engine_sockets=()), symbolizer.binaries
        # Without patience it reads nothing itself.
        second = Symbolizer(labelling, tmp_path, sys=tmp_path, patience_seconds=0, binaries=others)
        assert frames(second, 7, hidden) == (frame,)
        second.close()
        assert frames(symbolizer, 7, hidden) == (frame,)
