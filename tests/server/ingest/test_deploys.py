"""Which of what hosts are seen to run are deploys. A line of a test is a drain: minute, host, and
what ran there; what is expected, the deploys that are listed then."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from profiler.errors import UnavailableError
from profiler.model import CPU, Drain, ProfileType
from server.config import TENANT
from server.ingest import changes
from server.ingest.changes import Noticed
from server.ingest.ingester import Delivery, Ingester, Outcome
from server.store import deploys
from server.store.database import Database
from server.store.deploys import Deploy, Program, Version
from server.store.hours import TimeRange
from tests.server.drains import MIDNIGHT, SECOND, Sender, drain, series

MINUTE = 60 * SECOND
OLD, NEW, NEWEST = "1.0", "1.1", "1.2"


class Fleet:
    """Hosts whose drains go to a server, or to `servers` in turn."""

    def __init__(self, database: Database, servers: int = 1) -> None:
        self.database = database
        self._servers = [Ingester(database, TENANT) for _ in range(servers)]
        self._sent = 0
        self.noticed = Noticed()

    def runs(
        self, minute: float, host: str, *versions: str, type: ProfileType = CPU, **labels: str
    ) -> None:
        """A drain with a series of the service for each version; "" is none."""
        named = [{"service_version": version, **labels} for version in versions]
        self.send(at(minute, host, *named, type=type))

    def send(self, one: Drain) -> None:
        self._sent += 1
        server = self._servers[self._sent % len(self._servers)]
        self.noticed += Sender(server, self._sent).send(one, 0).noticed

    def listed(self) -> list[Deploy]:
        """The oldest first."""
        with self.database.read() as transaction:
            found = list(deploys.select(transaction, TENANT, TimeRange(0, 2**63 - 1), None))
        return found[::-1]

    def shown(self) -> list[str]:
        return [told(one) for one in self.listed()]


def at(minute: float, host: str, *labels: Mapping[str, str], type: ProfileType = CPU) -> Drain:
    profiles = [
        replace(
            series("main 1", host=host, **{name: text for name, text in one.items() if text}),
            type=type,
        )
        for one in labels
    ]
    return drain(*profiles, host=host, start_ns=MIDNIGHT + int(minute * MINUTE), type=type)


def told(one: Deploy) -> str:
    minute = (one.began_ns - MIDNIGHT) / MINUTE
    hosts = f"{one.hosts} host{'s' * (one.hosts != 1)}"
    return f"{minute:g}: {one.previous or '-'} to {one.version.name}, {hosts}"


@pytest.fixture
def fleet(database: Database) -> Fleet:
    """Two servers, so that what one of them remembers is not all there is."""
    return Fleet(database, servers=2)


def test_another_version_on_a_host_is_a_deploy_in_the_next_drain(fleet: Fleet) -> None:
    fleet.runs(0, "a", OLD)
    assert fleet.shown() == []
    fleet.runs(1 / 6, "a", NEW, vcs_ref_head_revision="f00d", deployment_environment_name="")
    assert fleet.listed() == [
        Deploy(
            Version(Program("checkout", "", ""), NEW),
            1,
            MIDNIGHT + 10 * SECOND,
            MIDNIGHT + 10 * SECOND,
            previous=OLD,
            revision="f00d",
            host_name="a",
            hosts=1,
        )
    ]
    assert fleet.noticed == Noticed(listed=1)


def test_what_goes_on_is_no_deploy_whoever_restarts_or_connects_anew(fleet: Fleet) -> None:
    for minute in range(20):
        fleet.runs(minute, "a", OLD)
    for minute in range(20, 40):
        fleet.runs(minute, "a", NEW)
    again = Fleet(fleet.database)
    for minute in range(40, 50):
        again.runs(minute, "a", NEW)
    assert again.shown() == [f"20: {OLD} to {NEW}, 1 host"]
    assert again.listed()[0].last_ns >= MIDNIGHT + 48 * MINUTE


def test_a_deploy_that_rolls_over_hosts_is_one(fleet: Fleet) -> None:
    hosts = [f"host-{number}" for number in range(6)]
    for minute in range(12):
        for number, host in enumerate(hosts):
            fleet.runs(minute, host, NEW if minute > number else OLD)
    assert fleet.shown() == [f"1: {OLD} to {NEW}, 6 hosts"]
    assert fleet.listed()[0].host_name == "host-0"


def test_a_rollback_is_a_deploy_of_its_own(fleet: Fleet) -> None:
    for minute in range(30):
        for number, host in enumerate("abc"):
            fleet.runs(minute, host, NEW if 5 + number <= minute < 20 + number else OLD)
    assert fleet.shown() == [f"5: {OLD} to {NEW}, 3 hosts", f"20: {NEW} to {OLD}, 3 hosts"]


def test_two_versions_side_by_side_are_no_deploys_however_seldom_they_are_seen(
    fleet: Fleet,
) -> None:
    fleet.runs(0, "a", OLD, NEW)
    for minute in (1, 2, 4, 30, 31, 90):
        fleet.runs(minute, "a", OLD)
    for minute in (120, 200, 201):
        fleet.runs(minute, "a", NEW)
    fleet.runs(300, "a", OLD)
    assert fleet.shown() == []


def test_a_canary_is_one_deploy_until_it_is_everywhere(fleet: Fleet) -> None:
    for minute in range(60):
        fleet.runs(minute, "a", *([OLD, NEW] if 10 <= minute < 40 else [OLD]))
    for minute in range(60, 70):
        fleet.runs(minute, "a", NEW)
    assert fleet.shown() == [f"10: {OLD} to {NEW}, 1 host"]


def test_a_host_that_joins_with_what_others_run_is_no_deploy(fleet: Fleet) -> None:
    for minute in range(20):
        fleet.runs(minute, "a", OLD)
    fleet.runs(20, "b", OLD)
    assert fleet.shown() == []


def test_a_version_that_nobody_ran_is_a_deploy_on_whichever_host_it_comes(fleet: Fleet) -> None:
    """As a pod does that is put on another node."""
    for minute in range(10):
        fleet.runs(minute, "a", OLD)
        fleet.runs(minute, "b", "5", service="other")
    fleet.runs(10, "b", NEW)
    assert fleet.shown() == [f"10: {OLD} to {NEW}, 1 host"]


def test_what_a_fleet_runs_when_it_is_first_seen_is_no_deploy(fleet: Fleet) -> None:
    for minute in (0, 1, 2):
        fleet.runs(minute, "a", OLD)
        fleet.runs(minute, "b", NEW)
    fleet.runs(3, "c", NEWEST)
    assert fleet.shown() == []
    fleet.runs(4, "c", NEW)
    assert fleet.shown() == [f"4: {NEWEST} to {NEW}, 1 host"]


def test_a_rollback_on_other_hosts_is_seen(fleet: Fleet) -> None:
    for minute in range(60):
        fleet.runs(minute, "abc"[minute // 20], [OLD, NEW, OLD][minute // 20])
        fleet.runs(minute, "c", "5", service="other")
        fleet.runs(minute, "b", "5", service="other")
    assert fleet.shown() == [f"20: {OLD} to {NEW}, 1 host", f"40: {NEW} to {OLD}, 1 host"]


def test_environments_have_versions_of_their_own(fleet: Fleet) -> None:
    fleet.runs(0, "a", OLD, deployment_environment_name="staging")
    fleet.runs(0, "b", OLD, deployment_environment_name="prod")
    fleet.runs(10, "a", NEW, deployment_environment_name="staging")
    fleet.runs(20, "b", NEW, deployment_environment_name="prod")
    assert [one.version.program.environment for one in fleet.listed()] == ["staging", "prod"]


def unit(executable: str, build: str) -> dict[str, str]:
    """A series of a systemd unit, which has no version."""
    return {
        "service": "till",
        "process_executable_name": executable,
        "process_executable_build_id_gnu": build * 20,
    }


def test_failing_a_version_each_executable_has_builds(fleet: Fleet) -> None:
    fleet.send(at(0, "a", unit("till", "aa"), unit("sh", "bb")))
    fleet.send(at(1, "a", unit("till", "cc"), unit("sh", "bb")))
    fleet.send(at(2, "a", unit("python3", "dd")))
    (one,) = fleet.listed()
    assert one.version == Version(Program("till", "", "till"), "cc" * 6)
    assert one.previous == "aa" * 6


def test_another_build_on_a_host_that_had_none_is_no_deploy(fleet: Fleet) -> None:
    """It may be of another distribution."""
    for minute in range(10):
        fleet.send(at(minute, "a", unit("sh", "aa")))
        fleet.send(at(minute, "b", unit("till", "bb")))
    fleet.send(at(10, "b", unit("sh", "cc")))
    assert fleet.shown() == []


def test_a_build_that_a_collector_took_for_a_version_is_a_build(fleet: Fleet) -> None:
    for minute, build in enumerate(("aa", "bb")):
        fleet.send(at(minute, "a", {**unit("x", build), "service_version": build * 6}))
    assert [one.version.program.executable for one in fleet.listed()] == ["x"]


def test_what_compilers_make_all_day_is_bounded_and_counted(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "A_SERVICE", 5)
    for number in range(12):
        fleet.send(at(number, "a", unit("a.out", f"{number:02}")))
    assert len(fleet.listed()) == 5
    assert fleet.noticed == Noticed(listed=5, unlisted=6)
    fleet.send(at(24 * 60 + 5, "a", unit("a.out", "99")))
    assert len(fleet.listed()) == 6, "the next day has room"


def test_builds_of_all_services_leave_room_for_versions(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "BUILDS", 3)
    for number in range(2):
        names = [f"test-{name}" for name in range(9)]
        fleet.send(at(number, "a", *(unit(name, f"{number:02}") for name in names)))
    assert fleet.noticed == Noticed(listed=3, unlisted=6)
    fleet.runs(2, "a", OLD)
    fleet.runs(3, "a", NEW)
    assert fleet.noticed.listed == 4


def test_batches_that_come_late_change_nothing(fleet: Fleet) -> None:
    for minute in (0, 1, 5, 6):
        fleet.runs(minute, "a", NEW if minute > 3 else OLD)
    shown = fleet.shown()
    fleet.runs(2, "a", OLD)
    fleet.runs(4, "a", NEW)
    fleet.runs(-30, "a", NEWEST)
    assert fleet.shown() == shown == [f"5: {OLD} to {NEW}, 1 host"]


def test_a_clock_that_is_ahead_hides_nothing_of_what_comes_later(fleet: Fleet) -> None:
    years = 60 * 24 * 365 * 50
    fleet.runs(years, "a", OLD)
    fleet.runs(years + 1, "a", NEW)
    (one,) = fleet.listed()
    assert one.began_ns <= one.last_ns <= time.time_ns()


def test_several_profile_types_of_a_drain_are_one_sighting(fleet: Fleet) -> None:
    faults = ProfileType("page_faults", "count")
    for minute, version in ((0, OLD), (1, NEW)):
        fleet.runs(minute, "a", version)
        fleet.runs(minute, "a", version, type=faults)
    assert fleet.shown() == [f"1: {OLD} to {NEW}, 1 host"]


def test_batches_of_one_transaction_make_one_deploy(database: Database) -> None:
    ingester = Ingester(database, TENANT)
    for minute, version in ((0, OLD), (1, NEW)):
        senders = [Sender(ingester, 10 * minute + number) for number in range(3)]
        sent = [at(minute, host, {"service_version": version}) for host in "abc"]
        decoded = [sender.decoded(one, 0) for sender, one in zip(senders, sent, strict=True)]
        outcomes = ingester.store_all(
            [Delivery(s._stream, batch) for s, batch in zip(senders, decoded, strict=True)]
        )
    noticed = [one.noticed for one in outcomes if isinstance(one, Outcome)]
    assert noticed == [Noticed(1), Noticed(), Noticed()]
    assert Fleet(database).shown() == [f"1: {OLD} to {NEW}, 3 hosts"]


def test_a_batch_sent_twice_is_noticed_once(database: Database) -> None:
    ingester = Ingester(database, TENANT)
    for minute, version in ((0, OLD), (1, NEW), (1, NEW)):
        Sender(ingester).send(at(minute, "a", {"service_version": version}), minute)
    assert Fleet(database).shown() == [f"1: {OLD} to {NEW}, 1 host"]


def test_what_a_failed_transaction_noticed_is_noticed_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingester = Ingester(database, TENANT)
    Sender(ingester).send(at(0, "a", {"service_version": OLD}), 0)

    def broken(*_: object) -> None:
        raise UnavailableError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(deploys, "see", broken)
        with pytest.raises(UnavailableError):
            Sender(ingester).send(at(1, "a", {"service_version": NEW}), 1)
    Sender(ingester).send(at(1, "a", {"service_version": NEW}), 1)
    assert Fleet(database).shown() == [f"1: {OLD} to {NEW}, 1 host"]


def test_servers_at_once_make_one_deploy_and_count_every_host(database: Database) -> None:
    hosts = [f"host-{number:02}" for number in range(12)]
    servers = [Ingester(database, TENANT) for _ in range(4)]

    def send(number: int) -> None:
        mine = hosts[number::4] if number % 2 else hosts[number::4][::-1]
        for minute, version in ((0, OLD), (10, NEW)):
            for host in mine:
                sender = Sender(servers[number], hosts.index(host) + 100)
                sender.send(at(minute, host, {"service_version": version}), minute)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    assert Fleet(database).shown() == [f"10: {OLD} to {NEW}, 12 hosts"]
