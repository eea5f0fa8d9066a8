"""Compares one snapshot of the database with the ledger, while everything else goes on.

What was stored is what the snapshot holds a mark of. All that was acknowledged before must be among
it, once, whole, with its accounts, and nothing that was refused as a mistake; and every answer, of
any selector and range, must be the sum over exactly these batches.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from profiler import selector
from server.config import TENANT
from server.query import selection
from server.query.profile import merged_profile
from server.query.timeline import timeline
from server.store import accounts
from server.store.database import Database
from server.store.horizon import Horizon
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange, hours_range
from server.store.schema import drain as drains
from server.store.symbols import SymbolReader
from tests import builders
from tests.server.crash import reading
from tests.server.crash.ledger import MARK, Batch, Entries, Ledger, Stacks
from tests.server.crash.reading import TYPE, Paths, Place, begins_ns

SELECTORS = (
    TYPE,
    f'{TYPE}{{service_name="cart"}}',
    f'{TYPE}{{host_name="h1"}}',
    f'{TYPE}{{service_name=~"cart|seldom",host_name!="h0"}}',
)


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database found, in words; `ranges` and `sums` were compared."""

    ranges: int
    sums: int
    lost: list[str]
    duplicated: list[str]
    mismatches: list[str]


class Auditor:
    """Remembers symbols from one look to the next, as a server does."""

    def __init__(self, database: Database, ledger: Ledger, seed: int) -> None:
        self._database = database
        self._ledger = ledger
        self._choose = random.Random(seed)
        self._symbols = SymbolReader()
        self._paths = Paths()

    def look(self, ranges: int) -> Found:
        before = self._ledger.entries()
        with self._database.read() as transaction:
            snapshot = reading.read(transaction, self._paths)
            sent = self._ledger.entries().sent
            kept = snapshot.kept
            marks = _marks(snapshot.places)
            stored = {name: sent[name] for name, _ in marks if name in sent}
            mismatches = [
                *snapshot.mistakes,
                *_differences(snapshot.places, _places(stored.values(), kept)),
                *(f"{name} was never sent" for name, _ in marks if name not in sent),
                *(f"{name} was refused and is stored" for name in before.mistaken & stored.keys()),
                *_wrongly_refused(before, kept),
                *_accounts(transaction, stored, kept),
            ]
            for _ in range(ranges):
                mismatches += self._ask(transaction, list(stored.values()), kept)
        self._ledger.forget(kept.hour * HOUR_NS)
        return Found(
            ranges,
            snapshot.compared,
            lost=[
                name
                for name in before.acknowledged - stored.keys()
                if sent[name].drain.start_ns >= kept.hour * HOUR_NS
            ],
            duplicated=[name for (name, _), count in marks.items() if count > 1],
            mismatches=mismatches,
        )

    def _ask(
        self, transaction: sa.Connection, stored: Sequence[Batch], kept: Horizon
    ) -> Iterator[str]:
        """One question as the API asks it, of a random range and selector."""
        query, within = self._choose.choice(SELECTORS), self._range(stored)
        meant = selector.parse(query)
        inside = [one for one in stored if _belongs(one, within, kept)]
        chosen = [
            profile
            for one in inside
            for profile in one.drain.profiles
            if meant.matches(dict(profile.labels))
        ]
        expected: Stacks = Counter()
        for profile in chosen:
            expected.update(builders.stacks(profile))
        found = selection.select(transaction, TENANT, meant, within)
        profile = merged_profile(transaction, self._symbols, found)
        shown = timeline(transaction, found, HOUR_NS)
        what = f"{query} in {within}"
        if builders.stacks(profile) != expected:
            yield f"{what}: {profile.total_samples} samples, {expected.total()} are stored"
        if profile.total_value != sum(one.total_value for one in chosen):
            yield f"{what}: the values differ"
        if sum(shown.samples) != expected.total():
            yield f"{what}: the timeline has {sum(shown.samples)} samples"
        if sum(one.profiles for one in found.totals.values()) > len(chosen):
            yield f"{what}: more profiles than were stored"

    def _range(self, stored: Sequence[Batch]) -> TimeRange:
        """Whole days, whole hours, or from one moment to another."""
        moments = sorted(one.drain.start_ns for one in stored) or [0]
        edges = sorted(self._choose.choices(moments, k=2))
        unit = self._choose.choice((1, HOUR_NS, DAY_HOURS * HOUR_NS))
        first, last = (edge // unit for edge in edges)
        return TimeRange(first * unit, (last + 1) * unit)


def _belongs(batch: Batch, within: TimeRange, kept: Horizon) -> bool:
    begins = begins_ns(batch.drain.start_ns, kept)
    return begins >= kept.hour * HOUR_NS and within.from_ns <= begins < within.to_ns


def _marks(places: Mapping[Place, Stacks]) -> Counter[tuple[str, Place]]:
    """How often each batch is found in each place."""
    return Counter(
        {
            (stack[0], place): samples
            for place, stacks in places.items()
            for stack, samples in stacks.items()
            if stack[0].startswith(MARK)
        }
    )


def _places(stored: Iterable[Batch], kept: Horizon) -> dict[Place, Stacks]:
    """Where the batches should be found."""
    places: dict[Place, Stacks] = {}
    for batch in stored:
        begins = begins_ns(batch.drain.start_ns, kept)
        if begins >= kept.hour * HOUR_NS:
            for labels, stacks in batch.parts.items():
                places.setdefault((labels, begins), Counter()).update(stacks)
    return places


def _differences(found: Mapping[Place, Stacks], expected: Mapping[Place, Stacks]) -> Iterator[str]:
    for place in found.keys() | expected.keys():
        if found.get(place) != expected.get(place):
            labels, begins = place
            yield f"the samples of {dict(labels)} at {begins} are not those that were sent"


def _wrongly_refused(entries: Entries, kept: Horizon) -> Iterator[str]:
    for name, reason in entries.refused.items():
        old = entries.sent[name].drain.start_ns < kept.raw * HOUR_NS
        if not old and name not in entries.mistaken:
            yield f"{name} was refused: {reason}"


def _accounts(
    transaction: sa.Connection, stored: Mapping[str, Batch], kept: Horizon
) -> Iterator[str]:
    """Those of each hour, and the proofs that each batch is stored."""
    hours = {one.drain.start_ns // HOUR_NS for one in stored.values()}
    for hour in sorted(hour for hour in hours if hour >= kept.hour):
        inside = [one.drain for one in stored.values() if one.drain.start_ns // HOUR_NS == hour]
        within = hours_range(range(hour, hour + 1))
        found = accounts.read(transaction, TENANT, TYPE, within)
        lost = sum(sum(one.losses.values()) for one in inside)
        if (found.taken, sum(found.losses.values())) != (sum(one.taken for one in inside), lost):
            yield f"the accounts of hour {hour} are not those of its batches"
    wanted = sa.select(drains.c.uid).where(drains.c.t0_ns >= kept.raw * HOUR_NS)
    proofs = set(transaction.execute(wanted).scalars())
    raw = {
        one.uid: name for name, one in stored.items() if one.drain.start_ns >= kept.raw * HOUR_NS
    }
    yield from (f"{raw[uid]} is stored without its proof" for uid in raw.keys() - proofs)
    yield from (f"the batch {uid} has a proof and is not stored" for uid in proofs - raw.keys())
