"""Notices deploys in what batches are of, in the transaction that stores them.

Of most batches nothing is new, and a dictionary says so. What a host runs is written down once a
minute, and when something is new; so a restart or another server goes on where this one was, and
nothing is noticed twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from profiler.clock import Clock
from profiler.wire import DecodedBatch
from server.ingest.changes import AWAY_NS, WRITE_NS, Book, Noticed, notice
from server.ingest.sightings import Sighting, versions
from server.store import running
from server.store.bounded import BoundedCache
from server.store.deploys import Version
from server.store.running import Runs

CACHED = 1 << 20
"""Versions on hosts, some 100 bytes each: ten thousand hosts with a hundred."""


@dataclass(frozen=True, slots=True)
class _Known:
    """When each version was seen last on a host, and when that was written."""

    written_ns: int
    last_ns: dict[Version, int]

    def covers(self, sighted: Iterable[Version], t_ns: int) -> bool:
        """Whether there is nothing to write."""
        return t_ns < self.written_ns + WRITE_NS and all(
            t_ns < self.last_ns.get(version, -AWAY_NS) + AWAY_NS for version in sighted
        )

    def see(self, sighted: Iterable[Version], t_ns: int) -> None:
        for version in sighted:
            self.last_ns[version] = max(self.last_ns[version], t_ns)


class Deploys:
    """Of one tenant. For one thread."""

    def __init__(self, tenant: str, clock: Clock) -> None:
        self._tenant = tenant
        self._clock = clock
        self._known = BoundedCache[str, _Known](CACHED, lambda known: len(known.last_ns) + 1)
        self._written: list[str] = []

    def notice(self, transaction: sa.Connection, batches: Sequence[DecodedBatch]) -> list[Noticed]:
        """What each began. Hosts are taken in the order of their names, so that no two servers
        wait for each other in a circle."""
        due = sorted(self._due(batches), key=lambda one: (one.host_name, one.t_ns, one.place))
        found = [Noticed()] * len(batches)
        if not due:
            return found
        names = sorted({one.host_name for one in due})
        hosts = {name: self._taken(transaction, name) for name in names}
        book = Book(transaction, self._tenant, {version for one in due for version in one.versions})
        for one in due:
            found[one.place] = notice(book, hosts[one.host_name], one)
        book.write()
        for name, runs in hosts.items():
            self._write(transaction, name, running.bounded(runs))
        return found

    def commit(self) -> None:
        self._written = []

    def roll_back(self) -> None:
        """What was written is not."""
        for host_name in self._written:
            self._known.forget(host_name)
        self._written = []

    def _due(self, batches: Sequence[DecodedBatch]) -> Iterator[Sighting]:
        """Those of which something is to be written. They are of now at the latest: a host whose
        clock was ahead once would have seen nothing since, until then."""
        now_ns = self._clock.now_ns()
        for place, batch in enumerate(batches):
            t_ns, sighted = min(batch.start_ns, now_ns), versions(batch)
            known = self._known.get(batch.host_name)
            if known is not None and known.covers(sighted, t_ns):
                known.see(sighted, t_ns)
            elif sighted:
                yield Sighting(batch.host_name, t_ns, place, sighted)

    def _taken(self, transaction: sa.Connection, host_name: str) -> Runs:
        """What is known of a host, with what was not worth writing before."""
        runs = running.take(transaction, self._tenant, host_name)
        known = self._known.get(host_name)
        for version, last_ns in (known.last_ns if known else {}).items():
            if run := runs.get(version):
                runs[version] = replace(run, last_ns=max(run.last_ns, last_ns))
        return runs

    def _write(self, transaction: sa.Connection, host_name: str, runs: Runs) -> None:
        running.write(transaction, self._tenant, host_name, runs)
        self._written.append(host_name)
        last_ns = {version: run.last_ns for version, run in runs.items()}
        self._known.put(host_name, _Known(max(last_ns.values()), last_ns))
