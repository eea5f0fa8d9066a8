"""Does the crash test bite? Each guard of the store, taken away, must make it fail.

    make bench-crash ARGS="--mutations --seconds 30"
    make bench-crash ARGS="postgresql --mutations hours-unmarked rows-stay"

Each mutation is a piece of the source, replaced in a copy of it. Where the source does not hold the
piece any more, that is an error: the list is to be brought up to date.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Mutation:
    """Pieces of a file and what stands there instead. `alone` names the database on which the
    guard does something: with one writer at a time, as on SQLite, some are not needed. `moment`
    is a test that must fail instead, where random kills hardly ever meet the moment."""

    name: str
    file: str
    pieces: tuple[tuple[str, str], ...]
    alone: str = ""
    moment: str = ""


def _one(
    name: str, file: str, piece: str, instead: str, alone: str = "", moment: str = ""
) -> Mutation:
    return Mutation(name, file, ((piece, instead),), alone, moment)


_OVERTAKEN = (
    "tests/server/query/test_late.py::"
    "test_a_renewal_that_is_overtaken_between_two_transactions_leaves_nothing_old"
)
_RETENTION = "tests/server/store/test_retention.py::"


_LEVELS = "for level, first in ((Level.ALL_HOUR, hour), (Level.ALL_DAY, day)):"
_MARK = "stale.mark(transaction, chosen.scope_id, chosen.profile_type, chosen.hour)\n"
_COMPACT = """            with database.write() as transaction:
                moved += _compact(transaction, chosen)
"""
_TAKEN = """    removed = transaction.execute(hot.delete().where(*mine, upto).returning(*_ROW))
    return [_row(*row) for row in removed]
"""

MUTATIONS = (
    # What is out of date.
    _one(
        "hours-unmarked",
        "server/store/stale.py",
        _LEVELS,
        "for level, first in ((Level.ALL_DAY, day),):",
    ),
    _one(
        "days-unmarked",
        "server/store/stale.py",
        _LEVELS,
        "for level, first in ((Level.ALL_HOUR, hour),):",
    ),
    _one("versions-equal", "server/store/stale.py", "version=secrets.randbits(63),", "version=1,"),
    _one(
        "marks-unread",
        "server/store/stale.py",
        "    return {\n        scope_id: Stale(",
        "    return {} and {\n        scope_id: Stale(",
    ),
    _one(
        "marks-unread-by-timelines",
        "server/store/samples.py",
        "        if one.hour not in marked.get(one.scope_id, Stale()).hours:\n",
        "        if marked is not None:\n",
    ),
    Mutation(
        "marks-in-another-transaction",
        "server/store/compaction.py",
        (
            ("    " + _MARK + "    moved = 0\n", "    moved = 0\n"),
            (
                _COMPACT,
                _COMPACT
                + "            with database.write() as transaction:\n                "
                + _MARK,
            ),
        ),
    ),
    # Renewal.
    _one(
        "renewal-writes-anyway",
        "server/store/stale.py",
        "return transaction.execute(version).scalar() == mark.version",
        "return True",
        moment=_OVERTAKEN,
    ),
    _one(
        "renewal-removes-anyway",
        "server/store/stale.py",
        ".where(*_key(mark), unchanged)",
        ".where(*_key(mark))",
        moment=_OVERTAKEN,
    ),
    _one(
        "renewal-does-not-hold",
        "server/store/stale.py",
        ".where(*_key(mark)).with_for_update()",
        ".where(*_key(mark))",
        "postgresql",
        moment="tests/server/store/test_compaction.py::"
        "test_nothing_below_changes_while_sums_are_written",
    ),
    # Compaction.
    Mutation(
        "mark-locks-nothing",
        "server/store/compaction.py",
        (
            ("    " + _MARK + "    moved = 0\n", "    moved = 0\n"),
            (
                "        raise _NothingLeftError\n    return moved",
                "        raise _NothingLeftError\n    " + _MARK + "    return moved",
            ),
        ),
        "postgresql",
    ),
    _one(
        "deletes-what-it-did-not-read",
        "server/store/hot.py",
        _TAKEN,
        """    read = transaction.execute(sa.select(*_ROW).where(*mine, upto)).all()
    transaction.execute(hot.delete().where(*mine))
    return [_row(*row) for row in read]
""",
        "postgresql",
    ),
    _one(
        "rows-stay",
        "server/store/hot.py",
        _TAKEN,
        """    read = transaction.execute(sa.select(*_ROW).where(*mine, upto)).all()
    return [_row(*row) for row in read]
