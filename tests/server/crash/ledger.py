"""What was sent, and what became of it: the plain dictionary that the database must agree with.

Every series of a batch holds a stack of its own, one sample of a function that is called as the
batch is. So any sum says which batches are in it, and how often.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from profiler.model import Drain, Labels
from server.ingest.ingester import batch_uid
from tests import builders
from tests.server.drains import collector_id

MARK = "batch "

Stacks = Counter[tuple[str, ...]]


@dataclass(frozen=True)
class Batch:
    """A drain, and the number that its collector gave it."""

    collector: int
    sequence: int
    drain: Drain

    @property
    def name(self) -> str:
        return batch_name(self.collector, self.sequence)

    @property
    def uid(self) -> int:
        """By which the database knows it."""
        return batch_uid(collector_id(self.collector), self.sequence)

    @cached_property
    def parts(self) -> Mapping[Labels, Stacks]:
        """The samples of each of its series."""
        return {
            profile.labels: Counter(builders.stacks(profile)) for profile in self.drain.profiles
        }


def batch_name(collector: int, sequence: int) -> str:
    return f"{MARK}{collector}.{sequence}"


class Ledger:
    """Batches by name, and what became of them. For several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sent: dict[str, Batch] = {}
        self._acknowledged: set[str] = set()
        self._refused: dict[str, str] = {}
        self._mistaken: set[str] = set()
        self.counts: Counter[str] = Counter()

    def send(self, batch: Batch, *, mistaken: bool = False) -> None:
        """To be called before it is sent; `mistaken` if it must be refused."""
        with self._lock:
            self.counts["sent"] += 1
            self._sent[batch.name] = batch
            if mistaken:
                self._mistaken.add(batch.name)

    def acknowledge(self, batch: Batch) -> None:
        with self._lock:
            again = batch.name in self._acknowledged
            self.counts["acknowledged again" if again else "acknowledged"] += 1
            if batch.name in self._sent:
                self._acknowledged.add(batch.name)

    def refuse(self, batch: Batch, reason: str) -> None:
        with self._lock:
            self.counts["refused"] += 1
            if batch.name in self._sent:
                self._refused[batch.name] = reason

    def fail(self, status: str) -> None:
        """A stream that ended, so that batches were to be sent again."""
        with self._lock:
            self.counts[status] += 1

    def entries(self) -> "Entries":
        with self._lock:
            return Entries(
                dict(self._sent),
                frozenset(self._acknowledged),
                dict(self._refused),
                frozenset(self._mistaken),
            )

    def forget(self, before_ns: int) -> None:
        """What is older is not kept by the database either."""
        with self._lock:
            old = [name for name, one in self._sent.items() if one.drain.start_ns < before_ns]
            for name in old:
                del self._sent[name]
                self._refused.pop(name, None)
            self._acknowledged.difference_update(old)
            self._mistaken.difference_update(old)


@dataclass(frozen=True, slots=True)
class Entries:
    """A ledger at one moment; `mistaken` are those that must be refused."""

    sent: Mapping[str, Batch]
    acknowledged: frozenset[str]
    refused: Mapping[str, str]
    mistaken: frozenset[str]
