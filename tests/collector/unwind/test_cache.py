"""Tables on disk: found again by what they were made from, bounded, and never trusted damaged."""

import os
from pathlib import Path

import numpy as np
import pytest

from collector.elf.file import Elf, read_elf
from collector.elf.source import of_bytes
from collector.unwind import tablefile
from collector.unwind.cache import TableCache, digest
from collector.unwind.table import Table
from collector.unwind.worker import build as build_file
from tests.collector.unwind.conftest import FLAGS, Build


def data(rows: int) -> bytes:
    return tablefile.dumps(Table({0: np.arange(rows, dtype=np.uint64) << np.uint64(8)}))


def headers(path: Path) -> Elf:
    return read_elf(of_bytes(path.read_bytes()))


def test_a_table_is_found_again(tmp_path: Path) -> None:
    tables = TableCache(tmp_path / "new" / "folder")
    assert tables.get("key") is None
    tables.put("key", data(10))
    found = tables.get("key")
    assert found is not None
    assert found.rows == 10


def test_a_damaged_table_is_removed(tmp_path: Path) -> None:
    tables = TableCache(tmp_path)
    tables.put("key", data(10))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert tables.get("key") is None
    assert not list(tmp_path.iterdir())


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    tables = TableCache(tmp_path, max_bytes=3 * len(data(10)))
    for number, key in enumerate(("a", "b", "c")):
        tables.put(key, data(10))
        (path,) = tmp_path.glob(f"{key}.*")
        os.utime(path, (number, number))
    tables.get("a")
    tables.put("d", data(10))
    assert {path.name[0] for path in tmp_path.iterdir()} == {"a", "c", "d"}


def test_a_full_disk_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    tables = TableCache(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", full)
    tables.put("key", data(10))
    assert tables.get("key") is None


def test_the_build_id_alone_does_not_make_a_file_the_same(build: Build) -> None:
    """Anyone can link a program with the build-id of libc."""
    flags = (*FLAGS, "-Wl,--build-id=0x1234")
    first, second = build("leaf.c", flags=flags), build("deep.c", flags=flags)
    assert digest(headers(first)) != digest(headers(second))
    assert digest(headers(first)) == digest(headers(first))


def test_a_file_is_built_once(build: Build, tmp_path: Path) -> None:
    tables = TableCache(tmp_path)
    descriptor = os.open(build("leaf.c"), os.O_RDONLY)
    try:
        built = build_file(descriptor, tables)
        (path,) = tmp_path.iterdir()
        path.write_bytes(data(7))
        assert tablefile.loads(built).rows != 7
        assert tablefile.loads(build_file(descriptor, tables)).rows == 7
    finally:
        os.close(descriptor)
