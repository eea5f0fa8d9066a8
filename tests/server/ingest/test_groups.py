"""Batches that are committed together: what is wrong with one is its own, and leaves nothing."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from profiler.errors import FormatError
from profiler.model import CPU, Drain
from server.config import TENANT
from server.ingest.ingester import Delivery, Ingester, Outcome
from server.ingest.writer import MOST_AT_ONCE, Writer
from server.store.database import Database
from tests.builders import stacks
from tests.server.drains import MIDNIGHT, TEN_SECONDS, Sender, drain, series
from tests.server.reading import read, total


@pytest.fixture
def ingester(database: Database) -> Ingester:
    return Ingester(database, TENANT, epoch_nodes=8)


def delivery(sender: Sender, sent: Drain, sequence: int = 0) -> Delivery:
    return Delivery(sender._stream, sender.decoded(sent, sequence))


def said(outcomes: Sequence[Outcome | Exception]) -> list[str]:
    return [
        str(one) if isinstance(one, Exception) else "duplicate" if one.duplicate else "stored"
        for one in outcomes
    ]


def test_a_group_is_stored_as_each_alone_would_be(database: Database, ingester: Ingester) -> None:
    senders = [Sender(ingester, collector) for collector in range(3)]
    sent = [
        drain(series("main;f 1", host=host), series("main;g 2", host=host, service="search"))
        for host in "abc"
    ]
    outcomes = ingester.store_all(list(map(delivery, senders, sent)))
    assert outcomes == [Outcome(False, 3, 2)] * 3
    assert stacks(read(database).profile) == {("main", "f"): 3, ("main", "g"): 6}


def test_a_batch_that_a_group_has_twice_is_stored_once(
    database: Database, ingester: Ingester
) -> None:
    senders = [Sender(ingester) for _ in range(2)]
    again = [delivery(sender, drain(series("main 3"))) for sender in senders]
    assert said(ingester.store_all(again)) == ["stored", "duplicate"]
    assert total(database) == 3


def test_what_is_wrong_with_one_of_a_group_is_its_own(
    database: Database, ingester: Ingester
) -> None:
    senders = [Sender(ingester, collector) for collector in range(3)]
    deep = drain(series(";".join("abcdefghi") + " 1"))
    sent = [drain(series("main;f 1")), deep, drain(series("main;g 2"))]
    outcomes = ingester.store_all(list(map(delivery, senders, sent)))
    assert [isinstance(one, FormatError) for one in outcomes] == [False, True, False]
    assert "9 new nodes in the service 'checkout', a batch may have 8" in str(outcomes[1])
    assert stacks(read(database).profile) == {("main", "f"): 1, ("main", "g"): 2}


def test_numbers_of_a_transaction_that_failed_are_forgotten(
    database: Database, ingester: Ingester
) -> None:
    """The name of the last batch is used twice, which is found after all have numbered stacks."""
    ingester.store_all([delivery(Sender(ingester, 9), drain(series("main 1")), 7)])
    senders = [Sender(ingester, collector) for collector in (1, 2, 9)]
    sent = [drain(series("a;b 1")), drain(series("c;d 1")), drain(series("main 1"), host="b")]
    numbers = (0, 0, 7)
    outcomes = ingester.store_all(list(map(delivery, senders, sent, numbers)))
    assert [isinstance(one, FormatError) for one in outcomes] == [False, False, True]
    later = [replace(one, start_ns=MIDNIGHT + TEN_SECONDS) for one in sent[1::-1]]
    ingester.store_all([delivery(senders[1], later[0], 1), delivery(senders[0], later[1], 1)])
    assert stacks(read(database).profile) == {("main",): 1, ("a", "b"): 2, ("c", "d"): 2}


def test_two_units_of_one_type_that_arrive_at_once_are_not_both_taken(
    database: Database, ingester: Ingester
) -> None:
    types = [replace(CPU, name="wall", unit=unit) for unit in ("nanoseconds", "count")]
    sent = [
        drain(replace(series("main 1"), type=type), host=host, type=type)
        for type, host in zip(types, "ab", strict=True)
    ]
    senders = [Sender(ingester, collector) for collector in range(2)]
    outcomes = said(ingester.store_all(list(map(delivery, senders, sent))))
    assert outcomes[0] == "stored"
    assert "are counted in 'nanoseconds' here" in outcomes[1]


def test_what_waits_while_something_is_stored_is_stored_together() -> None:
    groups: list[list[int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def store(group: Sequence[int]) -> list[int | Exception]:
        groups.append(list(group))
        begun.set()
        go_on.wait()
        return [ValueError(str(one)) if one == 3 else -one for one in group]

    async def send() -> list[int | BaseException]:
        first = writer.put(1, size=1)
        await asyncio.to_thread(begun.wait)
        others = [writer.put(number, size=1) for number in range(2, MOST_AT_ONCE + 3)]
        go_on.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    writer = Writer[int, int](store)
    try:
        with ThreadPoolExecutor() as pool:  # this thread may have a loop that runs
            answers = pool.submit(asyncio.run, send()).result()
    finally:
        writer.close()
    assert list(map(len, groups)) == [1, MOST_AT_ONCE, 1]
    assert answers[:2] == [-1, -2]
    assert isinstance(answers[2], ValueError)
    assert answers[3:] == [-number for number in range(4, MOST_AT_ONCE + 3)]
