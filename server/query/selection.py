"""What a selector means in a range: the series that have samples there, and whose losses count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

import sqlalchemy as sa

from profiler.errors import UsageError
from profiler.model import CPU, OFF_CPU, WALL, ProfileType
from profiler.selector import Selector
from server.store import accounts, catalog, horizon, samples
from server.store.accounts import Accounts
from server.store.catalog import Series
from server.store.group import Group
from server.store.horizon import Horizon
from server.store.hours import TimeRange
from server.store.totals import LARGEST_SUM, Totals

HOST = "host_name"

RECORDED = "profiler_recorded"
"""The label of series that were replayed from a recording; its value is "true"."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The series that a selector means, of those with samples in the range.

    `kept` is the range in the units in which samples of that age are kept.
    """

    tenant: str
    selector: Selector
    within: TimeRange
    horizon: Horizon
    series: tuple[Series, ...]
    totals: Mapping[tuple[int, int], Totals]
    """The sums of each, by scope and series."""
    groups: tuple[Group, ...]

    @property
    def kept(self) -> TimeRange:
        return self.horizon.clip(self.within)

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

    def total(self, series: Series) -> Totals:
        return self.totals[series.scope_id, series.series_id]

    def check_sums(self) -> None:
        """Raises UsageError where they leave 64 bits."""
        totals = self.totals.values()
        if max(sum(one.samples for one in totals), sum(one.value for one in totals)) > LARGEST_SUM:
            raise UsageError("the sums of this range exceed 64 bits: choose a shorter range")

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
    reach = horizon.read(transaction, tenant, selector.profile_type)
    kept = reach.clip(within)
    candidates = catalog.select(transaction, tenant, selector, kept)
    counts = catalog.counts(transaction, tenant, selector.profile_type, kept)
    groups = _groups(candidates, selector.profile_type, counts)
    totals = samples.totals(transaction, groups, kept)
    found = [one for one in candidates if (one.scope_id, one.series_id) in totals]
    return Selection(
        tenant,
        selector,
        within,
        reach,
        tuple(found),
        totals,
        tuple(_present(group, totals) for group in groups),
    )


def _groups(
    candidates: Iterable[Series], profile_type: str, counts: Mapping[int, int]
) -> list[Group]:
    """All scopes of which every series is meant, then each of the others; `counts` says how many
    series there would be without a selector."""
    whole, groups = [], []
    for scope_id, series in groupby(candidates, key=attrgetter("scope_id")):
        numbers = tuple(one.series_id for one in series)
        if len(numbers) == counts[scope_id]:
            whole.append(scope_id)
        else:
            groups.append(Group(profile_type, (scope_id,), numbers))
    return [Group(profile_type, tuple(whole)), *groups] if whole else groups


def _present(group: Group, totals: Mapping[tuple[int, int], Totals]) -> Group:
    """Without the series that have no samples."""
    if group.numbers is None:
        return group
    (scope_id,) = group.scope_ids
    return replace(group, numbers=tuple(n for n in group.numbers if (scope_id, n) in totals))


def coverage(selection: Selection) -> Coverage:
    labels = [series.labels for series in selection.series]
    return Coverage(
        hosts=len({one.get(HOST, "") for one in labels}),
        series=len(selection.series),
        profiles=sum(total.profiles for total in selection.totals.values()),
        recorded=any(one.get(RECORDED) == "true" for one in labels),
    )


def account(transaction: sa.Connection, selection: Selection) -> Accounts:
    """The accounts of the hosts and the range that are selected.

    Losses belong to a node, not to a series. Where the selector speaks of nothing but hosts, it
    means all hosts of fitting name, even those that lost every sample; else those that have, at
    any time, had a series that it means.
    """
    names = hosts(transaction, selection)
    return accounts.read(
        transaction, selection.tenant, selection.selector.profile_type, selection.kept, names
    )


def hosts(transaction: sa.Connection, selection: Selection) -> set[str] | None:
    """Those whose accounts are meant, as `account` says; None: all of them."""
    selector, tenant = selection.selector, selection.tenant
    if not selector.matchers:
        return None
    if any(matcher.name != HOST for matcher in selector.matchers):
        meant = catalog.select(transaction, tenant, selector)
        return {series.labels.get(HOST, "") for series in meant}
    named = {matcher.value for matcher in selector.matchers if matcher.op == "="}
    candidates = named or accounts.hosts(transaction, tenant, selector.profile_type, selection.kept)
    return {host for host in candidates if selector.matches({HOST: host})}


def _unit_of_nothing(profile_type: str) -> str:
    """The unit of an empty answer."""
    times = (CPU.name, OFF_CPU.name, WALL.name)
    return CPU.unit if profile_type in times else "count"
