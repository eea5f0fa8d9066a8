"""The processes that are killed: servers that store, and maintainers that compact, sum up, prune.

They are forked from one process that has everything imported, so that a new one is there in some
milliseconds. In each of them statements now and then wait a little, so that what takes microseconds
and could be cut in two by a kill or by another process is cut in two often.
"""

import multiprocessing
import os
import random
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event

from profiler.errors import UnavailableError
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.ingest.listener import IngestListener
from server.ingest.service import IngestService
from server.maintenance import compaction_phases
from server.metrics import Metrics
from server.store import retention
from server.store.database import Database
from server.store.retention import Ages, Policy
from tests.processes import free_address
from tests.server.crash.clock import FastClock

EPOCH_NODES = 400
"""Few, so that epochs begin all the time."""

CACHED_NODES = 15 * EPOCH_NODES
"""Enough for all scopes: what has to be read again is, after a kill. A frame weighs four nodes."""

POLICY = Policy(Ages(raw=6, minute=9, hour=60))
"""Hours, which are seconds here: the last one moves in a long run only."""

STEPS = (0, 5, 20)
"""How many of a phase of compaction are done: another process may do the others."""

PRUNED = 0.15
"""The share of rounds of a maintainer in which it looks at what is too old, too."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """A share of the moments at which a process may wait, and how long: of ten waits one is ten
    times as long as the shortest."""

    share: float
    shortest: float
    longest: float

    def take(self, choose: random.Random) -> None:
        if choose.random() < self.share:
            time.sleep(min(self.shortest * choose.paretovariate(1), self.longest))


BETWEEN = Pauses(0.5, shortest=0.02, longest=1.0)
"""Before a maintainer's transactions, when it holds no lock."""

WITHIN = {"serve": Pauses(0.01, 0.005, longest=0.05), "maintain": Pauses(0.15, 0.005, longest=0.1)}
"""Before statements and commits. Not on SQLite: who writes there keeps all others from it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all processes of a run share; `log` is the file for what they have to say."""

    url: str
    clock: FastClock
    log: str


class ProcessEndedError(AssertionError):
    """A server or maintainer failed in a way that is no fault of the database."""


class Fleet:
    """Servers at `addresses`, and maintainers, from entry to exit. `kill` replaces one."""

    def __init__(self, settings: Settings, servers: int, maintainers: int, seed: int) -> None:
        self._settings = settings
        self._choose = random.Random(seed)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self.addresses = [free_address() for _ in range(servers)]
        self._mains: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
            *((serve, (address,)) for address in self.addresses),
            *((maintain, ()) for _ in range(maintainers)),
        ]
        self.kills = 0

    def __enter__(self) -> "Fleet":
        self._processes = [self._start(number) for number in range(len(self._mains))]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    def kill(self) -> None:
        """Kills one of them, wherever it is, and starts it again."""
        number = self._choose.randrange(len(self._processes))
        process = self._processes[number]
        self.check()
        process.kill()
        process.join()
        self.kills += 1
        self._processes[number] = self._start(number)

    def check(self) -> None:
        """Raises ProcessEndedError where one has ended by itself."""
        if any(process.exitcode is not None for process in self._processes):
            said = Path(self._settings.log).read_text().splitlines()
            raise ProcessEndedError(f"a process ended by itself: {said[-1:]}")

    def _start(self, number: int) -> Any:
        main, arguments = self._mains[number]
        seed = self._choose.getrandbits(32)
        process = self._context.Process(
            target=_logged, args=(main, self._settings, seed, *arguments), daemon=True
        )
        process.start()
        return process


def serve(settings: Settings, choose: random.Random, address: str) -> None:
    """What `profiler serve` has for collectors, with small caches and epochs."""
    with _opened(settings, choose, WITHIN["serve"]) as database:
        ingester = Ingester(
            database,
            TENANT,
            epoch_nodes=EPOCH_NODES,
            cached_nodes=CACHED_NODES,
            clock=settings.clock,
        )
        with IngestListener(address, IngestService(ingester, Metrics())):
            threading.Event().wait()


def maintain(settings: Settings, choose: random.Random) -> None:
    """What `profiler serve` does in the background, without a pause between two rounds."""
    with _opened(settings, choose, WITHIN["maintain"]) as database:
        # Before the listener that begins: on SQLite there is one writer.
        event.listen(database._engine, "begin", lambda _: BETWEEN.take(choose), insert=True)
        while True:
            try:
                _maintain_once(database, settings.clock.now_ns(), choose)
            except UnavailableError as error:
                print(error, flush=True)


def _maintain_once(database: Database, now_ns: int, choose: random.Random) -> None:
    everything = choose.random() < 0.5
    for phase in compaction_phases(database, now_ns, everything=everything):
        for step in phase[: choose.choice(STEPS)]:
            started = time.monotonic()
            step()
            time.sleep(choose.uniform(0, 2) * (time.monotonic() - started))
    if choose.random() < PRUNED:
        for phase in retention.phases(database, TENANT, POLICY, now_ns):
            for step in phase:
                step()


def _opened(settings: Settings, choose: random.Random, pauses: Pauses) -> Database:
    """A database that waits now and then."""
    database = Database(settings.url)
    if database.sqlite:
        event.listen(database._engine, "connect", _spare_the_disk)
    else:
        for moment in ("before_cursor_execute", "commit"):
            event.listen(database._engine, moment, lambda *_: pauses.take(choose))
    return database


def _spare_the_disk(connection: sqlite3.Connection, _: object) -> None:
    """Nothing here has to outlive the power."""
    connection.execute("PRAGMA synchronous=OFF")


def _logged(main: Callable[..., None], settings: Settings, seed: int, *arguments: Any) -> None:
    """What a process says goes to the log; it ends only where it is wrong."""
    descriptor = os.open(settings.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    threading.Thread(target=_end_with_the_test, daemon=True).start()
    try:
        main(settings, random.Random(seed), *arguments)
    except BaseException:
        traceback.print_exc()
        raise


def _end_with_the_test() -> None:
    """Also where that was killed itself."""
    test = multiprocessing.parent_process()
    assert test is not None
    test.join()
    os._exit(1)
