"""The scopes that are written to, with what a writer remembers of them: symbols and series.

What a transaction put there is forgotten if it is rolled back.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from profiler.clock import Clock
from profiler.model import Labels, ProfileType
from server.ingest.stream import Stream
from server.store import catalog
from server.store.bounded import BoundedCache
from server.store.symbols import SymbolWriter


class OpenScope:
    """A scope that was written to: its epoch's symbols, its series."""

    def __init__(self, service: str, scope: catalog.Scope) -> None:
        self.service = service
        self.scope = scope
        self.symbols = SymbolWriter(scope.scope_id, scope.epoch)
        self.series: dict[tuple[ProfileType, Labels], int] = {}

    @property
    def weight(self) -> int:
        return self.symbols.weight + 4 * len(self.series) + 16


class Scopes:
    """Of one tenant. For one thread."""

    def __init__(self, tenant: str, clock: Clock, epoch_nodes: int, cached_nodes: int) -> None:
        self._tenant = tenant
        self._clock = clock
        self._epoch_nodes = epoch_nodes
        self._open = BoundedCache[str, OpenScope](cached_nodes, lambda scope: scope.weight)
        self._touched: dict[str, set[Stream]] = {}

    @property
    def weight(self) -> int:
        return self._open.weight

    def leave_old_epochs(self, transaction: sa.Connection, services: Iterable[str]) -> None:
        """Forgets the scopes of which another has begun a new epoch; the old one may be dropped."""
        known = {name: opened for name in services if (opened := self._open.get(name))}
        numbers = [opened.scope.scope_id for opened in known.values()]
        epochs = catalog.epochs(transaction, numbers) if numbers else {}
        for name, opened in known.items():
            if epochs.get(opened.scope.scope_id) != opened.scope.epoch:
                self._open.forget(name)

    def open(self, transaction: sa.Connection, services: Iterable[str]) -> dict[str, OpenScope]:
        """The scopes of some services, each in an epoch that has room."""
        held = {name: self._open.get(name) for name in services}
        opened = {name: one for name, one in held.items() if one is not None}
        missing = [name for name in held if name not in opened]
        if missing:
            scopes, made = catalog.open_scopes(
                transaction, self._tenant, missing, self._clock.now_ns()
            )
            for name in missing:
                opened[name] = self._loaded(transaction, name, scopes[name], is_new=name in made)
        for name, one in opened.items():
            while one.symbols.nodes >= self._epoch_nodes:
                scope = catalog.begin_epoch(transaction, one.scope, self._clock.now_ns())
                one = opened[name] = self._loaded(transaction, name, scope)
        return opened

    def number_series(
        self, transaction: sa.Connection, used: Iterable[tuple[OpenScope, ProfileType, Labels]]
    ) -> None:
        """Of each scope, its series of these names."""
        new = [
            (one, type, labels) for one, type, labels in used if (type, labels) not in one.series
        ]
        if not new:
            return
        names = [catalog.SeriesName(one.scope.scope_id, type, labels) for one, type, labels in new]
        for (one, type, labels), number in zip(
            new, catalog.open_series(transaction, names), strict=True
        ):
            self.touch(one)
            one.series[type, labels] = number

    def touch(self, opened: OpenScope, stream: Stream | None = None) -> None:
        """Something was added to the scope, or to what the stream knows of it."""
        self._touched.setdefault(opened.service, set()).update([stream] if stream else ())

    def commit(self) -> None:
        """Weighs again what has grown."""
        for service in self._touched:
            if (opened := self._open.get(service)) is not None:
                self._open.put(service, opened)
        self._touched = {}

    def roll_back(self) -> None:
        """What was added is no more."""
        for service, streams in self._touched.items():
            self._open.forget(service)
            for stream in streams:
                stream.forget(service)
        self._touched = {}

    def _loaded(
        self,
        transaction: sa.Connection,
        service: str,
        scope: catalog.Scope,
        *,
        is_new: bool = False,
    ) -> OpenScope:
        opened = OpenScope(service, scope)
        self.touch(opened)
        if not is_new:
            opened.symbols.load(transaction)
        self._open.put(service, opened)
        return opened
