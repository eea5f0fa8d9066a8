"""What is new of what a host was seen to run: the rules of docs/decisions/0020."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from profiler.timerange import UNITS
from server.ingest.sightings import Sighting
from server.store import deploys
from server.store.deploys import Deploy, Sight, Version
from server.store.running import Run, Runs

AWAY_NS = 5 * UNITS["m"]
"""What a host was not seen to run for so long may come back as a deploy; and for so long must a
host and a service be known before what is new on another host is one. A version that has a sample
a minute goes five minutes without one in one of 150 cases."""

WRITE_NS = UNITS["m"]
"""How far the times of the store are behind at most."""

A_SERVICE = 100
"""Deploys of a service and environment in a day that are listed because hosts were seen."""

GIVEN = 10_000
"""Those of all services, of versions that somebody gave."""

BUILDS = 1_000
"""Those of all services, of executables alone: a compile farm makes thousands."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """How many deploys a batch began, and how many more it would have begun."""

    listed: int = 0
    unlisted: int = 0

    def __add__(self, other: "Noticed") -> "Noticed":
        return Noticed(self.listed + other.listed, self.unlisted + other.unlisted)


class Book:
    """The deploys that a transaction speaks of: as they are, and what it adds to them."""

    def __init__(
        self, transaction: sa.Connection, tenant: str, versions: Iterable[Version]
    ) -> None:
        self._transaction = transaction
        self._tenant = tenant
        self.latest = deploys.latest(transaction, tenant, list(versions))
        self._new: list[Deploy] = []
        self._sights: dict[tuple[Version, int], Sight] = {}

    def rival(self, version: Version, after_ns: int, before_ns: int) -> Deploy | None:
        """Another version of the program that began between two times."""
        return deploys.rival(self._transaction, self._tenant, version, after_ns, before_ns)

    def open(self, new: Deploy) -> bool:
        """Gives it its number; False where there is no room."""
        service, builds = new.version.program[:2], bool(new.version.program.executable)
        day = (self._transaction, self._tenant, new.began_ns)
        of_service = deploys.opened(*day, new.version.program)
        of_service += sum(one.version.program[:2] == service for one in self._new)
        in_all = deploys.opened_in_all(*day, builds=builds)
        in_all += sum(bool(one.version.program.executable) == builds for one in self._new)
        if of_service >= A_SERVICE or in_all >= (BUILDS if builds else GIVEN):
            return False
        number = deploys.highest(self._transaction, self._tenant, new.version) + 1
        self.latest[new.version] = replace(new, number=number)
        self._new.append(self.latest[new.version])
        return True

    def see(self, deploy: Deploy, sight: Sight) -> None:
        """Nothing is written for a sight that says little more than the last one."""
        tells = sight.hosts or (sight.revision and not deploy.revision)
        if not tells and sight.last_ns < deploy.last_ns + WRITE_NS:
            return
        key = deploy.version, deploy.number
        self._sights[key] = self._sights.get(key, Sight()) + sight
        self.latest[deploy.version] = replace(
            deploy,
            last_ns=max(deploy.last_ns, sight.last_ns),
            revision=deploy.revision or sight.revision,
        )

    def write(self) -> None:
        deploys.add(self._transaction, self._tenant, self._new)
        deploys.see(self._transaction, self._tenant, self._sights)


def notice(book: Book, runs: Runs, sighting: Sighting) -> Noticed:
    """Brings what a host runs up to what was seen, and the book with it."""
    noticed, t_ns = Noticed(), sighting.t_ns
    since_ns = min((run.began_ns for run in runs.values()), default=t_ns)
    for version, revision in sorted(sighting.versions.items()):
        before = runs.get(version)
        appears = before is None or _was_away(runs, version, t_ns)
        new = None
        if appears and (previous := _previous(runs, version, t_ns)):
            new = _of_host(book, version, before, previous, t_ns)
        elif appears:
            new = _of_fleet(book, version, since_ns, t_ns)
        if new is not None:
            listed = book.open(new)
            noticed += Noticed(int(listed and new.change), int(not listed))
        runs[version] = _seen(book, sighting, version, before, appears=appears)
        if deploy := book.latest.get(version):
            joins = before is None or before.number != deploy.number
            book.see(deploy, Sight(t_ns, sighting.host_name, int(joins), revision))
    return noticed


def _previous(runs: Runs, version: Version, t_ns: int) -> Version | None:
    """What the host ran last of the other versions that it had before."""
    others = [
        (run.last_ns, other)
        for other, run in runs.items()
        if other.program == version.program and other != version and run.began_ns < t_ns
    ]
    return max(others)[1] if others else None


def _was_away(runs: Runs, version: Version, t_ns: int) -> bool:
    """Whether another version took the place of one that was not seen for long: of two that run
    side by side, one may be idle for hours."""
    before = runs[version]
    return t_ns >= before.last_ns + AWAY_NS and any(
        max(before.began_ns, before.last_ns - AWAY_NS) < run.began_ns < t_ns
        for other, run in runs.items()
        if other.program == version.program and other != version
    )


def _of_host(
    book: Book, version: Version, before: Run | None, previous: Version, t_ns: int
) -> Deploy | None:
    """The deploy that a host begins with a version that it did not run before, unless it is late
    for one that has begun."""
    deploy = book.latest.get(version)
    if deploy is not None and deploy.change and (not before or deploy.began_ns > before.last_ns):
        return None
    return Deploy(version, 0, t_ns, t_ns, previous=previous.name)


def _of_fleet(book: Book, version: Version, since_ns: int, t_ns: int) -> Deploy | None:
    """The deploy that begins on a host which runs nothing else of the program; what was there when
    the program was first seen is known from then on, and is none."""
    if version.program.executable:
        return None  # another distribution's build, as far as anybody knows
    deploy, settled_ns = book.latest.get(version), t_ns - AWAY_NS
    if deploy is not None:
        after_ns = max(deploy.began_ns, deploy.last_ns - AWAY_NS)
        rival = book.rival(version, after_ns, t_ns) if deploy.last_ns <= settled_ns else None
        return Deploy(version, 0, t_ns, t_ns, previous=rival.version.name) if rival else None
    rival = book.rival(version, -1, settled_ns) if since_ns <= settled_ns else None
    previous = rival.version.name if rival else ""
    return Deploy(version, 0, t_ns, t_ns, change=rival is not None, previous=previous)


def _seen(
    book: Book, sighting: Sighting, version: Version, before: Run | None, *, appears: bool
) -> Run:
    deploy, t_ns = book.latest.get(version), sighting.t_ns
    began_ns = t_ns if before is None or appears else before.began_ns
    last_ns = t_ns if before is None else max(before.last_ns, t_ns)
    return Run(began_ns, last_ns, deploy.number if deploy else 0)
