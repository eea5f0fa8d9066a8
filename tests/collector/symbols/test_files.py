import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.symbols.files import Unreadable, identity, open_mapped, open_regular


def opened(path: Path) -> str:
    fd = open_regular(os.fsencode(path))
    if fd is None:
        return "refused"
    os.close(fd)
    return "opened"


def mapping_of(path: Path) -> Mapping:
    found = path.stat()
    device = (os.major(found.st_dev), os.minor(found.st_dev))
    return Mapping(0x1000, 0x2000, 0, device, found.st_ino, os.fsencode(path))


GONE = Process(4_194_305)


def test_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert opened(tmp_path / "file") == "opened"


def test_what_could_wait_or_act_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        kinds = [tmp_path / "pipe", tmp_path / "socket", tmp_path, Path("/dev/zero")]
        assert [opened(path) for path in kinds] == ["refused"] * 4
    assert open_regular(b"/no\0where") is None
    assert opened(tmp_path / "missing") == "refused"


def test_a_mapped_file_is_found_by_its_path_after_its_process_has_ended(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    fd = open_mapped(tmp_path, GONE, mapping_of(program))
    assert os.read(fd, 4) == b"\x7fELF"
    os.close(fd)


def test_a_file_that_was_replaced_is_not_the_one_that_is_mapped(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"old")
    mapping = mapping_of(program)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").replace(program)
    with pytest.raises(Unreadable, match="process_gone"):
        open_mapped(tmp_path, GONE, mapping)
    with pytest.raises(Unreadable, match="file_unreadable"):
        open_mapped(tmp_path, replace(GONE, alive=True), mapping)


def test_the_path_as_the_process_sees_it_comes_before_ours(tmp_path: Path) -> None:
    inside = tmp_path / "7/root/srv"
    inside.mkdir(parents=True)
    (inside / "program").write_bytes(b"inside")
    mapping = mapping_of(inside / "program")._replace(path=b"/srv/program")
    fd = open_mapped(tmp_path, Process(7, alive=True), mapping)
    assert os.read(fd, 9) == b"inside"
    os.close(fd)


def test_a_file_of_4_gigabytes_is_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    huge.touch()
    os.truncate(huge, 4 << 30)
    fd = open_regular(os.fsencode(huge))
    assert fd is not None
    with pytest.raises(Unreadable, match="file_too_large"):
        identity(fd)
    os.close(fd)
