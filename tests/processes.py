"""Starts the real command in processes of its own, and stops it again."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 180.0
"""For what a machine that is busy otherwise does in two; nothing is slower for being waited for."""


_LOWEST, _PORTS = 20_000, 12_000
"""Below 32,768: the kernel gives higher ones to whoever asks for any port or calls another, so that
one that was just free may be taken before the server for which it was chosen begins."""
_numbers = count(os.getpid() * 100)


def free_address() -> str:
    """A loopback address with a port that nobody uses, and that is given out once."""
    for number in _numbers:
        port = _LOWEST + number % _PORTS
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"
    raise AssertionError  # they have no end


@contextmanager
def running(*arguments: str, log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """`profiler ARGUMENTS` until the block ends, then SIGTERM. What it says goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "profiler", *arguments], stdout=output, stderr=output, **options
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def eventually(attempt: Callable[[], T | None], what: str, log: Path | None = None) -> T:
    """The first value of `attempt` that is not None, tried again for as long as patience lasts."""
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.01
    while time.monotonic() < deadline:
        try:
            value = attempt()
        except OSError:
            value = None
        if value is not None:
            return value
        time.sleep(pause)
        pause = min(2 * pause, 0.2)
    said = f"; it said:\n{log.read_text(errors='replace')}" if log else ""
    raise AssertionError(f"{what}: not within {PATIENCE_SECONDS:g} s{said}")


def answers(url: str) -> bool | None:
    """True once `url` answers 200."""
    with urllib.request.urlopen(url, timeout=5) as response:
        return True if response.status == 200 else None
