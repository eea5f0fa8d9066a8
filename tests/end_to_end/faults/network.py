"""Two network namespaces joined by a cable that can be pulled: nothing else of this machine's
networks is touched, and the kernel removes all of it with the two processes that hold them."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.processes import eventually

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_library = ctypes.CDLL(None, use_errno=True)


class Namespace:
    def __init__(self, pid: int) -> None:
        """That of a process."""
        self.pid = pid

    def enter(self) -> None:
        """For the calling thread."""
        descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _library.setns(descriptor, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    def ip(self, *arguments: str) -> None:
        subprocess.run(
            ["nsenter", "--target", str(self.pid), "--net", "ip", *arguments],
            check=True,
            capture_output=True,
        )


class Cable:
    """From `near`, 10.0.0.1, to `far`, 10.0.0.2."""

    def __init__(self, near: Namespace, far: Namespace) -> None:
        self.near, self.far = near, far
        near.ip(
            "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", str(far.pid)
        )
        for place, name, address in ((near, "near0", "10.0.0.1"), (far, "far0", "10.0.0.2")):
            place.ip("address", "add", f"{address}/24", "dev", name)
            place.ip("link", "set", "lo", "up")
            place.ip("link", "set", name, "up")

    def pull(self) -> None:
        self.far.ip("link", "set", "far0", "down")

    def plug(self) -> None:
        self.far.ip("link", "set", "far0", "up")


@contextmanager
def cable() -> Iterator[Cable]:
    with ExitStack() as opened:
        places = [opened.enter_context(_namespace()) for _ in range(2)]
        try:
            yield Cable(*places)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network of its own: {error} (apt-get install iproute2)")


@contextmanager
def _namespace() -> Iterator[Namespace]:
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as process:
        try:
            own, its = (Path(f"/proc/{pid}/ns/net") for pid in ("self", process.pid))
            eventually(lambda: its.readlink() != own.readlink() or None, "a network namespace")
            yield Namespace(process.pid)
        finally:
            process.kill()
