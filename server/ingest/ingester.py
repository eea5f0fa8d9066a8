"""Writes the batches of all streams, as many in one transaction as wait.

There is one thread that does so in a process: SQLite has one writer anyway, and the symbol caches
need no locks. A commit waits for the disk, some milliseconds, so the batches that arrive meanwhile
share the next one. Servers scale by processes.

The accounts of the batches are inserted first. Where they are there already the batch has been
stored before and there is nothing to do; on PostgreSQL that insert waits for another server that is
storing the same batch. Then scopes, series and symbols, service by service in their order (so that
no two servers wait for each other in a circle), and at last the samples that use them, and what
is new of the versions that they are of.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.clock import Clock, SystemClock
from profiler.errors import FormatError, UnavailableError
from profiler.model import ProfileType
from profiler.wire import DecodedBatch, Samples
from server.ingest import numbering
from server.ingest.changes import Noticed
from server.ingest.deploys import Deploys
from server.ingest.scopes import OpenScope, Scopes
from server.ingest.stream import Stream
from server.store import accounts, catalog, horizon, hot, sessions
from server.store.accounts import Accounts
from server.store.catalog import SERVICE
from server.store.codec import Entries
from server.store.database import Database
from server.store.hot import Row
from server.store.hours import HOUR_NS, TimeRange
from server.store.symbols import CACHED_NODES

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
    noticed: Noticed = field(default_factory=Noticed)


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A batch of a stream."""

    stream: Stream
    batch: DecodedBatch


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
        self._epoch_nodes = epoch_nodes
        clock = clock or SystemClock()
        self._scopes = Scopes(tenant, clock, epoch_nodes, cached_nodes)
        self._deploys = Deploys(tenant, clock)
        self._clock = clock or SystemClock()
        self._scopes = Scopes(tenant, self._clock, epoch_nodes, cached_nodes)
        self._units: dict[str, str] = {}

    @property
    def cached_nodes(self) -> int:
        return self._scopes.weight

    def store(self, stream: Stream, batch: DecodedBatch) -> Outcome:
        """Stores a batch of `stream` unless that has been done; returns after the commit.

        Raises FormatError for a batch that can never be stored and UnavailableError where the
        database is at fault; then nothing of the batch is stored.
        """
        (outcome,) = self.store_all([Delivery(stream, batch)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def store_all(self, deliveries: Sequence[Delivery]) -> list[Outcome | Exception]:
        """The same of batches of different streams, together. What is wrong with one of them is
        its own outcome and no other's, unless the database is at fault."""
        found: dict[Delivery, Outcome | Exception] = {}
        for delivery in deliveries:
            try:
                delivery.stream.extend(delivery.batch.additions)
            except FormatError as error:
                found[delivery] = error
        found |= self._stored([delivery for delivery in deliveries if delivery not in found])
        return [found[delivery] for delivery in deliveries]

    def _stored(self, deliveries: Sequence[Delivery]) -> dict[Delivery, Outcome | Exception]:
        if not deliveries:
            return {}
        try:
            with self._database.write() as transaction:
                found: dict[Delivery, Outcome | Exception] = dict(
                    self._write(transaction, deliveries)
                )
        except Exception as error:
            self._scopes.roll_back()
            self._deploys.roll_back()
            if len(deliveries) == 1 or isinstance(error, UnavailableError):
                return dict.fromkeys(deliveries, error)
            # One of them is at fault: each has a transaction of its own.
            return {delivery: self._stored([delivery])[delivery] for delivery in deliveries}
        self._scopes.commit()
        self._deploys.commit()
        return found

    def _write(
        self, transaction: sa.Connection, deliveries: Sequence[Delivery]
    ) -> Iterator[tuple[Delivery, Outcome]]:
        self._check(transaction, [delivery.batch for delivery in deliveries])
        named = [_named(delivery.batch) for delivery in deliveries]
        new = accounts.add(transaction, self._tenant, named)
        batches = {
            delivery: batch
            for delivery, batch, is_new in zip(deliveries, named, new, strict=True)
            if is_new
        }
        rows = self._rows(transaction, list(batches))
        hot.add(transaction, [(batches[delivery].uid, rows[delivery]) for delivery in batches])
        seen = self._deploys.notice(transaction, [delivery.batch for delivery in batches])
        noticed = dict(zip(batches, seen, strict=True))
        self._report(transaction, batches)
        for delivery in deliveries:
            if delivery in batches:
                sums = batches[delivery].accounts
                entries = sum(len(row.entries.nodes) for row in rows[delivery])
                outcome = Outcome(False, sums.stored, entries, sums.losses, noticed[delivery])
                yield delivery, outcome
            else:
                yield delivery, Outcome(duplicate=True)

    def _report(
        self, transaction: sa.Connection, batches: Mapping[Delivery, accounts.Batch]
    ) -> None:
        """Notes how sessions stand, in their order."""
        told = [
            (delivery.batch.progress, named)
            for delivery, named in batches.items()
            if delivery.batch.progress
        ]
        now_ns = self._clock.now_ns()
        for progress, batch in sorted(told, key=lambda one: (one[0].session, one[1].host_name)):
            sessions.report(transaction, self._tenant, progress, batch, now_ns)

    def _rows(
        self, transaction: sa.Connection, deliveries: Sequence[Delivery]
    ) -> Mapping[Delivery, list[Row]]:
        """Of each; numbers symbols and series on the way, service by service in their order."""
        by_service: defaultdict[str, dict[Delivery, list[Samples]]] = defaultdict(dict)
        for delivery in deliveries:
            for profile in delivery.batch.profiles:
                if len(profile.stacks):
                    service = next((v for name, v in profile.labels if name == SERVICE), "")
                    by_service[service].setdefault(delivery, []).append(profile)
        self._scopes.leave_old_epochs(transaction, by_service)
        rows: defaultdict[Delivery, list[Row]] = defaultdict(list)
        opened = self._scopes.open(transaction, sorted(by_service))
        self._scopes.number_series(
            transaction,
            (
                (opened[service], delivery.batch.type, profile.labels)
                for service in sorted(by_service)
                for delivery, profiles in by_service[service].items()
                for profile in profiles
            ),
        )
        for service in sorted(by_service):
            for delivery, profiles in by_service[service].items():
                rows[delivery] += self._rows_of(transaction, delivery, opened[service], profiles)
        return rows

    def _rows_of(
        self,
        transaction: sa.Connection,
        delivery: Delivery,
        opened: OpenScope,
        profiles: Sequence[Samples],
    ) -> Iterator[Row]:
        batch = delivery.batch
        stacks = np.concatenate([profile.stacks for profile in profiles])
        numbers = self._numbers(transaction, delivery.stream, opened, stacks)
        end = 0
        for profile in profiles:
            start, end = end, end + len(profile.stacks)
            entries = _entries(numbers[start:end], profile)
            yield Row(
                scope_id=opened.scope.scope_id,
                series_id=opened.series[batch.type, profile.labels],
                t0_ns=batch.start_ns,
                epoch=opened.scope.epoch,
                duration_ns=batch.duration_ns,
                period=0 if len(entries.values) else profile.period,
                entries=entries,
            )

    def _numbers(
        self,
        transaction: sa.Connection,
        stream: Stream,
        opened: OpenScope,
        stacks: NDArray[np.uint32],
    ) -> NDArray[np.int32]:
        """The numbers of the stream's `stacks` in the scope."""
        known = stream.scope(opened.service, opened.scope.epoch)
        numbers = stream.look_up(known, stacks)
        if numbers.min() >= 0:
            return numbers
        self._scopes.touch(opened, stream)
        paths = stream.unknown_paths(known, stacks[numbers < 0])
        if len(paths) > self._epoch_nodes:
            raise FormatError(
                f"profiles: {len(paths)} new nodes in the service {opened.service!r}, "
                f"a batch may have {self._epoch_nodes}"
            )
        numbering.learn(transaction, stream, known, opened.symbols, paths)
        return stream.look_up(known, stacks)

    def _check(self, transaction: sa.Connection, batches: Sequence[DecodedBatch]) -> None:
        """What is older than the proofs that it was stored could be stored twice."""
        kept = {
            name: horizon.hold(transaction, self._tenant, name)
            for name in sorted({batch.type.name for batch in batches})
        }
        units: dict[str, str] = {}
        for batch in batches:
            unit = units.setdefault(batch.type.name, self._unit(transaction, batch.type))
            if unit != batch.type.unit:  # two units under one name could not be added up
                raise FormatError(
                    f"accounts.unit: {batch.type.unit!r}, profiles of the type "
                    f"{batch.type.name!r} are counted in {unit!r} here"
                )
            first = kept[batch.type.name].raw * HOUR_NS
            if batch.start_ns < first:
                raise FormatError(
                    f"accounts.start_ns: {batch.start_ns} is older than the profiles that are "
                    f"kept, which begin at {first}"
                )

    def _unit(self, transaction: sa.Connection, type: ProfileType) -> str:
        """That of the type's name; that of the type where nothing of its name is stored."""
        if type.name not in self._units:
            known = catalog.profile_types(transaction, self._tenant)
            self._units = {known_type.name: known_type.unit for known_type in known}
        return self._units.get(type.name, type.unit)


def batch_uid(collector_id: bytes, sequence: int) -> int:
    """64 bits of (collector, sequence), signed as SQL wants it."""
    name = collector_id + sequence.to_bytes(8, "little")
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little", signed=True)


def _named(batch: DecodedBatch) -> accounts.Batch:
    window = TimeRange(batch.start_ns, batch.start_ns + batch.duration_ns)
    sums = _accounts(batch)
    uid = batch_uid(batch.collector_id, batch.sequence)
    return accounts.Batch(uid, batch.host_name, batch.type.name, window, sums)


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
    counts, given = profile.samples[order], profile.values
    values = given[order] if len(given) else given
    first = np.empty(len(ordered), bool)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    if not first.all():
        starts = np.flatnonzero(first)
        ordered, counts = ordered[starts], np.add.reduceat(counts, starts)
        values = np.add.reduceat(values, starts) if len(values) else values
    if len(values) and profile.period and np.array_equal(values, counts * profile.period):
        values = values[:0]
    return Entries(ordered, counts, values)
