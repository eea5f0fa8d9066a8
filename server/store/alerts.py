"""How the rules of alerts stand, and which server evaluates each of them next.

Of all servers before a database, one takes a rule's turn, which writes the time into its row.
Nobody takes the next one before `every_ns` have passed, and what was measured in a turn is only
written while the turn is still the last one: a server that dies, or sleeps, costs one turn.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum

import sqlalchemy as sa

from server.store.database import insert_new
from server.store.hours import DAY_HOURS, HOUR_NS
from server.store.schema import alert

FORGET_NS = 30 * DAY_HOURS * HOUR_NS
"""A rule that nobody evaluated for so long is in no configuration any more."""


class State(StrEnum):
    """INACTIVE → PENDING → FIRING → RESOLVED → PENDING → …; PENDING may become INACTIVE."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Standing:
    """`since_ns` it is in this state; `began_ns` is when it last began to fire. `value` is in the
    unit of its bound, `share` that of the functions that it names, both None where not known;
    `error` is why the last evaluation failed."""

    state: State = State.INACTIVE
    since_ns: int = 0
    began_ns: int = 0
    evaluated_ns: int = 0
    value: float | None = None
    share: float | None = None
    samples: int = 0
    detail: str = ""
    error: str = ""
    told: str = ""


_MEASURED = tuple(name for name in asdict(Standing()) if name != "told")


def read(transaction: sa.Connection, tenant: str) -> dict[str, Standing]:
    """By the name of the rule."""
    columns = [alert.c.rule, *(alert.c[name] for name in (*_MEASURED, "told"))]
    chosen = sa.select(*columns).where(alert.c.tenant == tenant)
    return {
        rule: Standing(State(state), *rest) for rule, state, *rest in transaction.execute(chosen)
    }


def take_turn(
    transaction: sa.Connection, tenant: str, rule: str, now_ns: int, every_ns: int
) -> bool:
    """False where the last turn is not yet so long ago. A turn in the future, of a clock that was
    set back since, counts for nothing."""
    first = asdict(Standing()) | {"state": State.INACTIVE.value, "since_ns": now_ns}
    if insert_new(transaction, alert, tenant=tenant, rule=rule, turn_ns=now_ns, **first):
        return True
    past = sa.or_(alert.c.turn_ns <= now_ns - every_ns, alert.c.turn_ns > now_ns + every_ns)
    taken = alert.update().where(*_named(tenant, rule), past).values(turn_ns=now_ns)
    return transaction.execute(taken).rowcount == 1


def write(
    transaction: sa.Connection, tenant: str, rule: str, turn_ns: int, standing: Standing
) -> bool:
    """What came of a turn; False where another server has taken the next one."""
    values = {name: getattr(standing, name) for name in _MEASURED}
    values["state"] = standing.state.value
    values["detail"] = standing.detail.replace("\0", "")  # of strangers; PostgreSQL takes none
    mine = (*_named(tenant, rule), alert.c.turn_ns == turn_ns)
    return transaction.execute(alert.update().where(*mine).values(**values)).rowcount == 1


def write_told(transaction: sa.Connection, tenant: str, rule: str, state: State) -> None:
    told = alert.update().where(*_named(tenant, rule)).values(told=state.value)
    transaction.execute(told)


def forget(transaction: sa.Connection, tenant: str, now_ns: int) -> None:
    old = (alert.c.tenant == tenant, alert.c.turn_ns < now_ns - FORGET_NS)
    transaction.execute(alert.delete().where(*old))


def _named(tenant: str, rule: str) -> tuple[sa.ColumnElement[bool], ...]:
    return alert.c.tenant == tenant, alert.c.rule == rule
