import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.processes.cache import MAX_LEFT_OF_ONE, Process, ProcessCache
from collector.processes.events import Executed, Forked, Mapped
from collector.processes.maps import Mapping
from collector.processes.procfs import ProcFs
from tests.collector.processes.fake_proc import FakeProc, maps_line

CODE = maps_line(0x1000, 0x3000, "[anon:jit]")


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


@pytest.fixture
def cache(proc: FakeProc) -> ProcessCache:
    return ProcessCache(ProcFs(proc.root))


def test_a_running_process_is_read(proc: FakeProc, cache: ProcessCache) -> None:
    proc.process(7, "main thread", "/srv/web (deleted)", CODE)
    process = cache.refresh(7)
    assert (process.comm, process.executable, process.alive) == ("main thread", "web", True)


def test_an_address_is_found_in_its_mapping_and_not_beside_it(
    proc: FakeProc, cache: ProcessCache
) -> None:
    proc.process(7, maps=CODE + maps_line(0x8000, 0x9000))
    process = cache.refresh(7)
    found = [process.mapping(at) for at in (0xFFF, 0x1000, 0x2FFF, 0x3000, 0x8000, -1, 1 << 64)]
    assert [mapping.start if mapping else None for mapping in found] == [
        None, 0x1000, 0x1000, None, 0x8000, None, None,
    ]  # fmt: skip


def test_a_process_that_has_ended_stays_as_it_was_last_seen(
    proc: FakeProc, cache: ProcessCache
) -> None:
    proc.process(7, maps=CODE)
    seen = cache.refresh(7)
    proc.end(7)
    gone = cache.refresh(7)
    assert not gone.alive and gone.mappings == seen.mappings and gone.executable == "web"


def test_a_zombie_keeps_the_mappings_that_it_had(proc: FakeProc, cache: ProcessCache) -> None:
    proc.process(7, maps=CODE)
    seen = cache.refresh(7)
    proc.process(7, executable="", maps=b"")
    assert cache.refresh(7).mappings == seen.mappings
    assert cache.refresh(7).executable == "web"


def test_another_process_with_the_same_pid_inherits_nothing(
    proc: FakeProc, cache: ProcessCache
) -> None:
    proc.process(7, maps=CODE, start_ticks=100)
    cache.refresh(7)
    proc.process(7, "new", "/bin/new", b"", start_ticks=200)
    assert cache.refresh(7).mappings == () and cache.refresh(7).executable == "new"


def test_exec_replaces_the_mappings_of_a_process(proc: FakeProc, cache: ProcessCache) -> None:
    proc.process(7, maps=CODE)
    cache.refresh(7)
    proc.process(7, "new", "/bin/new", maps_line(0x5000, 0x6000))
    assert cache.refresh(7).mapping(0x1000) is None
    assert cache.refresh(7).mapping(0x5000) is not None


def test_a_process_that_nobody_saw_is_not_there(cache: ProcessCache) -> None:
    process = cache.refresh(99)
    assert not process.seen and not process.alive and process.mapping(0x1000) is None


def test_files_that_end_while_they_are_read_are_no_error(
    proc: FakeProc, cache: ProcessCache
) -> None:
    where = proc.process(7, maps=CODE)
    (where / "maps").unlink()
    (where / "exe").unlink()
    assert cache.refresh(7).mappings == () and cache.refresh(7).comm == "web"


def test_the_cache_is_bounded_by_the_mappings_that_it_holds(proc: FakeProc) -> None:
    cache = ProcessCache(ProcFs(proc.root), max_total_mappings=10)
    for pid in range(1, 21):
        proc.process(pid, maps=CODE)
        cache.refresh(pid)
    assert len(cache) == 5


def test_this_process_holds_the_code_that_runs() -> None:
    process = ProcessCache(ProcFs()).refresh(os.getpid())
    assert process.alive and process.executable.startswith("python")
    assert any(mapping.name.startswith("libc") for mapping in process.mappings)


