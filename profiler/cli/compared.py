"""Two sides as they are typed, in one tree: what `diff` and `check` begin with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from profiler.analysis import comparable, incomplete, renamed
from profiler.analysis.union import Union
from profiler.cli import nothing
from profiler.cli.options import Selection
from profiler.cli.sides import HOST, Files, Place, Reader, Selected, Side
from profiler.cli.terminal import printable
from profiler.errors import NotComparable, UsageError
from profiler.model import Profile

DEPLOY = "deploy:"

_TOLD = 0.005
"""Of all samples, from which on it is said that some are left out."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Both sides' names, their union, and what people should know of it; `units` are those of the
    candidate."""

    baseline: str
    candidate: str
    union: Union
    notices: tuple[str, ...]
    units: Sequence[Profile]


def read(reader: Reader, baseline: str | None, candidate: str) -> Compared:
    """Both sides. Without a baseline the candidate is a deploy, beside what ran before it. Raises
    NotComparable where no difference can be told."""
    if baseline is None:
        before, after = _deploy(reader, candidate)
    else:
        before, after = units(reader, baseline), units(reader, candidate)
    for side in (before, after):
        if not any(unit.profile.total_value for unit in side.units):
            raise NotComparable(_without_samples(reader, side))
    sides = (_profiles(before), _profiles(after))
    notices = comparable.check(*sides)
    (baseline_units, early), (candidate_units, early_too) = map(without_early, sides)
    if max(early, early_too) >= _TOLD:
        notices += (
            f"{early:.0%} of the baseline's samples and {early_too:.0%} of the candidate's are left"
            " out: they were taken before their program was known to the profiler",
        )
    both = renamed.union_of(baseline_units, candidate_units)
    names = printable(before.name), printable(after.name)
    return Compared(*names, both, notices, candidate_units)


def without_early(units: Sequence[Profile]) -> tuple[Sequence[Profile], float]:
    """What is compared of them, and which part is not."""
    found = [incomplete.without_early(unit) for unit in units]
    whole = sum(unit.total_value for unit in units)
    early = sum(unit.total_value * part for unit, (_, part) in zip(units, found, strict=True))
    return [unit for unit, _ in found], early / (whole or 1)


def units(reader: Reader, text: str) -> Side:
    """A side with its units apart; those of a server are named by their hosts."""
    return _named(reader, text, reader.place(text))


def _without_samples(reader: Reader, side: Side) -> str:
    if not isinstance(side.place, Selected):
        return f"no samples in {side.name}"
    place = side.place
    return nothing.said(Selection(place.query, reader.server, place.start, place.end))


def _deploy(reader: Reader, text: str) -> tuple[Side, Side]:
    if not text.startswith(DEPLOY):
        raise UsageError(f"nothing to compare {text!r:.200} with: give two sides, or a deploy")
    service, _, version = text.removeprefix(DEPLOY).partition("@")
    now, before = reader.deploy(service, version or None)
    return (
        _named(reader, f"{before.query}@{before.start}..{before.end}", before),
        _named(reader, f"{now.query}@{now.start}..{now.end}", now),
    )


def _named(reader: Reader, name: str, place: Place) -> Side:
    side = reader.units(name, place)
    if isinstance(place, Files):
        return side
    hosts = (replace(unit, profile=_of_host(unit.profile, unit.name)) for unit in side.units)
    return replace(side, units=tuple(hosts))


def _of_host(profile: Profile, host: str) -> Profile:
    labels = {**dict(profile.labels), HOST: host}
    return replace(profile, labels=tuple(sorted(labels.items())))


def _profiles(side: Side) -> Sequence[Profile]:
    return [unit.profile for unit in side.units]


per = click.option(
    "--per",
    type=click.Choice(("share", "cores", "request")),
    default="share",
    show_default=True,
    help="What costs are divided by: all samples, the time sampled (CPUs a host or run), or"
    " --requests.",
)


def _requests(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        before, after = (float(part) for part in text.split(","))
    except ValueError:
        before = after = 0.0
    if not (before > 0 and after > 0):
        raise UsageError(f"--requests {text!r}: expected two numbers, such as 120000,118500")
    return before, after


requests = click.option(
    "--requests",
    metavar="N,N",
    callback=_requests,
    help="How many requests the baseline and the candidate served in all, for --per request.",
)
