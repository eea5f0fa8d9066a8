"""Accounts by day: how many hosts there were, and what was lost of them."""

from server.config import TENANT
from server.ingest.ingester import Ingester
from server.store import accounts
from server.store.accounts import Accounts
from server.store.database import Database
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange
from tests.server.drains import MIDNIGHT, drain, send_all, series

DAY = DAY_HOURS * HOUR_NS


def test_each_day_has_its_hosts_and_its_losses(database: Database) -> None:
    for number, host in enumerate(("a", "b")):
        drains = [
            drain(
                series("main;f 3", host=host),
                host=host,
                start_ns=MIDNIGHT + day * DAY + hour * HOUR_NS,
                losses={"ring_full": day} if day else {},
            )
            for day in range(3)
            for hour in (0, 23)
            if number <= day
        ]
        send_all(Ingester(database, TENANT), drains, number + 1)
    within = TimeRange(MIDNIGHT, MIDNIGHT + 2 * DAY)
    with database.read() as transaction:
        found = accounts.by_time(transaction, TENANT, "cpu", within, DAY)
        of_a = accounts.by_time(transaction, TENANT, "cpu", within, HOUR_NS, {"a"})
    assert found == {
        MIDNIGHT: (1, Accounts(6, 6, {})),
        MIDNIGHT + DAY: (2, Accounts(16, 12, {"ring_full": 4})),
    }
    assert [hosts for hosts, _ in of_a.values()] == [1, 1, 1, 1]
    assert sum((one for _, one in of_a.values()), Accounts()).losses == {"ring_full": 2}
