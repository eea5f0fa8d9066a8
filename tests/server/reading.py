"""What a database holds, read as the API reads it."""

from dataclasses import dataclass

from profiler import selector
from profiler.model import Profile
from server.config import TENANT
from server.query import selection
from server.query.profile import merged_profile
from server.query.selection import Coverage
from server.store.accounts import Accounts
from server.store.database import Database
from server.store.hours import TimeRange
from server.store.symbols import SymbolReader
from tests.server.drains import MIDNIGHT, SECOND

DAY = TimeRange(MIDNIGHT, MIDNIGHT + 86400 * SECOND)


@dataclass(frozen=True)
class Reading:
    profile: Profile
    accounts: Accounts
    coverage: Coverage


def read(
    database: Database, query: str = "cpu", within: TimeRange = DAY, tenant: str = TENANT
) -> Reading:
    with database.read() as transaction:
        found = selection.select(transaction, tenant, selector.parse(query), within)
        return Reading(
            merged_profile(transaction, SymbolReader(), found),
            selection.account(transaction, found),
            selection.coverage(found),
        )


def total(database: Database, query: str = "cpu") -> int:
    return read(database, query).profile.total_samples
