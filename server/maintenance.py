"""What keeps a database small and fast: compaction, sums, retention.

The server does it in a thread of its own, in transactions of some milliseconds, and rests as long
as it has worked, but for what it has waited; and where there is so much to do that it is behind, it
does not rest. `profiler compact` and `profiler prune` do the same at once. Several may work on one
database.
"""

import random
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

from profiler.clock import Clock
from server.metrics import Metrics
from server.periodic import Periodic
from server.store import compaction, renewal, retention, size, stale
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.plan import Level
from server.store.retention import Policy, Step
from server.store.symbols import SymbolReader

PAUSE_SECONDS = 20.0
"""Between two looks at what is to do. Who is not done by then is behind."""

PRUNE_SECONDS = 600.0
"""Between two looks at what is too old, and at how much there is."""

T = TypeVar("T")


def compaction_phases(
    database: Database,
    now_ns: int,
    trees: FunctionTrees | None = None,
    *,
    everything: bool = False,
) -> Iterator[list[Step]]:
    """What is to do, in steps; each phase is looked up when the one before is done.

    `trees` are those that queries use, if there are any; `everything` compacts also what will be
    compacted better later.
    """
    trees = trees or FunctionTrees(SymbolReader())
    with database.read() as transaction:
        pending = compaction.pending(transaction)
    chosen = pending if everything else compaction.due(pending, now_ns)
    pieces = list(compaction.steps(chosen))
    yield [partial(compaction.compact, database, one) for one in _shuffled(pieces)]
    for level in (Level.ALL_HOUR, Level.ALL_DAY):
        with database.read() as transaction:
            marks = renewal.due(stale.marks(transaction, level), now_ns)
        yield [partial(renewal.renew, database, mark, trees) for mark in _shuffled(marks)]


def _shuffled(steps: Sequence[T]) -> list[T]:
    """So that several servers do not all begin with the same."""
    return random.sample(steps, len(steps))


class Maintenance(Periodic):
    """Works from entry to exit, which returns when the step in hand is done."""

    def __init__(
        self,
        database: Database,
        tenant: str,
        policy: Policy,
        metrics: Metrics,
        clock: Clock,
        trees: FunctionTrees | None = None,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        super().__init__("maintenance", pause_seconds, "the database is not maintained")
        self._database = database
        self._tenant = tenant
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._trees = trees
        self._next_pruning = 0.0

    def look(self) -> None:
        now_ns = self._clock.now_ns()
        self._do(compaction_phases(self._database, now_ns, self._trees))
        if time.monotonic() >= self._next_pruning:
            self._next_pruning = time.monotonic() + PRUNE_SECONDS
            self._do(retention.phases(self._database, self._tenant, self._policy, now_ns))
            self._metrics.show(size.holdings(self._database, now_ns))

    def _do(self, phases: Iterator[list[Step]]) -> None:
        for phase in phases:
            for step in phase:
                started = time.thread_time()
                step()
                worked = time.thread_time() - started
                if self.stopping.wait(worked if time.monotonic() < self.next_monotonic else 0):
                    return
