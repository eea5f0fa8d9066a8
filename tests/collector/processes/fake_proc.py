"""A /proc of plain files, so that tests decide what runs on the node."""

import os
import shutil
from pathlib import Path

import pytest

PF_KTHREAD = 0x200000


class FakeProc:
    """FakeProc(tmp_path).process(7, "web", "/srv/web", maps) makes /proc/7."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def process(
        self,
        pid: int,
        comm: str = "web",
        executable: str = "/srv/web",
        maps: bytes = b"",
        *,
        start_ticks: int = 100,
        flags: int = 0,
        namespace_pid: int | None = None,
        cgroup: str = "/",
        environment: str = "",
        command_line: bytes = b"",
    ) -> Path:
        """The directory of a process that runs now, replacing one with the same pid."""
        where = self.root / str(pid)
        shutil.rmtree(where, ignore_errors=True)
        (where / "root/tmp").mkdir(parents=True)
        zeros = " ".join(["0"] * 12)
        (where / "stat").write_text(f"{pid} ({comm}) S 1 1 1 0 -1 {flags} {zeros} {start_ticks} 0")
        ids = "\t".join([str(os.getuid())] * 4)
        own_pid = pid if namespace_pid is None else namespace_pid
        (where / "status").write_text(f"Name:\t{comm}\nUid:\t{ids}\nNSpid:\t{pid}\t{own_pid}\n")
        (where / "maps").write_bytes(maps)
        (where / "cgroup").write_text(f"0::{cgroup}\n")
        variables = environment.split()
        (where / "environ").write_text("".join(f"{variable}\0" for variable in variables))
        (where / "cmdline").write_bytes(command_line)
        if executable:
            (where / "exe").symlink_to(executable)
        return where

    def kernel_thread(self, pid: int, comm: str) -> None:
        self.process(pid, comm, "", flags=PF_KTHREAD)

    def end(self, pid: int) -> None:
        shutil.rmtree(self.root / str(pid))


def maps_line(start: int, end: int, path: str = "", permissions: str = "r-xp") -> bytes:
    """A line of /proc/PID/maps; of anonymous memory if there is no path."""
    return f"{start:x}-{end:x} {permissions} 00000000 00:00 0    {path}\n".encode()


def give_away(file: Path) -> None:
    """Makes the file another user's; skips the test where that is not allowed."""
    try:
        os.chown(file, 1234, 1234)
    except PermissionError:
        pytest.skip("giving a file to another user needs CAP_CHOWN")
