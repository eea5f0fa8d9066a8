"""Where profiles come from, as they are named on the command line: files, servers, deploys.

    a.pb.gz    runs/    'runs/*.folded'    -         files of any format, each a unit: a run
    cpu{service_name="a"}@now-2h..now-1h             of a server, each host a unit
    deploy:checkout@1.4    deploy:checkout           a version from its deploy on, the newest one

A selector without @ has the range of --from and --to. What stands for a file is one: a name with a
dot or a slash, or whatever exists.
"""

import functools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import click

from profiler import selector
from profiler.analysis import tree
from profiler.cli import options, progress
from profiler.cli.client import Client
from profiler.cli.terminal import printable
from profiler.errors import FormatError, UnavailableError, UsageError
from profiler.formats import files, pprof
from profiler.formats.lines import Mistakes
from profiler.model import Profile
from profiler.selector import Matcher

STDIN = "-"
HOST = "host_name"

MAX_FILES = 10_000

_SELECTOR = re.compile(r"(?P<query>[A-Za-z_]\w*\s*(?:\{.*\})?)(?:@(?P<range>[^{}@]+))?", re.DOTALL)
_DEPLOY = re.compile(r"deploy:(?P<service>[^@]+)(?:@(?P<version>.+))?")
_SEARCHED = "now-90d"
"""Deploys since then can be named."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What counts as one observation: the profile of a run, or of a host in the range."""

    name: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Files:
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Selected:
    """A selector and its range, as the server's API takes them."""

    query: str
    start: str
    end: str

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"query": self.query, "from": self.start, "to": self.end}


Place = Files | Selected


@dataclass(frozen=True, slots=True)
class Side:
    """Units under the name that they were asked for by, and where they are from."""

    name: str
    place: Place
    units: tuple[Unit, ...]

    @property
    def merged(self) -> Profile:
        return tree.merge(unit.profile for unit in self.units)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what stands for profiles. `type` is wanted of files that hold several; lines that
    cannot be read are left out, and counted on stderr, where `skip_bad_lines`."""

    server: str
    start: str
    end: str
    type: str | None = None
    skip_bad_lines: bool = False

    @property
    def client(self) -> Client:
        return Client(self.server)

    def place(self, text: str) -> Place:
        """What `text` names; raises UsageError where that is nothing."""
        if match := _DEPLOY.fullmatch(text):
            return self.deploy(match["service"], match["version"])[0]
        match = _SELECTOR.fullmatch(text)
        if match and not _exists(text):
            start, _, end = (match["range"] or f"{self.start}..{self.end}").partition("..")
            return Selected(match["query"], start, end or "now")
        return Files(paths(text))

    def side(self, text: str) -> Side:
        """With its units apart."""
        return self.units(text, self.place(text))

    def units(self, name: str, place: Place) -> Side:
        if isinstance(place, Files):
            read = progress.each(place.paths, f"reading {name}")
            return Side(name, place, tuple(Unit(str(path), self._file(path)) for path in read))
        found = self.client.get(f"labels/{HOST}/values", place.parameters)
        at = replace(place, start=str(found["from"]), end=str(found["to"]))  # one now for all hosts
        units = tuple(
            Unit(host, self._selected(_of_host(at, host)))
            for host in progress.each(found["values"], f"asking for {name}")
        )
        return Side(name, place, units)

    def profile(self, text: str) -> Profile:
        """All of it as one."""
        place = self.place(text)
        return self._selected(place) if isinstance(place, Selected) else self.side(text).merged

    def deploy(self, service: str, version: str | None = None) -> tuple[Selected, Selected]:
        """A version from its deploy up to the next one, and what ran for as long before it."""
        asked: dict[str, str | int] = {"service": service, "from": _SEARCHED, "to": "now"}
        try:
            found = self.client.get("deploys", asked)["deploys"]
            at = next(n for n, one in enumerate(found) if version in (None, one["version"]))
        except StopIteration:
            of = f" of the version {version!r}" if version else ""
            raise UsageError(
                f"no deploy of {service!r}{of} since {_SEARCHED}; see `profiler deploys`"
            ) from None
        one = found[at]
        later = [other for other in found[:at] if other["environment"] == one["environment"]]
        end = later[-1]["time"] if later else self._now()
        length = end - one["time"]
        return (
            _versioned(one, one["version"], one["time"], end),
            _versioned(one, one["previous"], one["time"] - length, one["time"]),
        )

    def _now(self) -> int:
        """The server's clock, in milliseconds, for it is the one that deploys are told by."""
        answer = self.client.get("timeline", {"query": "cpu", "from": "now-1m", "to": "now"})
        return int(answer["to"])

    def _selected(self, place: Selected) -> Profile:
        data = self.client.download("profiles", place.parameters | {"format": "pprof"})
        try:
            return pprof.loads(data)
        except FormatError as error:
            raise UnavailableError(f"{self.server} sent what is no profile: {error}") from None

    def _file(self, path: Path) -> Profile:
        mistakes = Mistakes() if self.skip_bad_lines else None
        try:
            profiles = _load(path, mistakes)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from None
        if mistakes is not None and mistakes.count:
            click.echo(f"profiler: {printable(str(path))}: left out {mistakes}", err=True)
        return self._chosen(path, profiles)

    def _chosen(self, path: Path, profiles: Sequence[Profile]) -> Profile:
        """Those of one type, the wanted or the first."""
        types = list(dict.fromkeys(profile.type.name for profile in profiles))
        name = self.type or types[0]
        if name not in types:
            raise UsageError(
                f"{path} holds no {name!r}; choose --type from {', '.join(types):.200}"
            )
        if self.type is None and len(types) > 1:
            others = printable(", ".join(types[1:])[:200])
            click.echo(
                f"profiler: {printable(str(path))} also holds {others}: choose with --type",
                err=True,
            )
        return tree.merge(profile for profile in profiles if profile.type.name == name)


