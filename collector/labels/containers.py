"""The containers of this node, asked for as they are first seen and kept by their number.

with Containers(SOCKETS) as containers:
    containers.ask(cgroup)          in any thread, at once
    containers.settle(0.2)          before the answers are needed
    containers.get(container_id)
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.labels import cri, engine
from collector.labels.cgroup import Cgroup
from collector.labels.engine import PATIENCE_SECONDS, Failed
from collector.labels.facts import Container
from collector.processes.bounded import Bounded

MAX_CONTAINERS = 4096
"""Kept, some 500 bytes each; 110 pods is what Kubernetes puts on a node."""
MAX_WAITING = 1024
AGAIN_NS = 60_000_000_000
"""After a failure, until it is asked for again."""
SOCKETS = (
    Path("/run/docker.sock"),
    Path("/run/podman/podman.sock"),
    Path("/run/containerd/containerd.sock"),
    Path("/run/k3s/containerd/containerd.sock"),
    Path("/run/crio/crio.sock"),
)
_OF_DOCKER, _OF_CRI = ("docker", "podman", ""), ("containerd", "cri-o", "")
"""The runtimes that one API or the other can know; "" where the control group does not say."""

UNKNOWN = Container()


class Containers:
    """A thread asks the engines behind `sockets`, one after the other, from the first container on
    for which there is one. Where there is no socket, there is no thread.

    `outcomes` counts what came of it: `found`, `missing` (no engine knows it), and those of
    `engine.inspect`.
    """

    def __init__(
        self,
        sockets: Sequence[Path],
        wanted: Callable[[str], bool] = lambda label: False,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._sockets = sockets
        self._wanted = wanted
        self._patience_seconds = patience_seconds
        self._known: Bounded[str, Container] = Bounded(MAX_CONTAINERS, lambda known: 1)
        self._failed: Bounded[str, int] = Bounded(MAX_CONTAINERS, lambda failed: 1)
        self._waiting: dict[str, list[Path]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def get(self, container_id: str) -> Container:
        """What is known of it; empty where nothing is."""
        with self._changed:
            return self._known.get(container_id) or UNKNOWN

    def ask(self, cgroup: Cgroup) -> None:
        """Has the container of a control group looked up, if that was not done. Never waits."""
        name = cgroup.container_id
        with self._changed:
            if not name or not self._is_due(name):
                return
            paths = [path for path in self._sockets if _serves(path, cgroup) and _is_there(path)]
            if not paths:
                return
            self._waiting[name] = paths
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="containers", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settle(self, patience_seconds: float) -> None:
        """Waits until everything is answered, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, patience_seconds)

    def close(self) -> None:
        """Ends the thread; what is being asked is not waited for."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _is_due(self, name: str) -> bool:
        if self._closed or name in self._waiting or len(self._waiting) >= MAX_WAITING:
            return False
        if self._known.get(name) is not None:
            return False
        failed_ns = self._failed.get(name)
        return failed_ns is None or time.monotonic_ns() - failed_ns >= AGAIN_NS

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                name, paths = next(iter(self._waiting.items()))
            found, outcome = self._look(name, paths)
            with self._changed:
                self.outcomes[outcome] += 1
                if found is None:
                    self._failed[name] = time.monotonic_ns()
                else:
                    self._known[name] = found
                self._waiting.pop(name, None)  # until now, so that nobody has it asked twice
                self._changed.notify_all()

    def _look(self, name: str, paths: Sequence[Path]) -> tuple[Container | None, str]:
        """The first answer, else the first failure that is more than not to know it."""
        outcome = "missing"
        for path in paths:
            inspect = cri.inspect if _speaks_cri(path) else engine.inspect
            try:
                return inspect(path, name, self._wanted, self._patience_seconds), "found"
            except Failed as error:
                outcome = error.outcome if outcome == "missing" else outcome
        return None, outcome


def _speaks_cri(path: Path) -> bool:
    """Whether the server of a socket of this name speaks Kubernetes' interface, not Docker's."""
    return path.name.startswith(("containerd", "crio", "cri-"))


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110, that of Path raises where we may not look


def _serves(path: Path, cgroup: Cgroup) -> bool:
    return cgroup.runtime in (_OF_CRI if _speaks_cri(path) else _OF_DOCKER)
