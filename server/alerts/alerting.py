"""Evaluates the rules, each once in `every_ns` by one of the servers before a database.

All of them look at how the rules stand, so that each shows it; one takes the turn of a rule
(`server.store.alerts`), measures it and writes what came of that. Rules are measured one after
another: many or slow ones come late, and never take more than a CPU.
"""

import logging
import math
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from profiler.clock import Clock
from profiler.errors import ProfilerError
from server.alerts import state
from server.alerts.measure import Source, measure
from server.alerts.rules import Alerts, Rule
from server.alerts.webhook import Notice, Webhook
from server.metrics import Metrics
from server.periodic import Periodic
from server.store import alerts as store
from server.store.alerts import Standing, State
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.symbols import SymbolReader

PAUSE_SECONDS = 5.0
"""Between two looks at whose turn has come."""

_MOST_ERROR = 500
"""Characters of why an evaluation failed."""

_log = logging.getLogger(__name__)


class Alerting(Periodic):
    """Works from entry to exit."""

    def __init__(
        self,
        database: Database,
        tenant: str,
        alerts: Alerts,
        symbols: SymbolReader,
        functions: FunctionTrees,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        super().__init__("alerting", PAUSE_SECONDS, "alerts are not evaluated")
        self._database = database
        self._tenant = tenant
        self._alerts = alerts
        self._symbols = symbols
        self._functions = functions
        self._metrics = metrics
        self._clock = clock
        self._evaluated_ns: dict[str, int] = {}
        """When this server last evaluated each rule."""
        self._webhook = (
            Webhook(alerts.webhook, alerts.page, metrics, self._told) if alerts.webhook else None
        )

    def __enter__(self) -> Self:
        if self._webhook:
            self._webhook.__enter__()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Returns when the rule in hand is evaluated."""
        super().__exit__(kind, error, trace)
        if self._webhook:
            self._webhook.__exit__(kind, error, trace)

    def look(self) -> None:
        """Evaluates what is due, shows how all stand, and has told what is to be told."""
        standings = self._read()
        for rule in self._alerts.rules:
            if self.stopping.is_set():
                return
            last_ns = standings.get(rule.name, Standing()).evaluated_ns
            if not 0 <= self._clock.now_ns() - last_ns < self._alerts.every_ns:
                self._take_turn(rule)
        standings = self._read()
        self._show(standings)
        if self._webhook:
            self._webhook.tell(list(self._notices(standings)))

    def _read(self) -> dict[str, Standing]:
        with self._database.read() as transaction:
            return store.read(transaction, self._tenant)

    def _take_turn(self, rule: Rule) -> None:
        turn_ns = self._clock.now_ns()
        with self._database.write() as transaction:
            store.forget(transaction, self._tenant, turn_ns)
            mine = (transaction, self._tenant, rule.name, turn_ns)
            if not store.take_turn(*mine, self._alerts.every_ns):
                return
            before = store.read(transaction, self._tenant)[rule.name]
        after = self._evaluated(rule, before)
        with self._database.write() as transaction:
            if store.write(transaction, self._tenant, rule.name, turn_ns, after):
                self._evaluated_ns[rule.name] = after.evaluated_ns

    def _evaluated(self, rule: Rule, before: Standing) -> Standing:
        now_ns = self._clock.now_ns()
        try:
            with self._database.read() as transaction:
                source = Source(transaction, self._tenant, self._symbols, self._functions)
                reading = measure(source, rule, now_ns)
        except Exception as error:
            self._metrics.alert_evaluations.labels("failed").inc()
            if isinstance(error, ProfilerError):
                return state.fail(before, str(error)[:_MOST_ERROR], now_ns)
            _log.exception("alert %s is not evaluated", rule.name)
            return state.fail(before, "a mistake of the server; its log says more", now_ns)
        self._metrics.alert_evaluations.labels("done").inc()
        return state.step(before, reading, rule.for_ns, now_ns)

    def _show(self, standings: dict[str, Standing]) -> None:
        for rule in self._alerts.rules:
            standing = standings.get(rule.name, Standing())
            self._metrics.alert_firing.labels(rule.name).set(standing.state is State.FIRING)
            if rule.bound.pattern is not None:
                share = math.nan if standing.share is None else standing.share
                self._metrics.alert_share.labels(rule.name).set(share)

    def _notices(self, standings: dict[str, Standing]) -> Sequence[Notice]:
        """Of the rules that no other server has evaluated since: one of them tells it."""
        found = []
        for rule in self._alerts.rules:
            standing = standings.get(rule.name, Standing())
            mine = self._evaluated_ns.get(rule.name) == standing.evaluated_ns
            if mine and (news := state.untold(standing)) is not None:
                found.append(Notice(rule, news, standing))
        return found

    def _told(self, notices: Sequence[Notice]) -> None:
        with self._database.write() as transaction:
            for notice in notices:
                store.write_told(transaction, self._tenant, notice.rule.name, notice.state)