# --- what the kernel reports of processes -----------------------------------------------------

WEB = Mapping(0x1000, 0x3000, inode=5, path=b"/bin/web")
LIBRARY = Mapping(0x2000, 0x4000, inode=6, path=b"/lib/libweb.so")


def test_a_process_that_nobody_looked_at_is_known_by_its_events(cache: ProcessCache) -> None:
    cache.follow([Forked(1, 99, 7), Executed(2, 99, b"web"), Mapped(3, 99, WEB)])
    process = cache.refresh(99)
    assert (process.comm, process.executable, process.alive) == ("web", "web", False)
    assert process.mapping(0x1000) == WEB


def test_a_child_has_the_mappings_of_its_parent_until_it_executes(
    proc: FakeProc, cache: ProcessCache
) -> None:
    proc.process(7, maps=CODE)
    parent = cache.refresh(7)
    cache.follow([Forked(1, 99, 7)])
    assert cache.refresh(99).mappings == parent.mappings
    assert cache.refresh(99).executable == parent.executable
    cache.follow([Executed(2, 99, b"sh")])
    assert cache.refresh(99).mappings == () and cache.refresh(99).comm == "sh"


def test_a_new_mapping_takes_the_place_of_what_lay_there(cache: ProcessCache) -> None:
    cache.follow([Executed(1, 99, b"web"), Mapped(2, 99, WEB), Mapped(3, 99, LIBRARY)])
    process = cache.refresh(99)
    assert process.mappings == (LIBRARY,)
    assert process.executable == "web"


@given(
    st.lists(
        st.builds(
            lambda start, size: Mapping(start, start + size),
            st.integers(0, 20),
            st.integers(1, 8),
        )
    )
)
def test_mappings_never_overlap_and_the_newest_holds(mapped: list[Mapping]) -> None:
    process = Process(99).with_mappings(mapped)
    left = list[Mapping]()
    for new in mapped:
        left = [old for old in left if old.end <= new.start or new.end <= old.start] + [new]
    assert process.mappings == tuple(sorted(left))
    assert all(process.mapping(each.start) == each for each in left)


def test_a_child_has_what_its_parent_mapped_before_the_fork(cache: ProcessCache) -> None:
    cache.follow([Executed(1, 7, b"web"), Mapped(2, 7, WEB), Forked(3, 99, 7)])
    cache.follow([Mapped(4, 7, LIBRARY)])
    assert cache.refresh(99).mappings == (WEB,)
    assert cache.refresh(7).mappings == (LIBRARY,)


