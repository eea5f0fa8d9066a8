"""Writes the batches of all streams, one after the other, each in one transaction.

There is one thread that does so in a process: SQLite has one writer anyway, the symbol caches
need no locks, and a commit per collector and drain is far from what one thread can do. Servers
scale by processes.

A batch's accounts are inserted first. If they are there already the batch has been stored before
and there is nothing to do; on PostgreSQL that insert waits for another server that is storing the
same batch. Then, service by service in their order (so that no two servers wait for each other in
a circle), the symbols, and the samples that use them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.clock import Clock, SystemClock
from profiler.errors import FormatError
from profiler.model import ProfileType
from profiler.wire import DecodedBatch, Samples
from server.ingest import numbering
from server.ingest.stream import Stream
from server.store import accounts, catalog, horizon, hot
from server.store.accounts import Accounts
from server.store.bounded import BoundedCache
from server.store.catalog import SERVICE
from server.store.codec import Entries
from server.store.database import Database
from server.store.hot import Row
from server.store.hours import HOUR_NS, TimeRange
from server.store.symbols import CACHED_NODES, SymbolWriter

UNACCOUNTED = "unaccounted"

EPOCH_NODES = 1 << 20
"""When a scope's log has so many nodes, its next epoch begins; and so many nodes at most may one
batch use in one scope. The dictionaries of such a log take about 120 MB."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: `entries` counts stacks with samples, of all its series."""

    duplicate: bool
    samples: int = 0
    entries: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)


class _OpenScope:
    """A scope that was written to: its epoch's symbols, its series by hash."""

    def __init__(self, scope: catalog.Scope) -> None:
        self.scope = scope
        self.symbols = SymbolWriter(scope.scope_id, scope.epoch)
        self.series: dict[bytes, int] = {}

    @property
    def weight(self) -> int:
        return self.symbols.weight + len(self.series) + 16


