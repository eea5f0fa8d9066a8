"""A server and a collector as real processes, and what their accounts say after a fault.

node = Node(folder, "--interval", "500ms")
with node.serving(), node.collecting() as collector:
    node.wait_until_stored()
"""

import os
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any, TypeVar

from tests.bench import proc
from tests.end_to_end.conftest import get
from tests.processes import answers, eventually, free_address, running

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`taken` by the kernel program, as the collectors say at their end; `stored` and `losses`, as
    the server says; `shown` on the page. `recovery_s` passed after the end of the fault until all
    that was sampled before was stored; CPU time is that of the collector from the beginning of the
    fault to then, in % of one CPU, None where another took over; `said` is what both logged."""

    taken: int
    accounted: int
    stored: int
    shown: int
    losses: Mapping[str, int]
    fault_s: float
    recovery_s: float
    cpu_percent: float | None
    peak_mb: float
    spool_bytes: float
    said: str

    @property
    def lost(self) -> int:
        return sum(self.losses.values())

    @property
    def closes(self) -> bool:
        """Every sample is stored or lost by a cause, and none is there twice."""
        accounts = self.taken == self.accounted == self.stored + self.lost
        return accounts and self.shown == self.stored


def nothing() -> None:
    """Enters no namespace."""


class Node:
    """`options` are the collector's; `near` and `far` enter the network namespaces of collector and
    server, in which the server has the address `host`."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        host: str = "127.0.0.1",
        near: Callable[[], None] = nothing,
        far: Callable[[], None] = nothing,
    ) -> None:
        self.database = folder / "server.db"
        self.spool = folder / "spool"
        self.log, self.server_log = folder / "collect.log", folder / "serve.log"
        self._folder = folder
        self._options = options
        self._far, self._near = far, near
        self._http, self._grpc = (f"{host}:{free_address().rpartition(':')[2]}" for _ in range(2))
        self._metrics = free_address()
        self._collector: Popen[bytes] | None = None
        self._began: tuple[float, float] | None = None
        self._spool_bytes = 0.0
        self._fault_s = 0.0
        self._recovery_s = 0.0
        self._cpu_percent: float | None = None
        self._peak_mb = 0.0
        self._asking = ThreadPoolExecutor(1, initializer=near)

    @contextmanager
    def serving(self) -> Iterator[Popen[bytes]]:
        command = ["--http", self._http, "--grpc", self._grpc]
        command += ["--database", f"sqlite:///{self.database}"]
        with running(
            "serve", *command, log=self.server_log, cwd=self._folder, preexec_fn=self._far
        ) as server:
            url = f"http://{self._http}/readyz"
            eventually(
                lambda: self.ask(lambda: answers(url)),
                "the server is ready",
                self.server_log,
            )
            yield server

    @contextmanager
    def collecting(
        self, *options: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[Popen[bytes]]:
        self._began = None
        command = ["--server", self._grpc, "--spool", str(self.spool), "--metrics", self._metrics]
        with running(
            "collect",
            *(*command, *self._options, *options),
            log=self.log,
            cwd=self._folder,
            env={**os.environ, **(environment or {})},
            preexec_fn=self._near,
        ) as self._collector:
            eventually(lambda: self.taken > 0 or None, "a first drain", self.log)
            yield self._collector

    def metric(self, name: str) -> float:
        """The sum over its labels; 0 where there is none yet."""

        def read() -> str:
            with urllib.request.urlopen(f"http://{self._metrics}/metrics", timeout=5) as response:
                text: str = response.read().decode()
            return text

        pattern = rf"^profiler_collector_{name}(?:{{.*}})? (\S+)$"
        return sum(map(float, re.findall(pattern, self.ask(read), re.M)))

    @property
    def taken(self) -> int:
        """By the collector that runs now, up to its last drain."""
        return round(self.metric("samples_taken_total"))

    def ask(self, question: Callable[[], T]) -> T:
        """In the collector's network."""
        return self._asking.submit(question).result()

    def get(self, path: str, **parameters: str) -> Any:
        """The answer of the server's API, of all that was ever sampled here."""
        now = time.time()
        usual = {"query": "cpu", "from": f"{now - 10_800:.0f}", "to": f"{now + 7200:.0f}"}
        return self.ask(lambda: get(self._http, path, **(usual | parameters)))

    def wait_until_stored(self) -> None:
        """All that has been taken up to now, but for what is lost and counted."""
        taken = self.taken

        def stored() -> bool | None:
            here = self.metric("samples_acknowledged_total") + self.metric("samples_lost_total")
            return True if here >= taken else None

        eventually(stored, f"{taken} samples stored", self.log)

    def last(self, seconds: float) -> None:
        """Lets a fault, which has just begun, last."""
        assert self._collector
        self._fault_s = seconds
        began = time.monotonic()
        self._began = began, proc.cpu_seconds(proc.tree(self._collector.pid))
        while (passed := time.monotonic() - began) < seconds:
            time.sleep(min(0.5, seconds - passed))
            self._spool_bytes = max(self._spool_bytes, self.metric("spool_bytes"))

    def recover(self) -> None:
        """To be called when the fault is over."""
        assert self._collector
        over = time.monotonic()
        self.wait_until_stored()
        now, used = time.monotonic(), proc.cpu_seconds(proc.tree(self._collector.pid))
        self._recovery_s = now - over
        if self._began:
            self._cpu_percent = 100 * (used - self._began[1]) / (now - self._began[0])
        self._peak_mb = _peak_mb(self._collector.pid)

    def said_killed(self) -> int:
        """How many samples of CPU time the last collector said that the one before had lost."""
        said = re.findall(r"was killed: ([\d,]+) samples of cpu", self.log.read_text())
        return int(said[-1].replace(",", ""))

    def outcome(self, taken_before: int = 0) -> Outcome:
        """While the server runs; the collectors have ended, those that were killed and said nothing
        after they had taken `taken_before`."""
        shown = self.get("flamegraph")
        counts = re.findall(r"taken ([\d,]+) samples, ", self.log.read_text())
        self._asking.shutdown()
        return Outcome(
            taken=taken_before + sum(int(count.replace(",", "")) for count in counts),
            accounted=shown["accounts"]["taken"],
            stored=shown["accounts"]["stored"],
            shown=shown["total"]["samples"],
            losses={one["cause"]: one["samples"] for one in shown["accounts"]["losses"]},
            fault_s=self._fault_s,
            recovery_s=self._recovery_s,
            cpu_percent=self._cpu_percent,
            peak_mb=self._peak_mb,
            spool_bytes=self._spool_bytes,
            said=self.log.read_text() + self.server_log.read_text(),
        )


def _peak_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
