"""The collectors that wait to be asked for a session, and the thread that looks for who asks.

Somebody may have asked another server, so what is asked for stands in the database.
"""

import asyncio
from collections import defaultdict
from concurrent.futures import Future

from profiler.clock import Clock
from profiler.session import State
from profiler.v1 import ingest_pb2 as pb
from server.periodic import Periodic
from server.store import sessions
from server.store.database import Database
from server.store.sessions import Recording

PAUSE_SECONDS = 0.5
"""Between two looks: who asks waits for a quarter of a second longer, and a look is one statement
that finds nothing."""

ANSWER_SECONDS = 5.0
"""For the event loop, which answers at once unless it has ended."""


class Listeners:
    """Collectors by host, each with one answer that it waits for. For one event loop, but for
    `hosts` and `tell`."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, list[asyncio.Future[pb.Request]]] = defaultdict(list)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def wait(self, host_name: str) -> pb.Request:
        """The next request to a host. Of several that wait for it, the newest gets it."""
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[pb.Request] = self._loop.create_future()
        self._waiting[host_name].append(future)
        try:
            return await future
        finally:
            self._waiting[host_name].remove(future)
            if not self._waiting[host_name]:
                del self._waiting[host_name]

    def stop(self) -> None:
        """Nobody needs to wait any more."""
        for futures in self._waiting.values():
            for future in futures:
                future.cancel()

    @property
    def count(self) -> int:
        return sum(map(len, list(self._waiting.values())))

    def hosts(self) -> set[str]:
        return set(list(self._waiting))

    def tell(self, host_name: str, request: pb.Request) -> bool:
        """False where no collector of the host waits any more. From another thread."""
        told = Future[bool]()

        def tell() -> None:
            open_ = [one for one in self._waiting.get(host_name, ()) if not one.done()]
            if open_:
                open_[-1].set_result(request)
            told.set_result(bool(open_))

        try:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(tell)
            return told.result(ANSWER_SECONDS)
        except (RuntimeError, TimeoutError):  # the loop has ended
            return False


class Asking(Periodic):
    """Carries what is asked for from the database to `listeners`, from entry to exit."""

    def __init__(
        self,
        database: Database,
        tenant: str,
        listeners: Listeners,
        clock: Clock,
    ) -> None:
        super().__init__("asking", PAUSE_SECONDS, "nobody can be asked for a session")
        self._database = database
        self._tenant = tenant
        self._listeners = listeners
        self._clock = clock

    def look(self) -> None:
        with self._database.read() as transaction:
            waiting = sessions.waiting(transaction, self._tenant)
            overdue = sessions.overdue(transaction, self._tenant, self._clock.now_ns())
        hosts = self._listeners.hosts()
        for one in waiting:
            if one.host_name in hosts:
                hosts.remove(one.host_name)  # it hears one request, then it asks for the next
                self._tell(one)
        if overdue:
            with self._database.write() as transaction:
                sessions.expire(transaction, self._tenant, self._clock.now_ns())

    def _tell(self, one: Recording) -> None:
        if one.state is State.STOPPING:  # again and again, until it has ended
            self._listeners.tell(one.host_name, pb.Request(session=one.session, stop=True))
            return
        with self._database.write() as transaction:
            now_ns = self._clock.now_ns()
            if not sessions.offer(transaction, one, self._tenant, now_ns):
                return
        if not self._listeners.tell(one.host_name, _request(one)):
            with self._database.write() as transaction:
                sessions.give_back(transaction, one, self._tenant, self._clock.now_ns())


def _request(one: Recording) -> pb.Request:
    return pb.Request(
        session=one.session,
        selector=one.wanted.selector,
        event=one.wanted.event,
        frequency_hz=one.wanted.frequency_hz,
        duration_ns=one.wanted.duration_ns,
    )
