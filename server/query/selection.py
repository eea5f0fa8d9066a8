"""What a selector means in a range: the series that have samples there, and whose losses count."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from profiler.errors import UsageError
from profiler.model import CPU, ProfileType
from profiler.selector import Selector
from server.store import accounts, catalog, samples
from server.store.accounts import Accounts
from server.store.catalog import Series, TimeRange
from server.store.samples import Totals

HOST = "host_name"

RECORDED = "profiler_recorded"
"""The label of series that were replayed from a recording; its value is "true"."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The series that a selector means, of those with samples in the range."""

    tenant: str
    selector: Selector
    within: TimeRange
    series: tuple[Series, ...]

    @property
    def type(self) -> ProfileType:
        """Raises UsageError where the series are counted in several units."""
        units = sorted({series.unit for series in self.series})
        if len(units) > 1:
            raise UsageError(
                f"{self.selector} is counted in {' and in '.join(units)}, which do not add up: "
                "select fewer series"
            )
        name = self.selector.profile_type
        return ProfileType(name, units[0] if units else _unit_of_nothing(name))

    @property
    def label_names(self) -> list[str]:
        return sorted({name for series in self.series for name in series.labels})

    def label_values(self, name: str) -> list[str]:
        return sorted({series.labels[name] for series in self.series if name in series.labels})


@dataclass(frozen=True, slots=True)
class Coverage:
    """What stands behind an answer; `recorded` if any of it was replayed from a recording."""

    hosts: int
    series: int
    profiles: int
    recorded: bool


def select(
    transaction: sa.Connection, tenant: str, selector: Selector, within: TimeRange
) -> Selection:
    found = catalog.select(transaction, tenant, selector, within)
    return Selection(tenant, selector, within, tuple(found))


def totals(transaction: sa.Connection, selection: Selection) -> list[tuple[Series, Totals]]:
    """The sums of each series."""
    found = samples.totals(transaction, selection.series, selection.within)
    return [(one, found[one.scope_id, one.series_id]) for one in selection.series]


def coverage(summed: Sequence[tuple[Series, Totals]]) -> Coverage:
    labels = [series.labels for series, _ in summed]
    return Coverage(
        hosts=len({one.get(HOST, "") for one in labels}),
        series=len(summed),
        profiles=sum(total.profiles for _, total in summed),
        recorded=any(one.get(RECORDED) == "true" for one in labels),
    )


def account(transaction: sa.Connection, selection: Selection) -> Accounts:
    """The accounts of the hosts and the range that are selected.

    Losses belong to a node, not to a series. Where the selector speaks of nothing but hosts, it
    means all hosts of fitting name, even those that lost every sample; else those that have, at
    any time, had a series that it means.
    """
    hosts = _hosts(transaction, selection)
    return accounts.read(
        transaction, selection.tenant, selection.selector.profile_type, selection.within, hosts
    )


def _hosts(transaction: sa.Connection, selection: Selection) -> set[str] | None:
    """None: all of them."""
    selector, tenant = selection.selector, selection.tenant
    if not selector.matchers:
        return None
    if any(matcher.name != HOST for matcher in selector.matchers):
        meant = catalog.select(transaction, tenant, selector)
        return {series.labels.get(HOST, "") for series in meant}
    named = {matcher.value for matcher in selector.matchers if matcher.op == "="}
    candidates = named or accounts.hosts(
        transaction, tenant, selector.profile_type, selection.within
    )
    return {host for host in candidates if selector.matches({HOST: host})}


def _unit_of_nothing(profile_type: str) -> str:
    """The unit of an empty answer."""
    return CPU.unit if profile_type == CPU.name else "count"
