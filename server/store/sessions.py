"""Sessions (`profiler.session`): who asks, who carries it to the collectors, what came of it.

A server that is asked writes a row a host, ASKED. Whichever server holds a stream of that host
finds it, makes it OFFERED and tells the collector. From then on the collector's batches say how it
stands, in the transaction that stores their samples. Each open state has a deadline, so that every
row comes to an end whoever dies: then it is REFUSED (nobody had a stream of the host) or GONE.

    ASKED ──> OFFERED ──> RUNNING ──> DONE
      │          │           ├──────> CUT <─── STOPPING
      └──────────┴─> REFUSED └──────> GONE
"""

import json
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from profiler.errors import UnavailableError
from profiler.session import OPEN, Progress, State
from profiler.timerange import SECOND
from server.store.accounts import Accounts, Batch
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange
from server.store.schema import recording

MAX_OPEN = 16
"""Sessions that are open at once, of all servers of a database."""

MAX_HOSTS = 16
"""Of one session."""

KEEP_NS = 7 * DAY_HOURS * HOUR_NS
"""How long it is known what became of a session: as long as its profiles are kept, unless those are
told otherwise."""

CONNECT_NS = 5 * SECOND
"""For a server with a stream of the host to find the row: ten times its pause."""
ANSWER_NS = 30 * SECOND
"""For the collector to begin, which takes 0.3 s, and 2 on a node with five busy programs a CPU;
batches that wait in its spool come first."""
SILENCE_NS = 30 * SECOND
"""Between two batches of a session: a collector sends one a second, unless it gets no CPU to name
what it took."""

_SESSION_LOCK = 0x70726F66_0006
"""Of PostgreSQL's advisory locks: held while the open sessions are counted."""


class TooManyError(UnavailableError):
    """As many sessions are open as there may be."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each host."""

    selector: str
    event: str
    frequency_hz: int
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A session on a host; `window` is by the node's clock, None where nothing has arrived."""

    session: str
    host_name: str
    wanted: Wanted
    asked_ns: int
    state: State
    reason: str
    processes: int
    accounts: Accounts
    window: TimeRange | None


def ask(
    transaction: sa.Connection, tenant: str, wanted: Wanted, hosts: Iterable[str], now_ns: int
) -> str:
    """The new session on these hosts. Raises TooManyError. Forgets those that are old."""
    if transaction.dialect.name != "sqlite":  # there, one writes at a time
        transaction.execute(sa.select(sa.func.pg_advisory_xact_lock(_SESSION_LOCK)))
    mine = recording.c.tenant == tenant
    transaction.execute(recording.delete().where(mine, recording.c.asked_ns < now_ns - KEEP_NS))
    distinct = sa.func.count(sa.distinct(recording.c.session))
    count = transaction.execute(sa.select(distinct).where(mine, _in(OPEN))).scalar_one()
    if count >= MAX_OPEN:
        raise TooManyError(f"{count} sessions are open, as many as may be at once: try again later")
    session = secrets.token_hex(8)
    values = {
        "tenant": tenant,
        "session": session,
        "selector": wanted.selector,
        "event": wanted.event,
        "frequency_hz": wanted.frequency_hz,
        "duration_ns": wanted.duration_ns,
        "asked_ns": now_ns,
        "state": State.ASKED.value,
        "reason": "",
        "deadline_ns": now_ns + CONNECT_NS,
        "processes": 0,
        "taken": 0,
        "stored": 0,
        "losses": "{}",
        "from_ns": 0,
        "to_ns": 0,
    }
    rows = [values | {"host_name": host} for host in sorted(hosts)]
    transaction.execute(recording.insert(), rows)
    return session


def find(transaction: sa.Connection, tenant: str, session: str) -> list[Recording]:
    """By host; empty where there is no such session."""
    return _select(transaction, tenant, recording.c.session == session)


def latest(transaction: sa.Connection, tenant: str, limit: int) -> list[Recording]:
    """Of the sessions that were asked for last."""
    asked = sa.func.max(recording.c.asked_ns).label("asked")
    names = (
        sa.select(recording.c.session, asked)
        .where(recording.c.tenant == tenant)
        .group_by(recording.c.session)
        .order_by(asked.desc(), recording.c.session)
        .limit(limit)
    )
    chosen = [row.session for row in transaction.execute(names)]
    found = _select(transaction, tenant, recording.c.session.in_(chosen))
    return sorted(found, key=lambda one: chosen.index(one.session))


def waiting(transaction: sa.Connection, tenant: str) -> list[Recording]:
    """What is to be told to collectors: the ASKED, first of all those asked first, and the
    STOPPING."""
    found = _select(transaction, tenant, _in((State.ASKED, State.STOPPING)))
    return sorted(found, key=lambda one: one.asked_ns)


def overdue(transaction: sa.Connection, tenant: str, now_ns: int) -> bool:
    """Whether `expire` would find anything."""
    chosen = sa.select(sa.literal(1)).where(*_late(tenant, now_ns)).limit(1)
    return transaction.execute(chosen).first() is not None


