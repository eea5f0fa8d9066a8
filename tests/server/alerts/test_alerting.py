"""Rules against samples in a database, evaluated by servers that take turns."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from server.alerts import alerting, rules
from server.alerts.alerting import Alerting
from server.alerts.measure import Source, measure
from server.alerts.rules import Alerts, Rule
from server.alerts.state import Reading
from server.alerts.webhook import Notice, Webhook
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.metrics import Metrics
from server.store import alerts as store
from server.store.alerts import Standing, State
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.symbols import SymbolReader
from tests.server.drains import MIDNIGHT, SECOND, drain, send_all, series

MINUTE = 60 * SECOND
WEEK = 7 * 24 * 60 * MINUTE
NOW = MIDNIGHT + 30 * MINUTE
FUNCTIONS = tuple("fghijk")


class Clock:
    def __init__(self, now_ns: int = NOW) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None: ...


def rule(**given: object) -> Rule:
    table = {"name": "r", "query": 'cpu{service_name="checkout"}', "window": "30m", **given}
    return rules.parse({"alert": [table]}, "alerts.toml").rules[0]


def fill(database: Database, at_ns: int, first: int = 1, *, f: int = 100, **labels: str) -> None:
    """A drain of each of eight hosts: `f` costs so much, each other function 100, about."""
    ingester = Ingester(database, TENANT)
    for host in range(8):
        name = f"h{host}"
        costs = {function: 100 + (host * 7 + n * 3) % 5 for n, function in enumerate(FUNCTIONS)}
        costs["f"] = f + host % 3
        lines = [f"main;{function} {count}" for function, count in costs.items()]
        sent = drain(series(*lines, host=name, **labels), host=name, start_ns=at_ns)
        send_all(ingester, [sent], first + host)


def measured(database: Database, given: Rule, now_ns: int = NOW) -> Reading:
    symbols = SymbolReader()
    with database.read() as transaction:
        source = Source(transaction, TENANT, symbols, FunctionTrees(symbols))
        return measure(source, given, now_ns)


def test_a_share_is_that_of_the_functions_together(database: Database) -> None:
    send_all(
        Ingester(database, TENANT),
        [
            drain(
                series("main;json.dump;json.write 40", "main;json.dump 20", "main 140"),
                series("main 9", service="search"),
            )
        ],
    )
    given = rule(function=r"json\..*", share="29%", cost="total")
    assert measured(database, given) == Reading(True, 0.3, 0.3, 60, "30.00% of all")
    assert not measured(database, rule(function=r"json\..*", share="30%", cost="total")).holds
    own = measured(database, rule(function=r"json\.dump", share="0%"))
    assert own == Reading(False, 0.1, 0.1, 20, "10.00% of all, of too few samples")
    assert measured(database, rule(function="nobody", share="0%")).share == 0
    nothing = measured(database, rule(function="main", share="1%", window="1m"))
    assert nothing == Reading(False, detail="no samples")


def test_growth_is_against_the_same_window_a_week_before(database: Database) -> None:
    fill(database, MIDNIGHT - WEEK)
    fill(database, MIDNIGHT - WEEK + 40 * MINUTE, 11, f=500)  # after the window
    fill(database, MIDNIGHT, 21, f=200)
    found = measured(database, rule(growth="10%"))
    assert found.holds
    assert found.value == pytest.approx(0.72, abs=0.02)
    assert found.detail.startswith("f 16.") and "→ 28." in found.detail
    named = measured(database, rule(growth="5pp", function="f|g"))
    assert named.holds and named.value == pytest.approx(0.12, abs=0.01)
    assert named.share == pytest.approx(0.42, abs=0.02)
    assert not measured(database, rule(growth="10%", function="g")).holds
    assert not measured(database, rule(growth="100%")).holds


def test_between_two_looks_growth_is_that_of_the_same_samples(database: Database) -> None:
    fill(database, MIDNIGHT - WEEK)
    fill(database, MIDNIGHT - WEEK + 30 * MINUTE, 11)
    fill(database, MIDNIGHT, 21)
    fill(database, MIDNIGHT + 30 * MINUTE, 31, f=500)
    grown = rule(growth="10%")
    found = [measured(database, grown, NOW + seconds * SECOND) for seconds in (0, 60, 420)]
    assert found == [found[0]] * 3 and not found[0].holds
    assert measured(database, grown, NOW + 30 * MINUTE // 4).holds


def test_a_deploy_is_looked_at_four_times(database: Database) -> None:
    after = rule(after_deploy="10%", window="16m")
    fill(database, MIDNIGHT - 16 * MINUTE, service_version="1")
    fill(database, MIDNIGHT - 2 * MINUTE, 11, service_version="1")
    fill(database, MIDNIGHT, 21, service_version="2")
    fill(database, MIDNIGHT + 5 * MINUTE, 31, f=900, service_version="2")
    held = [measured(database, after, MIDNIGHT + age * MINUTE).holds for age in range(1, 18)]
    assert held == [False] * 7 + [True] * 10


def test_noise_is_no_growth(database: Database) -> None:
    fill(database, MIDNIGHT - WEEK)
    fill(database, MIDNIGHT, 11, f=101)
    found = measured(database, rule(growth="0%"))
    assert not found.holds
    assert found.detail == "nothing grew more than by chance"


def test_without_a_week_before_nothing_is_compared(database: Database) -> None:
    fill(database, MIDNIGHT)
    found = measured(database, rule(growth="10%"))
    assert found == Reading(False, detail="nothing to compare: the baseline has no samples")


def test_after_a_deploy_what_it_made_dearer_fires_until_the_rollback(database: Database) -> None:
    after = rule(after_deploy="10%")
    assert measured(database, after).detail == "no deploy in the last day"
    fill(database, MIDNIGHT - 20 * MINUTE, service_version="1")
    fill(database, MIDNIGHT, 11, f=200, service_version="2")
    assert (
        measured(database, after, MIDNIGHT + 10 * SECOND).detail == "checkout 2: deployed just now"
    )
    found = measured(database, after)
    assert found.holds
    assert found.detail.startswith("checkout 2: f 16.")
    assert not measured(database, after, MIDNIGHT + 25 * 3600 * SECOND).holds
    fill(database, MIDNIGHT + 20 * MINUTE, 21, f=200, service_version="2")
    fill(database, MIDNIGHT + 30 * MINUTE, 31, service_version="1")
    found = measured(database, after, NOW + 20 * MINUTE)
    assert not found.holds
    assert found.detail == "checkout 1: nothing grew more than by chance"


JSON = rule(name="json", function="json", share="20%", window="1h", **{"for": "2m"})


def standing(database: Database) -> Standing:
    with database.read() as transaction:
        return store.read(transaction, TENANT)["json"]


class Fleet:
    """Two servers before a database, whose clock is `clock`."""

    def __init__(self, database: Database, alerts: Alerts) -> None:
        self.clock = Clock()
        self.metrics = [Metrics(), Metrics()]
        symbols = SymbolReader()
        self.servers = [
            Alerting(
                *(database, TENANT, alerts, symbols, FunctionTrees(symbols), metrics), self.clock
            )
            for metrics in self.metrics
        ]

    def look(self, *, minutes: int = 0) -> None:
        self.clock.time_ns += minutes * MINUTE
        for server in self.servers:
            server.look()

    def counted(self, name: str, **labels: str) -> list[float | None]:
        names = (f"profiler_alert_{name}", labels)
        return [metrics.registry.get_sample_value(*names) for metrics in self.metrics]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Notice]]:
    """What webhooks are to tell, of which nothing is told."""
    heard: list[Notice] = []
    monkeypatch.setattr(Webhook, "tell", lambda _, notices: heard.extend(notices))
    yield heard


def test_one_of_two_servers_evaluates_and_both_show_it(database: Database) -> None:
    send_all(Ingester(database, TENANT), [drain(series("json 50", "main 150"))])
    fleet = Fleet(database, Alerts((JSON,)))
    fleet.look()
    fleet.look()
    assert standing(database).state is State.PENDING
    fleet.look(minutes=1)
    fleet.look(minutes=1)
    found = standing(database)
    assert (found.state, found.since_ns, found.value) == (State.FIRING, NOW + 2 * MINUTE, 0.25)
    assert fleet.counted("evaluations_total", outcome="done") == [3, None]
    assert fleet.counted("firing", rule="json") == [1, 1]
    assert fleet.counted("share", rule="json") == [0.25, 0.25]


def test_the_server_that_evaluated_last_tells_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_all(Ingester(database, TENANT), [drain(series("json 50", "main 150"))])
    heard: list[tuple[Webhook, list[Notice]]] = []
    monkeypatch.setattr(Webhook, "tell", lambda webhook, notices: heard.append((webhook, notices)))
    webhook = rules.Webhook("http://127.0.0.1:1/", SECOND)
    fleet = Fleet(database, Alerts((replace(JSON, for_ns=0),), webhook=webhook))

    def telling() -> list[int]:
        """How many notices each server has to tell."""
        heard.clear()
        fleet.look()
        return [len(notices) for _, notices in heard]

    assert telling() == [1, 0]
    fleet.servers.reverse()
    assert telling() == [0, 1]
    fleet.clock.time_ns += MINUTE
    assert telling() == [1, 0]  # the other has the turn, should the first have ended
    assert telling() == [1, 0]


def test_states_go_on_where_a_server_ended(database: Database, told: list[Notice]) -> None:
    send_all(Ingester(database, TENANT), [drain(series("json 50", "main 150"))])
    alerts = Alerts((JSON,), webhook=rules.Webhook("http://127.0.0.1:1/", SECOND))
    Fleet(database, alerts).look()
    assert told == []
    later = Fleet(database, alerts)
    later.look(minutes=2)
    later.look()
    assert {(one.rule.name, one.state) for one in told} == {("json", State.FIRING)}
    later.servers[0]._told(told)
    told.clear()
    later.look(minutes=60)  # the samples are out of the window
    assert standing(database).state is State.RESOLVED
    assert [one.state for one in told] == [State.RESOLVED]


def test_an_evaluation_that_fails_is_said_and_changes_no_state(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_all(Ingester(database, TENANT), [drain(series("json 50", "main 150"))])
    fleet = Fleet(database, Alerts((replace(JSON, for_ns=0), rule(function="main", share="1%"))))
    fleet.look()

    def fails(source: Source, given: Rule, now_ns: int) -> Reading:
        if given.name == "json":
            raise ZeroDivisionError("a bug")
        return measure(source, given, now_ns)

    monkeypatch.setattr(alerting, "measure", fails)
    fleet.look(minutes=1)
    found = standing(database)
    assert (found.state, found.value) == (State.FIRING, 0.25)
    assert found.error == "a mistake of the server; its log says more"
    assert fleet.counted("evaluations_total", outcome="failed") == [1, None]
    assert fleet.counted("evaluations_total", outcome="done") == [3, None]
