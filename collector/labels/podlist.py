"""Reads the list of pods when there is one that is not known: from a file that is kept up to date
for us, or from the kubelet.

    with closing(PodList("https://127.0.0.1:10250/pods", Access(token, ca))) as pods:
        pods.ask(cgroup)
        pods.settle(0.2)
        pods.get(pod_uid)
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from collector.labels.cgroup import Cgroup
from collector.labels.engine import Failed
from collector.labels.facts import Container, Pod
from collector.labels.kubelet import PATIENCE_SECONDS, Access, fetch, read_file
from collector.labels.pods import Listed, parse_pods
from collector.processes.bounded import Bounded

logger = logging.getLogger(__name__)

AGAIN_NS = 10_000_000_000
"""Between two looks: what starts pods every second must not have us read their list as often."""
TRIES = 6
"""Lists without a container, until it is taken for one that no list has: it comes onto the list
some seconds after it runs, and the container that holds a pod together never does."""
MAX_KEPT = 4096
"""Pods, and containers, of which most have ended; their samples arrive later."""


class PodList:
    """`outcomes` counts how the list was read: `ok`, `missing`, `unreachable`, `timeout`,
    `refused`, `too_large`, `bad_answer`."""

    def __init__(
        self,
        source: str,
        access: Access,
        wanted: Callable[[str], bool] = lambda label: False,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._source = source
        self._access = access
        self._wanted = wanted
        self._patience_seconds = patience_seconds
        self._pods: Bounded[str, Pod] = Bounded(MAX_KEPT, lambda pod: 1)
        self._containers: Bounded[str, Container] = Bounded(MAX_KEPT, lambda container: 1)
        self._tried: Bounded[str, int] = Bounded(MAX_KEPT, lambda tries: 1)
        self._asked = ""
        self._read_ns: int | None = None
        self._due = False
        self._closed = False
        self._said = ""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def get(self, pod_uid: str) -> Pod:
        with self._changed:
            return self._pods.get(pod_uid) or Pod()

    def container(self, container_id: str) -> Container:
        with self._changed:
            return self._containers.get(container_id) or Container()

    def ask(self, cgroup: Cgroup) -> None:
        """Has the list read, if the container of this pod is not on it. Never waits."""
        if not cgroup.pod_uid or not cgroup.container_id:
            return
        with self._changed:
            name, now_ns = cgroup.container_id, time.monotonic_ns()
            if self._closed or self._containers.get(name) or (self._tried.get(name) or 0) >= TRIES:
                return
            if self._read_ns is not None and now_ns - self._read_ns < AGAIN_NS:
                return
            self._read_ns, self._due, self._asked = now_ns, True, name
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pods", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settle(self, patience_seconds: float) -> None:
        """Waits until the list is read, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._due, patience_seconds)

    def close(self) -> None:
        with self._changed:
            self._closed, self._due = True, False
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._due or self._closed)
                if self._closed:
                    return
            listed, outcome = self._look()
            with self._changed:
                self.outcomes[outcome] += 1
                if outcome == "ok":
                    self._tried[self._asked] = (self._tried.get(self._asked) or 0) + 1
                for uid, pod in listed.pods.items():
                    self._pods[uid] = pod
                for number, container in listed.containers.items():
                    self._containers[number] = container
                self._due = False
                self._changed.notify_all()
            if outcome not in ("ok", self._said):
                logger.warning("the pods of %s are not known: %s", self._source, outcome)
            self._said = outcome

    def _look(self) -> tuple[Listed, str]:
        try:
            if self._source.startswith(("http://", "https://")):
                body = fetch(self._source, self._access, self._patience_seconds)
            else:
                body = read_file(self._source)
            return parse_pods(body, self._wanted), "ok"
        except Failed as error:
            return Listed({}, {}), error.outcome
