"""A verdict and what stands around it, and the words that all formats have for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from statistics import median

from profiler.analysis.gate import Finding, Outcome, Verdict
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.ignored import Ignore
from profiler.analysis.places import Place
from profiler.analysis.rules import Column, Per
from profiler.cli.terminal import printable


@dataclass(frozen=True, slots=True)
class Report:
    """`flamegraph` is where the differential flamegraph is, "" nowhere. `places` are those of the
    failures in the candidate's sources, and files below the folder `root` are named from there."""

    verdict: Verdict
    baseline: str
    candidate: str
    notices: tuple[str, ...] = ()
    expired: tuple[Ignore, ...] = ()
    flamegraph: str = ""
    places: Mapping[tuple[FunctionKey, Column], Place] = field(default_factory=dict)
    root: str = "/"


_OUTCOMES = {
    Outcome.PASS: "no regression found",
    Outcome.FAIL: "regression",
    Outcome.INCONCLUSIVE: "inconclusive",
}


def headline(report: Report) -> str:
    """regression: 2 functions cost more than allowed, of 143 tested"""
    verdict = report.verdict
    number = len({found.function for found in verdict.failures})
    if number:
        plural = "s cost" if number > 1 else " costs"
        return (
            f"regression: {number} function{plural} more than allowed, of {verdict.tested} tested"
        )
    if verdict.reasons:
        return f"{_OUTCOMES[verdict.outcome]}: {'; '.join(verdict.reasons)}"
    return f"{_OUTCOMES[verdict.outcome]}: {verdict.tested} functions tested"


def lines(report: Report) -> Iterator[str]:
    """What is to be known beside the failures. A runner of GitHub's takes a line that begins with
    :: for a command, so that none of them holds another, whatever reasons and names are."""
    yield from map(printable, _lines(report))


def _lines(report: Report) -> Iterator[str]:
    verdict = report.verdict
    what = "pairs of hosts" if verdict.paired else "hosts or runs"
    units = (
        str(verdict.units[0]) if verdict.paired else f"{verdict.units[0]} and {verdict.units[1]}"
    )
    yield f"baseline {report.baseline}, candidate {report.candidate}: {units} {what}"
    if verdict.findings:
        yield detectable(verdict)
    yield from (f"note: {notice}" for notice in report.notices)
    for found in verdict.excused:
        yield f"not counted: {sentence(found, verdict.terms.per)}: {found.excuse}"
    for entry in report.expired:
        yield f"expired on {entry.expires}, no longer ignored: {entry.function} ({entry.reason})"
    if report.flamegraph:
        yield f"flamegraph of the difference: {report.flamegraph}"


def detectable(verdict: Verdict) -> str:
    """The smallest change that would have been found."""
    per = verdict.terms.per
    smallest = sorted(found.detectable for found in verdict.findings)
    shown = [change(amount, per) for amount in (median(smallest), smallest[-1])]
    return (
        f"a growth of {shown[0]} would have been found in half of the functions,"
        f" of {shown[1]} in all (4 times of 5)"
    )


def sentence(found: Finding, per: Per) -> str:
    """parse (self) 1.90 % -> 2.85 %, +0.95 pp (+50 %), at least +0.61 pp"""
    return f"{name(found)} ({found.rule.column}) {amounts(found, per)}"


def name(found: Finding) -> str:
    return printable(found.key[0])


def place(report: Report, found: Finding) -> Place:
    """Where the function is; the file is "" where that is not known."""
    known = report.places.get((found.key, found.rule.column), Place(found.key[1]))
    path = PurePath(known.file)
    inside = report.root != "/" and path.is_relative_to(report.root)
    return Place(str(path.relative_to(report.root)), known.line) if inside else known


def amounts(found: Finding, per: Per) -> str:
    relative = "new" if found.relative is None else f"{100 * found.relative:+.0f} %"
    return (
        f"{amount(found.before, per)} -> {amount(found.after, per)},"
        f" {change(found.difference, per)} ({relative}), at least {change(found.least, per)}"
    )


def amount(value: float, per: Per) -> str:
    if per == "share":
        return f"{100 * value:.2f} %"
    return f"{value:.3g} cores" if per == "cores" else _time(value)


def change(value: float, per: Per) -> str:
    if per == "share":
        return f"{100 * value:+.2f} pp"
    return (
        f"{value:+.3g} cores"
        if per == "cores"
        else f"{'-' if value < 0 else '+'}{_time(abs(value))}"
    )


def _time(ns: float) -> str:
    scale, unit = next((each for each in _SCALES if ns >= each[0]), _SCALES[-1])
    return f"{ns / scale:.3g} {unit}"


_SCALES = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