def offer(transaction: sa.Connection, one: Recording, tenant: str, now_ns: int) -> bool:
    """Takes an ASKED one upon this server; False where another one has, or it was stopped."""
    values = {"state": State.OFFERED.value, "deadline_ns": now_ns + ANSWER_NS}
    mine = (*_named(tenant, one.session), recording.c.host_name == one.host_name)
    taken = recording.update().where(*mine, _in((State.ASKED,))).values(**values)
    return transaction.execute(taken).rowcount == 1


def give_back(transaction: sa.Connection, one: Recording, tenant: str, now_ns: int) -> None:
    """The collector was not there any more: another may be, here or elsewhere."""
    values = {"state": State.ASKED.value, "deadline_ns": now_ns + CONNECT_NS}
    mine = (*_named(tenant, one.session), recording.c.host_name == one.host_name)
    transaction.execute(recording.update().where(*mine, _in((State.OFFERED,))).values(**values))


def stop(transaction: sa.Connection, tenant: str, session: str, now_ns: int) -> None:
    """Has what is open of a session end."""
    mine = _named(tenant, session)
    never = {"state": State.REFUSED.value, "reason": "stopped before it began"}
    transaction.execute(recording.update().where(*mine, _in((State.ASKED,))).values(**never))
    ending = {"state": State.STOPPING.value, "deadline_ns": now_ns + ANSWER_NS}
    open_ = _in((State.OFFERED, State.RUNNING))
    transaction.execute(recording.update().where(*mine, open_).values(**ending))


def expire(transaction: sa.Connection, tenant: str, now_ns: int) -> None:
    """Ends what has waited too long."""
    late = _late(tenant, now_ns)
    nobody = "no collector of this host is connected that can be asked"
    silent = (
        f"nothing was heard of the collector for {SILENCE_NS // SECOND} s; "
        "what it still delivers will be stored"
    )
    for states, end, reason in (
        ((State.ASKED,), State.REFUSED, nobody),
        ((State.OFFERED, State.RUNNING, State.STOPPING), State.GONE, silent),
    ):
        values = {"state": end.value, "reason": reason}
        transaction.execute(recording.update().where(*late, _in(states)).values(**values))


def report(
    transaction: sa.Connection, tenant: str, progress: Progress, batch: Batch, now_ns: int
) -> None:
    """What a collector said with a batch that is stored in the same transaction. Of a session that
    is not known any more, nothing is kept but the samples."""
    accounts, window = batch.accounts, batch.window
    mine = (*_named(tenant, progress.session), recording.c.host_name == batch.host_name)
    row = transaction.execute(sa.select(recording).where(*mine).with_for_update()).first()
    if row is None:
        return
    losses = Counter(json.loads(row.losses))
    losses.update(accounts.losses)
    state = progress.state
    if state is State.RUNNING and row.state == State.STOPPING:
        state = State.STOPPING
    values = {
        "state": state.value,
        "reason": progress.reason,
        "deadline_ns": now_ns + SILENCE_NS,
        "processes": progress.processes,
        "taken": row.taken + accounts.taken,
        "stored": row.stored + accounts.stored,
        "losses": json.dumps(losses, sort_keys=True),
    }
    if state is not State.REFUSED:
        values["from_ns"] = min(row.from_ns or window.from_ns, window.from_ns)
        values["to_ns"] = max(row.to_ns, window.to_ns)
    transaction.execute(recording.update().where(*mine).values(**values))


def _named(tenant: str, session: str) -> tuple[sa.ColumnElement[bool], ...]:
    return recording.c.tenant == tenant, recording.c.session == session


def _late(tenant: str, now_ns: int) -> tuple[sa.ColumnElement[bool], ...]:
    return recording.c.tenant == tenant, recording.c.deadline_ns < now_ns, _in(OPEN)


def _in(states: Collection[State]) -> sa.ColumnElement[bool]:
    return recording.c.state.in_([state.value for state in states])


def _select(
    transaction: sa.Connection, tenant: str, which: sa.ColumnElement[bool]
) -> list[Recording]:
    wanted = sa.select(recording).where(recording.c.tenant == tenant, which)
    rows: Sequence[sa.Row[tuple[object, ...]]] = transaction.execute(
        wanted.order_by(recording.c.session, recording.c.host_name)
    ).all()
    return [_recording(row) for row in rows]


def _recording(row: sa.Row[tuple[object, ...]]) -> Recording:
    return Recording(
        row.session,
        row.host_name,
        Wanted(row.selector, row.event, row.frequency_hz, row.duration_ns),
        row.asked_ns,
        State(row.state),
        row.reason,
        row.processes,
        Accounts(row.taken, row.stored, json.loads(row.losses)),
        TimeRange(row.from_ns, row.to_ns) if row.to_ns else None,
    )