""",
    ),
    _one(
        "last-hour-unset",
        "server/store/catalog.py",
        ".values(last_hour=hour)",
        ".values(last_hour=-1)",
    ),
    # Ingest.
    _one(
        "late-retries-stored",
        "server/ingest/ingester.py",
        "            if is_new\n",
        "            if is_new or True\n",
    ),
    _one(
        "acknowledged-before-commit",
        "server/ingest/service.py",
        """                sequence = await self._stored(stream, message)
                await context.write(pb.Ack(sequence=sequence))
""",
        """                await context.write(pb.Ack(sequence=wire.parse(message).sequence))
                await self._stored(stream, message)
""",
    ),
    _one(
        "numbers-of-a-rollback-stay",
        "server/ingest/scopes.py",
        "            self._open.forget(service)\n            for",
        "            for",
    ),
    _one(
        "numbers-of-a-stream-stay",
        "server/ingest/scopes.py",
        "                stream.forget(service)\n",
        "                pass\n",
    ),
    _one(
        "epochs-not-looked-at",
        "server/ingest/ingester.py",
        "        self._scopes.leave_old_epochs(transaction, by_service)\n",
        "",
        moment=_RETENTION + "test_a_month_old_epoch_ends_and_is_dropped_when_nothing_speaks_of_it",
    ),
    _one(
        "log-appended-blindly",
        "server/store/symbols.py",
        "        return insert_new(transaction, log, **key, n=n, blob=blob)",
        "        insert_new(transaction, log, **key, n=n, blob=blob)\n        return True",
    ),
    # Horizons.
    _one(
        "old-batches-taken",
        "server/ingest/ingester.py",
        "            if batch.start_ns < first:\n",
        "            if batch.start_ns < 0:\n",
    ),
    _one(
        "horizon-not-held",
        "server/store/horizon.py",
        "_wanted(tenant, profile_type).with_for_update(read=True)",
        "_wanted(tenant, profile_type)",
        "postgresql",
        moment=_RETENTION + "test_a_batch_in_hand_holds_the_horizon",
    ),
    _one(
        "horizon-not-taken",
        "server/store/horizon.py",
        "_wanted(tenant, profile_type).with_for_update())",
        "_wanted(tenant, profile_type))",
        "postgresql",
    ),
    _one(
        "minutes-go-uncompacted",
        "server/store/retention.py",
        "            compacted = min(self.target.minute, self._first_hot(transaction))\n",
        "            compacted = self.target.minute\n",
    ),
    _one(
        "thinned-while-compacted",
        "server/store/retention.py",
        "            if self._first_hot(transaction) <= hour:\n                return\n",
        "",
        "postgresql",
        moment=_RETENTION + "test_a_chunk_is_not_merged_to_minutes_while_rows_are_moved_into_it",
    ),
    _one(
        "horizon-unread",
        "server/store/horizon.py",
        "        if edge_ns >= self.raw * HOUR_NS:",
        "        if edge_ns >= 0:",
        moment=_RETENTION + "test_old_profiles_are_merged_to_minutes",
    ),
    _one(
        "epochs-dropped-in-use",
        "server/store/epochs.py",
        "        if not transaction.execute(sa.select(sa.or_(*used))).scalar_one():",
        "        if True:",
        moment=_RETENTION + "test_a_month_old_epoch_ends_and_is_dropped_when_nothing_speaks_of_it",
    ),
    # Transactions.
    _one(
        "readers-see-several-snapshots",
        "server/store/database.py",
        '"isolation_level": "REPEATABLE READ"',
        '"isolation_level": "READ COMMITTED"',
        "postgresql",
    ),
    Mutation(
        "sqlite-readers-see-several-snapshots",
        "server/store/database.py",
        (
            (
                'connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")',
                'writes and connection.exec_driver_sql("BEGIN IMMEDIATE")',
            ),
        ),
        "sqlite",
    ),
    Mutation(
        "rows-taken-in-a-transaction-of-their-own",
        "server/store/compaction.py",
        (
            (
                _COMPACT,
                """            taken = {}
            for n in chosen.rows:
                key = chosen.scope_id, n, chosen.hour, PART_ENTRIES
                with database.write() as transaction:
                    taken[n] = hot.take(transaction, *key)
            with database.write() as transaction:
                moved += _compact(transaction, chosen, taken)
""",
            ),
            (
                "def _compact(transaction: sa.Connection, chosen: Pending) -> int:",
                "def _compact(transaction, chosen, taken):",
            ),
            (
                "hot.take(transaction, chosen.scope_id, series_id, chosen.hour, PART_ENTRIES)\n",
                "taken[series_id]\n",
            ),
        ),
    ),
)


def mutated(mutation: Mutation, source: str) -> str:
    """The source with the pieces replaced; ends the program where it does not hold one."""
    for piece, instead in mutation.pieces:
        if source.count(piece) != 1:
            sys.exit(f"{mutation.name}: {mutation.file} holds {source.count(piece)} of {piece!r}")
        source = source.replace(piece, instead)
    return source
