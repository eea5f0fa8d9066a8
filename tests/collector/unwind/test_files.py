"""Table numbers: given once to a window, kept while mapped, taken back when they run short."""

from pathlib import Path

import pytest

from collector.processes.maps import Mapping
from collector.unwind.files import Files, stamp
from collector.unwind.processes import WINDOW, entries, parts


def mapping(inode: int, size: int = 4096, offset: int = 0) -> Mapping:
    return Mapping(0x400000, 0x400000 + size, offset, (8, 1), inode, b"/bin/x")


@pytest.fixture
def dropped() -> list[int]:
    return []


@pytest.fixture
def files(dropped: list[int]) -> Files:
    return Files(4, lambda: None, dropped.append)


def number(files: Files, inode: int, window: int = 0) -> int:
    file = files.of(1, mapping(inode))
    assert file
    return files.number(file, window)


def test_a_window_keeps_its_number(files: Files) -> None:
    assert number(files, 10) == number(files, 10) == 1
    assert number(files, 10, window=1) == 2
    assert number(files, 11) == 3
    found = files.find(2)
    assert found
    assert (found[0].key, found[1]) == ((8, 1, 10), 1)


def test_memory_without_a_file_has_no_table_but_the_vdso_has_one(files: Files) -> None:
    assert files.of(1, Mapping(0, 4096)) is None
    assert files.of(1, Mapping(0, 4096, path=b"[heap]")) is None
    assert files.of(1, Mapping(0, 4096, path=b"[vdso]")) is not None


def test_numbers_of_unused_files_serve_again(files: Files, dropped: list[int]) -> None:
    taken = [number(files, inode) for inode in (10, 11, 12)]
    assert number(files, 13) == 0
    files.release([taken[1], taken[1] * 0])
    assert number(files, 13) == taken[1]
    assert dropped == [taken[1]]
    assert number(files, 10) == taken[0]


def test_a_file_that_took_over_an_inode_is_another_file(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"old")
    first = number(files, 10)
    found = files.find(first)
    assert found
    found[0].stamp = stamp(path.stat())
    path.write_bytes(b"another")
    monkeypatch.setattr("collector.unwind.files._stamp_of", lambda pid, of: stamp(path.stat()))
    assert number(files, 10) == first  # mapped all the while: it cannot have been replaced
    files.release([first, first])
    assert number(files, 10) != first


def test_a_mapping_is_cut_where_windows_end() -> None:
    big = mapping(10, size=2 * WINDOW + 4096, offset=WINDOW - 4096)
    assert [(p.start - 0x400000, p.end - 0x400000, p.window, p.at) for p in parts(big)] == [
        (0, 4096, 0, WINDOW - 4096),
        (4096, 4096 + WINDOW, 1, 0),
        (4096 + WINDOW, 4096 + 2 * WINDOW, 2, 0),
    ]


def test_the_vsyscall_page_is_left_out() -> None:
    page = 0xFFFF_FFFF_FF60_0000
    assert list(parts(Mapping(page, page + 4096, path=b"[vsyscall]"))) == []


def test_entries_are_sorted_by_address() -> None:
    (low,), (high,) = parts(mapping(10)), parts(Mapping(0x900000, 0x901000))
    found = entries([(high, 0), (low, 5)])
    assert found["start"].tolist() == [0x400000, 0x900000]
    assert found["table"].tolist() == [5, 0]