class Ingester:
    """Stores batches. For one thread."""

    def __init__(
        self,
        database: Database,
        tenant: str,
        *,
        epoch_nodes: int = EPOCH_NODES,
        cached_nodes: int = CACHED_NODES,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._clock = clock or SystemClock()
        self._epoch_nodes = epoch_nodes
        self._scopes = BoundedCache[str, _OpenScope](cached_nodes, lambda scope: scope.weight)
        self._units: dict[str, str] = {}

    @property
    def cached_nodes(self) -> int:
        return self._scopes.weight

    def store(self, stream: Stream, batch: DecodedBatch) -> Outcome:
        """Stores a batch of `stream` unless that has been done; returns after the commit.

        Raises FormatError for a batch that can never be stored and UnavailableError where the
        database is at fault; then nothing of the batch is stored.
        """
        stream.extend(batch.additions)
        by_service = _by_service(batch.profiles)
        try:
            with self._database.write() as transaction:
                return self._write(transaction, stream, batch, by_service)
        except BaseException:
            for service in by_service:
                self._scopes.forget(service)
            raise

    def _write(
        self,
        transaction: sa.Connection,
        stream: Stream,
        batch: DecodedBatch,
        by_service: Mapping[str, list[Samples]],
    ) -> Outcome:
        self._check_unit(transaction, batch.type)
        self._check_age(transaction, batch)
        uid = batch_uid(batch)
        totals = _accounts(batch)
        if not accounts.add(
            transaction,
            self._tenant,
            uid,
            host_name=batch.host_name,
            profile_type=batch.type.name,
            window=TimeRange(batch.start_ns, batch.start_ns + batch.duration_ns),
            accounts=totals,
        ):
            return Outcome(duplicate=True)
        self._leave_old_epochs(transaction, by_service)
        rows: list[Row] = []
        for service, profiles in by_service.items():
            rows += self._rows(transaction, stream, batch, service, profiles)
        hot.add(transaction, {uid: rows})
        entries = sum(len(row.entries.nodes) for row in rows)
        return Outcome(False, totals.stored, entries, totals.losses)

    def _rows(
        self,
        transaction: sa.Connection,
        stream: Stream,
        batch: DecodedBatch,
        service: str,
        profiles: Iterable[Samples],
    ) -> Iterator[Row]:
        """The rows of one service; numbers its symbols and series on the way."""
        held = [profile for profile in profiles if len(profile.stacks)]
        if not held:
            return
        opened = self._open(transaction, service)
        stacks = np.concatenate([profile.stacks for profile in held])
        numbers = self._numbers(transaction, stream, opened, service, stacks)
        ends = np.cumsum([len(profile.stacks) for profile in held])
        for profile, nodes in zip(held, np.split(numbers, ends[:-1]), strict=True):
            entries = _entries(nodes, profile)
            yield Row(
                scope_id=opened.scope.scope_id,
                series_id=self._series(transaction, opened, batch.type, profile),
                t0_ns=batch.start_ns,
                epoch=opened.scope.epoch,
                duration_ns=batch.duration_ns,
                period=0 if len(entries.values) else profile.period,
                entries=entries,
            )
        self._scopes.put(service, opened)  # weighs it again

    def _leave_old_epochs(self, transaction: sa.Connection, services: Iterable[str]) -> None:
        """Forgets the scopes of which another has begun a new epoch; the old one may be dropped."""
        known = {name: opened for name in services if (opened := self._scopes.get(name))}
        numbers = [opened.scope.scope_id for opened in known.values()]
        epochs = catalog.epochs(transaction, numbers) if numbers else {}
        for name, opened in known.items():
            if epochs.get(opened.scope.scope_id) != opened.scope.epoch:
                self._scopes.forget(name)

    def _open(self, transaction: sa.Connection, service: str) -> _OpenScope:
        opened = self._scopes.get(service)
        if opened is None:
            opened = _OpenScope(
                catalog.open_scope(transaction, self._tenant, service, self._clock.now_ns())
            )
            opened.symbols.load(transaction)
        while opened.symbols.nodes >= self._epoch_nodes:
            opened = _OpenScope(
                catalog.begin_epoch(transaction, opened.scope, self._clock.now_ns())
            )
            opened.symbols.load(transaction)
        self._scopes.put(service, opened)
        return opened

    def _numbers(
        self,
        transaction: sa.Connection,
        stream: Stream,
        opened: _OpenScope,
        service: str,
        stacks: NDArray[np.uint32],
    ) -> NDArray[np.int32]:
        """The numbers of the stream's `stacks` in the scope."""
        known = stream.scope(service, opened.scope.epoch)
        numbers = known.nodes.look_up(stacks)
        unknown = stacks[numbers < 0]
        if not len(unknown):
            return numbers
        paths = stream.unknown_paths(unknown, known.nodes)
        if len(paths) > self._epoch_nodes:
            raise FormatError(
                f"profiles: {len(paths)} new nodes in the service {service!r}, "
                f"a batch may have {self._epoch_nodes}"
            )
        numbering.learn(transaction, stream, known, opened.symbols, paths)
        return known.nodes.look_up(stacks)

    def _series(
        self,
        transaction: sa.Connection,
        opened: _OpenScope,
        type: ProfileType,
        profile: Samples,
    ) -> int:
        key = catalog.labels_hash(type, profile.labels)
        number = opened.series.get(key)
        if number is None:
            number = catalog.open_series(transaction, opened.scope.scope_id, type, profile.labels)
            opened.series[key] = number
        return number

    def _check_age(self, transaction: sa.Connection, batch: DecodedBatch) -> None:
        """What is older than the proofs that it was stored could be stored twice."""
        kept = horizon.hold(transaction, self._tenant, batch.type.name)
        if batch.start_ns < kept.raw * HOUR_NS:
            raise FormatError(
                f"accounts.start_ns: {batch.start_ns} is older than the profiles that are kept, "
                f"which begin at {kept.raw * HOUR_NS}"
            )

    def _check_unit(self, transaction: sa.Connection, type: ProfileType) -> None:
        """Two units under one name could not be added up."""
        if type.name not in self._units:
            known = catalog.profile_types(transaction, self._tenant)
            self._units = {known_type.name: known_type.unit for known_type in known}
        unit = self._units.get(type.name, type.unit)
        if unit != type.unit:
            raise FormatError(
                f"accounts.unit: {type.unit!r}, profiles of the type {type.name!r} "
                f"are counted in {unit!r} here"
            )


def batch_uid(batch: DecodedBatch) -> int:
    """64 bits of (collector, sequence), signed as SQL wants it."""
    name = batch.collector_id + batch.sequence.to_bytes(8, "little")
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little", signed=True)


def _by_service(profiles: Iterable[Samples]) -> dict[str, list[Samples]]:
    """The profiles of each service, the services in their order."""

    def service(profile: Samples) -> str:
        return dict(profile.labels).get(SERVICE, "")

    ordered = sorted(profiles, key=service)
    return {name: list(group) for name, group in groupby(ordered, key=service)}


def _accounts(batch: DecodedBatch) -> Accounts:
    """Accounts that close; what is missing, or too much, goes under `unaccounted`."""
    losses = {cause: count for cause, count in batch.losses.items() if count}
    if batch.unaccounted:
        losses[UNACCOUNTED] = losses.get(UNACCOUNTED, 0) + batch.unaccounted
    return Accounts(batch.taken, batch.taken - sum(losses.values()), losses)


def _entries(nodes: NDArray[np.int32], profile: Samples) -> Entries:
    """The entries of a row; two numbers of a stream may be one path, so one node."""
    order = np.argsort(nodes, kind="stable")
    ordered = nodes[order].astype(np.int64)
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    counts = np.add.reduceat(profile.samples[order], starts)
    values = np.add.reduceat(profile.values[order], starts)
    implied = profile.period > 0 and np.array_equal(values, counts * profile.period)
    return Entries(ordered[starts], counts, values[:0] if implied else values)
