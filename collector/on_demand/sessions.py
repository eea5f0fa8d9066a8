"""The sessions of this node: begun as others ask for them, and bounded by the node."""

import logging
import threading
from collections import Counter, deque

from collector.delivery import Exporter
from collector.on_demand import request as requests
from collector.on_demand.limits import Limits
from collector.on_demand.request import Request
from collector.on_demand.session import Session
from collector.on_demand.source import Node, Open, opened
from collector.prompt import Prompt
from profiler.clock import Clock, SystemClock
from profiler.errors import UsageError
from profiler.v1 import ingest_pb2 as pb

CLOSE_SECONDS = 5.0
"""For the last batch of sessions that end with the collector."""

GIVEN_UP = "the collector has taken what it may of its node (--max-cpu, --max-memory)"

REMEMBERED = 64
"""Sessions that are not begun a second time, should a server ask again."""

logger = logging.getLogger(__name__)


class Sessions:
    """Begins sessions, each in a thread of its own, until it is closed.

    `outcomes` counts those that have ended, `taken` their samples.
    """

    def __init__(
        self,
        limits: Limits,
        node: Node,
        exporter: Exporter,
        clock: Clock | None = None,
        open: Open = opened,
        prompt: Prompt | None = None,
    ) -> None:
        """`prompt` starts their threads; None: they stand back as their caller does."""
        self.outcomes: Counter[str] = Counter()
        self.taken = 0
        self._spent_ns = 0
        self._limits = limits
        self._node = node
        self._exporter = exporter
        self._clock = clock or SystemClock()
        self._open = open
        self._prompt = prompt or Prompt()
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Session, threading.Thread]] = {}
        self._known: deque[str] = deque(maxlen=REMEMBERED)
        self._closed = False

    def ask(self, message: pb.Request) -> None:
        """Takes a request up and returns at once. From any thread; what is no request is left."""
        if not requests.is_one(message):
            logger.warning("a request for a session without a name")
            return
        with self._lock:
            if message.stop:
                self._stop(message.session)
            elif message.session not in self._known and not self._closed:
                self._known.append(message.session)
                self._begin(message)

    def close(self) -> None:
        """Ends what runs, and waits for its last batches."""
        with self._lock:
            self._closed = True
            threads = [thread for _, thread in self._running.values()]
            for running, _ in self._running.values():
                running.stop("the collector stops")
        for thread in threads:
            thread.join(CLOSE_SECONDS)

    def give_up(self) -> bool:
        """Ends what runs, for the collector has taken what it may of its node; whether there was
        any."""
        with self._lock:
            for running, _ in self._running.values():
                running.stop(GIVEN_UP)
            return bool(self._running)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def children(self) -> list[int]:
        """The processes that read files for them now."""
        with self._lock:
            return [pid for running, _ in self._running.values() for pid in running.children]

    @property
    def spent_ns(self) -> int:
        """The time of their programs in the kernel, those that have ended too."""
        with self._lock:
            now_ns = sum(running.spent_ns for running, _ in self._running.values())
            return self._spent_ns + now_ns

    def _stop(self, name: str) -> None:
        if name in self._running:
            self._running[name][0].stop("stopped by who asked")

    def _begin(self, message: pb.Request) -> None:
        try:
            request, refusal = requests.read(message), ""
        except UsageError as error:
            request, refusal = requests.unread(message), str(error)
        refusal = refusal or self._refusal(request)
        session = Session(request, self._limits, self._node, self._exporter, self._clock)
        work = self._refuse if refusal else self._run
        thread = self._prompt.start(lambda: work(request, session, refusal), "session")
        if not refusal:
            self._running[request.session] = session, thread

    def _refusal(self, request: Request) -> str:
        """Why a request is not granted, "" where it is."""
        limits = self._limits
        if limits.off:
            return limits.off
        if request.frequency_hz > limits.frequency_hz:
            return (
                f"{request.frequency_hz} Hz is above the {limits.frequency_hz} Hz that this node "
                "allows"
            )
        if len(self._running) >= limits.at_once:
            return f"{len(self._running)} sessions run here, as many as this node allows at once"
        return ""

    def _refuse(self, request: Request, session: Session, reason: str) -> None:
        logger.info("session %s is refused: %s", request.session, reason)
        session.refuse(reason)
        self.outcomes["refused"] += 1

    def _run(self, request: Request, session: Session, _: str) -> None:
        logger.info("session %s: %s for %g s", request.session, request.event.rate, request.seconds)
        try:
            session.run(self._open)
        finally:
            with self._lock:
                del self._running[request.session]
                self.taken += session.taken
                self._spent_ns += session.spent_ns
                self.outcomes[session.state or "refused"] += 1
        logger.info("session %s: %s, %d samples", request.session, session.state, session.taken)
