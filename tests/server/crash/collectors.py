"""Sends as collectors do: what was not acknowledged is sent again, in another order and on another
stream, some of it much later; and, as after a crash, some of what was acknowledged too."""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from profiler.wire import StreamEncoder
from tests.server import client
from tests.server.crash.clock import FastClock
from tests.server.crash.drains import Host
from tests.server.crash.ledger import Batch, Ledger
from tests.server.drains import collector_id

MEASURE_SECONDS = 0.12
"""Between two drains of a host: seven minutes of the clock of the test."""

SPOOLED = 40
"""With so many batches waiting, a host measures nothing."""

WINDOW = 4
"""Batches that are sent ahead of their acknowledgements."""

HELD_SECONDS = ((0.6, 0), (0.3, 2), (0.09, 5), (0.01, 7))
"""The share of batches that wait up to so long before they are sent for the first time. Before the
last of these has passed, the profiles of its time may have been given up."""

REPEATED, MISTAKEN = 0.15, 0.03
"""Shares of batches that are acknowledged already, and of such as cannot be stored."""

REMEMBERED = 300
"""Acknowledged batches that may be sent again."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: Batch
    due: float


class Collector:
    """A thread from entry to exit. At the end `finish` it, then `wait` until all is delivered."""

    def __init__(
        self, number: int, addresses: Sequence[str], ledger: Ledger, clock: FastClock, seed: int
    ) -> None:
        self._choose = random.Random(seed)
        self._number = number
        self._addresses = addresses
        self._ledger = ledger
        self._clock = clock
        self._host = Host(number, self._choose)
        self._waiting: list[_Waiting] = []
        self._acknowledged: list[Batch] = []
        self._next = time.monotonic()
        self._alone = False
        self._finishing = False
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"collector {number}")

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join()

    def finish(self) -> None:
        """Measures nothing more."""
        self._finishing = True

    def wait(self, seconds: float) -> None:
        """Returns when all is acknowledged or refused."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise AssertionError(f"{len(self._waiting)} batches were never answered")
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stopping and not (self._finishing and not self._waiting):
                self._stream()
        except BaseException as error:
            self._failure = error

    def _stream(self) -> None:
        encoder = StreamEncoder()
        sent: list[Batch] = []
        with client.stream(self._choose.choice(self._addresses)) as stream:
            try:
                while self._choose.random() < 0.95 and (sent := self._window()):
                    for batch in sent:
                        message = encoder.encode(
                            batch.drain, collector_id(self._number), batch.sequence
                        )
                        stream.post(message)
                    for batch in sent:
                        assert stream.answer() == batch.sequence
                        self._acknowledge(batch)
                    self._alone = False
            except grpc.RpcError as error:
                self._failed(error, sent)

    def _window(self) -> list[Batch]:
        """What to send next; nothing when all is done."""
        while not self._stopping:
            self._measure()
            now = time.monotonic()
            due = [one.batch for one in self._waiting if one.due <= now or self._finishing]
            if self._choose.random() < REPEATED and self._acknowledged:
                return [self._choose.choice(self._acknowledged)]
            if due:
                count = 1 if self._alone else min(WINDOW, len(due))
                return self._choose.sample(due, count)
            if self._finishing:
                return []
            time.sleep(0.005)
        return []

    def _measure(self) -> None:
        """What the host has measured by now."""
        choose = self._choose
        while self._next <= time.monotonic() and not self._finishing:
            self._next += MEASURE_SECONDS
            if len(self._waiting) >= SPOOLED:
                continue
            now_ns = self._clock.now_ns()
            mistaken = choose.random() < MISTAKEN
            batch = (self._host.too_much if mistaken else self._host.measure)(now_ns)
            self._ledger.send(batch, mistaken=mistaken)
            shares = [share for share, _ in HELD_SECONDS]
            ((_, longest),) = choose.choices(HELD_SECONDS, shares)
            self._waiting.append(_Waiting(batch, time.monotonic() + choose.uniform(0, longest)))

    def _acknowledge(self, batch: Batch) -> None:
        self._ledger.acknowledge(batch)
        self._waiting = [one for one in self._waiting if one.batch is not batch]
        self._acknowledged = [*self._acknowledged[-REMEMBERED:], batch]

    def _failed(self, error: grpc.RpcError, sent: list[Batch]) -> None:
        """A batch that is refused alone is given up."""
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            self._ledger.fail(error.code().name.lower())
            time.sleep(self._choose.uniform(0, 0.05))
        elif len(sent) > 1:
            self._alone = True
        else:
            (batch,) = sent
            self._ledger.refuse(batch, error.details() or "")
            self._waiting = [one for one in self._waiting if one.batch is not batch]
            self._acknowledged = [one for one in self._acknowledged if one is not batch]
            self._alone = False
