"""Starts the real command in processes of its own, and stops it again."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def free_address() -> str:
    """A loopback address with a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def running(
    *arguments: str, log: Path, stop_seconds: float = 20, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
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
                process.wait(stop_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def eventually(
    attempt: Callable[[], T | None], what: str, seconds: float = 30, log: Path | None = None
) -> T:
    """The first value of `attempt` that is not None, tried again until `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            value = attempt()
        except OSError:
            value = None
        if value is not None:
            return value
        time.sleep(0.2)
    said = f"; it said:\n{log.read_text(errors='replace')}" if log else ""
    raise AssertionError(f"{what}: not within {seconds:g} s{said}")


def answers(url: str) -> bool | None:
    """True once `url` answers 200."""
    with urllib.request.urlopen(url, timeout=5) as response:
        return True if response.status == 200 else None
