import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.processes.cache import Process, ProcessCache
from collector.processes.procfs import ProcFs
from collector.symbols.perfmap import MAX_FILE_BYTES, PerfMap, PerfMaps
from tests.collector.processes.fake_proc import FakeProc, give_away

NODE = b"""7f1c5a0a3b40 1e8 LazyCompile:*fib /srv/app.js:3
7f1c5a0a4000 20 Builtin:Add
not a line
zz 20 Broken
7f1c5a0a3b40 1e8 LazyCompile:~fib /srv/app.js:3
"""
JVM = b"0x00007f1c5b000000 0x0000000000000040 void java.lang.Thread.run()\n"


def test_an_address_has_the_name_of_the_function_that_holds_it() -> None:
    perf_map = PerfMap().extended(NODE)
    assert perf_map.lookup(0x7F1C5A0A4000) == "Builtin:Add"
    assert perf_map.lookup(0x7F1C5A0A401F) == "Builtin:Add"
    assert perf_map.lookup(0x7F1C5A0A4020) is None
    assert perf_map.lookup(0x7F1C5A0A3000) is None


def test_code_that_was_compiled_again_has_its_latest_name() -> None:
    assert PerfMap().extended(NODE).lookup(0x7F1C5A0A3B40) == "LazyCompile:~fib /srv/app.js:3"


def test_numbers_may_begin_with_0x() -> None:
    assert PerfMap().extended(JVM).lookup(0x7F1C5B00003F) == "void java.lang.Thread.run()"


def test_an_empty_map_knows_nothing() -> None:
    assert PerfMap().lookup(0) is None
    assert PerfMap().extended(b"").lookup(1 << 64) is None


@given(st.lists(st.integers(0, len(NODE + JVM)), max_size=5))
def test_read_in_pieces_it_is_what_it_is_in_one(cuts: list[int]) -> None:
    text = NODE + JVM
    bounds = [0, *sorted(cuts), len(text)]
    perf_map = PerfMap()
    for begin, end in pairwise(bounds):
        perf_map = perf_map.extended(text[begin:end])
    whole = PerfMap().extended(text)
    assert perf_map.starts.tolist() == whole.starts.tolist()
    assert perf_map.names.tolist() == whole.names.tolist()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    PerfMap().extended(NODE + noise).extended(noise + b"\n" + JVM).lookup(0x7F1C5B000000)


@given(
    st.dictionaries(st.integers(0, 200), st.tuples(st.integers(0, 30), st.sampled_from("abc"))),
    st.integers(0, 230),
)
def test_the_search_finds_what_a_walk_through_all_lines_finds(
    functions: dict[int, tuple[int, str]], wanted: int
) -> None:
    text = "".join(f"{start:x} {size:x} {name}\n" for start, (size, name) in functions.items())
    start = max((start for start in functions if start <= wanted), default=None)
    size, name = functions[start] if start is not None else (0, "")
    expected = name if start is not None and wanted < start + size else None
    assert PerfMap().extended(text.encode()).lookup(wanted) == expected


class Runtime:
    """A process in a container, where its pid is 3, and its map."""

    def __init__(self, root: Path) -> None:
        self.proc = FakeProc(root)
        self.directory = self.proc.process(7, namespace_pid=3) / "root/tmp"
        self.file = self.directory / "perf-3.map"
        self.maps = PerfMaps(ProcFs(root))

    @property
    def process(self) -> Process:
        return ProcessCache(ProcFs(self.proc.root)).refresh(7)

    def name(self, address: int) -> str | None:
        return self.maps.load(self.process).lookup(address)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(tmp_path)


def test_the_map_is_read_on_as_it_grows(runtime: Runtime) -> None:
    assert runtime.name(0x10) is None
    runtime.file.write_bytes(b"10 10 first\n")
    assert runtime.name(0x10) == "first"
    with runtime.file.open("ab") as file:
        file.write(b"40 10 second\n")
    assert (runtime.name(0x10), runtime.name(0x40)) == ("first", "second")


def test_a_map_that_was_replaced_is_read_anew(runtime: Runtime) -> None:
    runtime.file.write_bytes(b"10 10 first\n")
    assert runtime.name(0x10) == "first"
    runtime.file.write_bytes(b"10 10 new\n")
    assert runtime.name(0x10) == "new"


def test_a_map_that_was_written_anew_is_read_anew(runtime: Runtime) -> None:
    """As the JVM does it, when it is asked again: the same file, with methods in between."""
    runtime.file.write_bytes(b"10 10 first\n40 10 second\n")
    assert runtime.name(0x40) == "second"
    inode = runtime.file.stat().st_ino
    runtime.file.write_bytes(b"10 10 first\n20 10 between\n50 10 second\n60 10 third\n")
    assert runtime.file.stat().st_ino == inode
    names = [runtime.name(at) for at in (0x10, 0x20, 0x40, 0x50, 0x60)]
    assert names == ["first", "between", None, "second", "third"]


def test_the_names_of_a_process_outlive_it(runtime: Runtime) -> None:
    runtime.file.write_bytes(b"10 10 first\n")
    process = runtime.process
    assert runtime.maps.load(process).lookup(0x10) == "first"
    gone = Process(7, process.start_ticks)
    runtime.proc.end(7)
    assert runtime.maps.load(gone).lookup(0x10) == "first"
    assert runtime.maps.load(Process(7, process.start_ticks + 1)).lookup(0x10) is None


def test_pipes_and_links_in_tmp_are_not_followed(runtime: Runtime, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"10 10 secret\n")
    runtime.file.symlink_to(secret)
    assert runtime.name(0x10) is None
    runtime.file.unlink()
    os.mkfifo(runtime.file)
    assert runtime.name(0x10) is None


def test_a_link_in_place_of_tmp_is_not_followed(runtime: Runtime, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    runtime.directory.rename(elsewhere)
    runtime.directory.symlink_to(elsewhere)
    (elsewhere / "perf-3.map").write_bytes(b"10 10 first\n")
    assert runtime.name(0x10) is None


def test_another_users_file_does_not_name_a_process(runtime: Runtime) -> None:
    runtime.file.write_bytes(b"10 10 forged\n")
    give_away(runtime.file)
    assert runtime.name(0x10) is None


def test_a_huge_map_is_read_up_to_its_bound(runtime: Runtime) -> None:
    with runtime.file.open("wb") as file:
        file.write(b"10 10 first\n")
        file.truncate(1 << 40)
    perf_map = runtime.maps.load(runtime.process)
    assert perf_map.lookup(0x10) == "first" and len(perf_map.text) == MAX_FILE_BYTES