def test_mappings_that_wait_to_be_asked_for_are_bounded(
    cache: ProcessCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.processes.cache.MAX_WAITING", 10)
    for pid in range(1, 101):
        cache.follow([Executed(1, pid, b"web"), Mapped(2, pid, WEB)])
        assert len(cache._waiting) <= 10
    assert {cache.refresh(pid).mappings for pid in range(1, 101)} == {(WEB,)}


def test_while_a_process_lives_proc_says_what_it_maps(proc: FakeProc, cache: ProcessCache) -> None:
    cache.follow([Executed(1, 7, b"old"), Mapped(2, 7, LIBRARY)])
    proc.process(7, maps=CODE)
    assert cache.refresh(7).mapping(0x3800) is None
    assert cache.refresh(7).executable == "web"


def test_a_program_that_was_left_for_another_is_known_until_then(cache: ProcessCache) -> None:
    cache.follow([Executed(10, 99, b"sh"), Mapped(11, 99, WEB)])
    cache.follow([Executed(20, 99, b"app"), Mapped(21, 99, LIBRARY)])
    cache.follow([Forked(30, 99, 7)])  # the number is used again
    found = [cache.at(99, time_ns) for time_ns in (12, 19, 20, 29, 30)]
    assert [process.comm for process in found] == ["sh", "sh", "app", "app", ""]
    assert [process.mappings for process in found] == [(WEB,)] * 2 + [(LIBRARY,)] * 2 + [()]
    assert cache.at(99, 0) == cache.refresh(99)


def test_what_was_read_after_an_execution_is_not_what_was_before(
    proc: FakeProc, cache: ProcessCache
) -> None:
    proc.process(7, maps=CODE)
    assert cache.refresh(7).mappings
    cache.follow([Executed(5, 7, b"app")])  # before it was read
    assert cache.left(7, 4) is None


def test_programs_without_an_end_are_bounded(cache: ProcessCache) -> None:
    for turn in range(1, 1000):
        cache.follow([Executed(10 * turn, 99, b"loop"), Mapped(10 * turn + 1, 99, WEB)])
    known = [turn for turn in range(1, 999) if cache.left(99, 10 * turn + 1)]
    assert known == list(range(998 - MAX_LEFT_OF_ONE, 999))


def test_events_are_believed_until_some_were_missed(proc: FakeProc, cache: ProcessCache) -> None:
    now = time.monotonic_ns()
    cache.follow([Executed(now, 7, b"app"), Mapped(now, 7, WEB)])
    proc.process(7, maps=CODE)  # it has executed another program since
    assert cache.at(7, now + 1).mappings == (WEB,)
    assert cache.at(7, now + 1).alive
    cache.distrust()
    assert cache.at(7, now + 1).mappings == cache.refresh(7).mappings != (WEB,)


# --- what a process belongs to ----------------------------------------------------------------


def declared(process: Process) -> dict[str, str]:
    return dict(process.origin.environment) if process.origin else {}


def group(process: Process) -> str:
    return process.origin.cgroup.path if process.origin else ""


def test_a_program_says_what_it_belongs_to_when_it_is_first_seen(
    proc: FakeProc, cache: ProcessCache
) -> None:
    proc.process(7, cgroup="/a", environment="DD_SERVICE=shop X=1")
    cache.follow([Executed(time.monotonic_ns(), 7, b"web"), Mapped(2, 7, WEB)])
    proc.end(7)
    gone = cache.at(7, time.monotonic_ns())
    assert (group(gone), declared(gone), gone.alive) == ("/a", {"DD_SERVICE": "shop"}, False)


def test_a_child_that_nobody_could_read_belongs_where_its_parent_does(
    proc: FakeProc, cache: ProcessCache
) -> None:
    proc.process(7, cgroup="/a", environment="DD_SERVICE=shop")
    cache.refresh(7)
    cache.follow([Forked(1, 99, 7), Executed(2, 99, b"sh")])
    assert (group(cache.refresh(99)), declared(cache.refresh(99))) == ("/a", {"DD_SERVICE": "shop"})


def test_another_program_says_it_anew(proc: FakeProc, cache: ProcessCache) -> None:
    proc.process(7, cgroup="/a", environment="DD_SERVICE=shop")
    cache.refresh(7)
    proc.process(7, cgroup="/b", environment="DD_SERVICE=till")
    cache.follow([Executed(1, 7, b"web")])
    assert (group(cache.current(7)), declared(cache.current(7))) == ("/b", {"DD_SERVICE": "till"})


def test_a_program_that_writes_over_its_environment_keeps_what_it_said(
    proc: FakeProc, cache: ProcessCache
) -> None:
    where = proc.process(7, environment="DD_SERVICE=shop")
    cache.refresh(7)
    (where / "environ").write_text("DD_SERVICE=worker: idle\0")
    assert declared(cache.refresh(7)) == {"DD_SERVICE": "shop"}


def test_a_process_that_is_moved_while_it_runs_is_found_so_after_a_while(
    proc: FakeProc, cache: ProcessCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = proc.process(7, maps=CODE, cgroup="/a")
    cache.refresh(7)
    (where / "cgroup").write_text("0::/b\n")
    assert group(cache.current(7)) == "/a"
    monkeypatch.setattr("collector.processes.cache.CGROUP_NS", 0)
    assert group(cache.current(7)) == "/b"
    proc.end(7)
    assert group(cache.current(7)) == "/b"
