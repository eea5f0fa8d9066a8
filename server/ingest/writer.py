"""The one thread that stores: it takes what waits as a group, and answers once it is committed."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

MOST_AT_ONCE = 64
"""Batches in a transaction: some 20 ms of work, in which nobody else writes to SQLite."""

MOST_BYTES_AT_ONCE = 8 << 20


class Writer(Generic[Work, Result]):
    """Hands `store` groups of what was put in; it gives a result for each, or what went wrong."""

    def __init__(self, store: Callable[[Sequence[Work]], Sequence[Result | Exception]]) -> None:
        self._store = store
        self._queue = SimpleQueue[tuple[Work, int, asyncio.Future[Result]] | None]()
        self._thread = threading.Thread(target=self._run, name="ingest")

    def put(self, work: Work, size: int) -> asyncio.Future[Result]:
        """Some work of so many bytes. In an event loop."""
        if self._thread.ident is None:
            self._thread.start()
        future = asyncio.get_running_loop().create_future()
        self._queue.put((work, size, future))
        return future

    def close(self) -> None:
        """Waits for what has been put in."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while group := self._group():
            try:
                results = self._store([work for work, _ in group])
            except Exception as error:  # a mistake of ours, which ends the streams of its senders
                results = [error] * len(group)
            futures = [future for _, future in group]
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                futures[0].get_loop().call_soon_threadsafe(_answer, futures, results)

    def _group(self) -> list[tuple[Work, asyncio.Future[Result]]]:
        """What waits, at least one; nothing at the end."""
        group: list[tuple[Work, asyncio.Future[Result]]] = []
        size = 0
        while len(group) < MOST_AT_ONCE and size < MOST_BYTES_AT_ONCE:
            if group and self._queue.empty():
                break
            waiting = self._queue.get()
            if waiting is None:
                if group:
                    self._queue.put(None)
                break
            work, bytes, future = waiting
            group.append((work, future))
            size += bytes
        return group


def _answer(
    futures: Sequence[asyncio.Future[Result]], results: Sequence[Result | Exception]
) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
