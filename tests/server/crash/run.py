"""A whole crash test: collectors send, processes are killed, and the database is looked at."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from server.store import migrations
from server.store.blob import DamagedError
from server.store.database import Database
from tests.server.crash.audit import Auditor, Found
from tests.server.crash.clock import FastClock
from tests.server.crash.collectors import Collector
from tests.server.crash.ledger import Ledger
from tests.server.crash.servers import Fleet, Settings

SERVERS, MAINTAINERS, COLLECTORS = 2, 6, 4

KILL_SECONDS = 0.7
"""On average from one kill to the next."""

LOOK_SECONDS = 0.5
"""Between two looks at the database."""

RANGES = 10
"""That are asked for at each look."""

ANSWER_SECONDS = 120.0
"""After the last kill, for what is not yet acknowledged."""


@dataclass
class Result:
    """What a run did, and all that was wrong."""

    seed: int
    kills: int = 0
    looks: int = 0
    ranges: int = 0
    sums: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    duplicated: set[str] = field(default_factory=set)
    mismatches: list[str] = field(default_factory=list)

    def look(self, auditor: Auditor, ranges: int) -> None:
        self.looks += 1
        try:
            self._add(auditor.look(ranges))
        except DamagedError as error:
            self.mismatches.append(str(error))

    def _add(self, found: Found) -> None:
        self.ranges += found.ranges
        self.sums += found.sums
        self.lost.update(found.lost)
        self.duplicated.update(found.duplicated)
        self.mismatches += found.mismatches

    @property
    def wrong(self) -> bool:
        return bool(self.lost or self.duplicated or self.mismatches)

    @property
    def tried(self) -> bool:
        return min(self.kills, self.looks, self.counts["acknowledged"]) > 0

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.kills} kills, "
            f"{self.counts['acknowledged']} batches acknowledged, {self.looks} looks, "
            f"{self.ranges} ranges and {self.sums} sums compared: {len(self.lost)} lost, "
            f"{len(self.duplicated)} duplicated, {len(self.mismatches)} mismatches"
        )


def run(
    url: str,
    folder: Path,
    seconds: float,
    seed: int,
    progress: Callable[[Result], None] = lambda _: None,
) -> Result:
    """Kills for so long, and once at least; the result is complete when everything is acknowledged
    and compared.

    Ends at once where something is wrong.
    """
    choose = random.Random(seed)
    result, ledger = Result(seed), Ledger()
    settings = Settings(url, FastClock(time.time_ns(), seconds), str(folder / "log"))
    with Database(url) as database, ExitStack() as parts:
        migrations.migrate(database)
        fleet = parts.enter_context(
            Fleet(settings, SERVERS, MAINTAINERS, seed=choose.getrandbits(32))
        )
        collectors = [
            parts.enter_context(
                Collector(number, fleet.addresses, ledger, settings.clock, choose.getrandbits(32))
            )
            for number in range(COLLECTORS)
        ]
        auditor = Auditor(database, ledger, seed=choose.getrandbits(32))
        with _Killer(fleet, choose.getrandbits(32)):
            deadline = time.monotonic() + seconds
            while not result.wrong and (time.monotonic() < deadline or not result.tried):
                result.look(auditor, RANGES)
                result.kills, result.counts = fleet.kills, ledger.counts
                progress(result)
                time.sleep(LOOK_SECONDS)
        if not result.wrong:
            for collector in collectors:
                collector.finish()
            for collector in collectors:
                collector.wait(ANSWER_SECONDS)
            result.look(auditor, 5 * RANGES)
            result.kills = fleet.kills
        fleet.check()
    return result


class _Killer:
    """A thread from entry to exit."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._choose = random.Random(seed)
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="killer")

    def __enter__(self) -> "_Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._choose.expovariate(1 / KILL_SECONDS)):
                self._fleet.kill()
        except BaseException as error:
            self._failure = error