def of_files(command: Callable[..., None]) -> Callable[..., None]:
    """--type and --skip-bad-lines."""
    skip = click.option(
        "--skip-bad-lines",
        is_flag=True,
        help="Leave out lines of text that cannot be read, and say how many.",
    )
    type = click.option(
        "--type", metavar="NAME", help="Of a file with several profile types, this one."
    )
    return type(skip(command))


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """Gives `command` a Reader from --server, --from, --to, --type and --skip-bad-lines."""

    @options.server
    @options.times(start="now-1h")
    @of_files
    @functools.wraps(command)
    def with_reader(**given: Any) -> None:
        names = ("server", "from", "to", "type", "skip_bad_lines")
        command(Reader(*(given.pop(name) for name in names)), **given)

    return with_reader


def is_file(text: str) -> bool:
    """Whether `text` names files, rather than what a server has."""
    return not _DEPLOY.fullmatch(text) and (_exists(text) or not _SELECTOR.fullmatch(text))


def _load(path: Path, mistakes: Mistakes | None) -> list[Profile]:
    with opened(path) as file:
        return files.load(file, mistakes)


def opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    """The file, or the standard input."""
    return nullcontext(sys.stdin.buffer) if str(path) == STDIN else progress.opened(path)


def paths(text: str) -> tuple[Path, ...]:
    """The files of a folder, a pattern or a name; raises UsageError where there are none."""
    if text == STDIN:
        return (Path(STDIN),)
    path = Path(text)
    if not _exists(text):
        found = _matched(path)
    elif path.is_dir():
        found = sorted(_listed(path))
        if not found:
            raise UsageError(f"no files in the folder {text!r:.200}")
    else:
        found = [path]
    if not found:
        raise UsageError(f"no file {text!r:.200}, and no selector such as cpu{{…}}")
    if len(found) > MAX_FILES:
        raise UsageError(f"{text} means {len(found):,} files, more than {MAX_FILES:,}")
    return tuple(found)


def _exists(text: str) -> bool:
    """A selector may be longer than the name of a file can be."""
    try:
        return Path(text).exists()
    except OSError:
        return False


def _matched(pattern: Path) -> list[Path]:
    """Files alone: to open a pipe waits for its writer."""
    try:
        found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
        return sorted(filter(Path.is_file, found))
    except (OSError, ValueError):  # it has a name that is too long, or a ** beside others
        return []


def _listed(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith("."):
            yield path


def _of_host(place: Selected, host: str) -> Selected:
    wanted = selector.parse(place.query)
    matchers = (*wanted.matchers, Matcher(HOST, "=", host))
    return replace(place, query=str(replace(wanted, matchers=matchers)))


def _versioned(deploy: dict[str, Any], version: str, start_ms: int, end_ms: int) -> Selected:
    """The service's series of this version; where it is a build-id, which is no label, all."""
    labels = {
        "service_name": deploy["service"],
        "deployment_environment_name": deploy["environment"],
        "service_version": "" if deploy["executable"] else version,
    }
    matchers = tuple(Matcher(name, "=", value) for name, value in labels.items() if value)
    return Selected(str(selector.Selector("cpu", matchers)), str(start_ms), str(end_ms))
