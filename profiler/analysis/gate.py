"""Whether the candidate is worse than the baseline: a verdict whose rate of false alarms is known.

All functions with enough samples on both sides together are tested at once, each against the
margin of its rule, by `estimate` over hosts or runs. `correction` holds the probability that
anything is found where nothing changed to `alpha`; docs/guide/statistics.md has it measured.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import correction
from profiler.analysis.counts import Counts
from profiler.analysis.estimate import MIN_UNITS, Difference, Ratio, Vector, compare, parts
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.moderation import moderate
from profiler.analysis.rules import Column, Per, Rule, parse
from profiler.errors import NotComparable, UsageError
from profiler.model import Kind

DEFAULT_RULES = (parse("self>+0%"), parse("total>+0%"))
"""Any growth that is no chance, of any denominator. Margins are for those who know what they can
bear."""

MIN_SAMPLES = 40
"""Of a function on both sides together, to be tested: fewer are not normal enough for a t, and each
test makes all others less sensitive. Blind to which side they are of, it cannot favour one."""

Strict = Literal["holm", "max-t"]


class Outcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked. `requests` are those of each side, for bounds per request; `sensitivity` is a
    rule whose bound, times 1, must be detectable in all functions that it matches."""

    rules: tuple[Rule, ...] = DEFAULT_RULES
    alpha: float = 0.05
    per: Per = "share"
    strict: Strict | None = None
    requests: tuple[float, float] | None = None
    sensitivity: Rule | None = None
    min_samples: int = MIN_SAMPLES


@dataclass(frozen=True, slots=True)
class Finding:
    """One function under one rule. Amounts are in the unit of the denominator: 0.01 is 1 % of all,
    or 0.01 CPUs, or 0.01 ns a request. `least` is what the difference is at least, with the
    confidence 1 - alpha, and `detectable` the smallest that had been found in 4 of 5 cases."""

    function: int
    key: FunctionKey
    rule: Rule
    before: float
    after: float
    least: float
    p: float
    detectable: float
    samples: tuple[int, int]
    failed: bool
    excuse: str = ""
    """Why it does not count: that it only moved, or is to be ignored."""

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def relative(self) -> float | None:
        """None where the function is new."""
        return self.difference / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`findings` are all tests that were made, failures first and the largest difference first.
    `reasons` say why it is inconclusive."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    terms: Terms
    units: tuple[int, int]
    paired: bool
    functions: int
    reasons: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.failed and not found.excuse)

    @property
    def excused(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.failed and found.excuse)

    @property
    def tested(self) -> int:
        return len({finding.function for finding in self.findings})


def judge(sides: tuple[Counts, Counts], keys: Sequence[FunctionKey], terms: Terms) -> Verdict:
    """The verdict over `keys`, the functions of the columns of both sides."""
    baseline, candidate, paired = pair(*sides)
    units = (baseline.units, candidate.units)
    if min(units) < MIN_UNITS:
        few = f"{units[0]} and {units[1]} units: a side needs {MIN_UNITS} hosts or runs"
        return Verdict(Outcome.INCONCLUSIVE, (), terms, units, False, len(keys), (few,))
    tests = [_tested(rule, (baseline, candidate), keys, terms, paired) for rule in terms.rules]
    p = _adjusted(tests, terms, units, paired)
    rejected = _rejected(p, terms)
    asked = _Asked(keys, terms, terms.alpha / max(len(p), 1))
    bounds = np.cumsum([len(each.functions) for each in tests])[:-1]
    parts = zip(tests, np.split(p, bounds), np.split(rejected, bounds), strict=True)
    findings = [found for each, p, failed in parts for found in each.findings(p, failed, asked)]
    findings.sort(key=lambda finding: (not finding.failed, -finding.difference))
    doubts = tuple(_doubts(findings, terms))
    outcome = Outcome.INCONCLUSIVE if doubts else Outcome.PASS
    if rejected.any():
        outcome = Outcome.FAIL
    return Verdict(outcome, tuple(findings), terms, units, paired, len(keys), doubts)


def excuse(verdict: Verdict, reason: Callable[[Finding], str]) -> Verdict:
    """The verdict without the failures for which there is a reason not to count them."""
    findings = tuple(
        replace(found, excuse=reason(found)) if found.failed else found
        for found in verdict.findings
    )
    excused = replace(verdict, findings=findings)
    if verdict.outcome is not Outcome.FAIL or excused.failures:
        return excused
    return replace(excused, outcome=Outcome.INCONCLUSIVE if verdict.reasons else Outcome.PASS)


def pair(baseline: Counts, candidate: Counts) -> tuple[Counts, Counts, bool]:
    """Both sides, unit by unit the same hosts where the same stand once on both."""
    hosts = set(baseline.hosts)
    alike = hosts == set(candidate.hosts) and "" not in hosts
    if not alike or not len(hosts) == baseline.units == candidate.units:
        return baseline, candidate, False
    place = {host: row for row, host in enumerate(candidate.hosts)}
    rows = [place[host] for host in baseline.hosts]
    return baseline, candidate.ordered(rows), True


def code(keys: Sequence[FunctionKey]) -> NDArray[np.bool_]:
    """Which are functions, not threads and not what stands for missing frames."""
    return np.array([key[3] not in (Kind.THREAD, Kind.MARKER) for key in keys], bool)


def denominator(side: Counts, which: int, terms: Terms) -> Vector:
    """What costs of a side, the first or the second, are divided by in each of its units."""
    if terms.per == "share":
        return side.whole
    if terms.per == "cores":
        if not side.durations.all():
            raise NotComparable("cores need profiles that say how long was sampled: compare shares")
        return side.durations
    if terms.requests is None:
        raise UsageError("costs per request need the number of requests of both sides: --requests")
    return np.full(side.units, terms.requests[which] / side.units)


def cost(
    side: Counts, n: Vector, column: Column, per: Per, functions: NDArray[np.intp] | slice
) -> Ratio:
    """The cost of some functions on one side, in the unit of the denominator `n`."""
    x = side.values_of(column)[:, functions]
    value = x.sum(axis=0) / (n.sum() or 1.0)
    # The variance of a Poisson count is the count. As a share of all, it varies a little less.
    floor = value**2 / np.maximum(side.samples_of(column)[functions], 1)
    return Ratio.of(x, n, floor * np.clip(1 - value, 0, 1) if per == "share" else floor)


def spread(before: Ratio, after: Ratio, per: Per) -> Vector:
    """By what hosts would differ if their costs of a function varied by a part of themselves. A
    share can only vary as far as there is anything else."""
    mean = (before.value + after.value) / 2
    if per == "share":
        mean = mean * (1 - mean)
    return np.asarray(mean**2 * (1 / before.units + 1 / after.units), np.float64)


@dataclass(frozen=True, slots=True)
class _Asked:
    keys: Sequence[FunctionKey]
    terms: Terms
    level: float
    """Of a single test, if all others find nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tested:
    """One rule and the functions that it is about, as columns; `excess` is how far each is beyond
    the margin. `x` and `n` are the units of both sides, moved so that at the margin they are equal.
    """

    rule: Rule
    functions: NDArray[np.intp]
    before: Vector
    after: Vector
    excess: Difference
    samples: tuple[list[int], list[int]]
    x: NDArray[np.float64]
    n: Vector

    @property
    def parts(self) -> NDArray[np.float64]:
        """Of each pair in the excess, a row a host."""
        halves = zip(np.split(self.x, 2), np.split(self.n, 2), strict=True)
        limit, after = (Ratio.of(x, n) for x, n in halves)
        return parts(limit, after)

    def findings(self, p: Vector, failed: NDArray[np.bool_], asked: _Asked) -> Iterator[Finding]:
        detectable = self.excess.detectable(asked.level)
        least = self.excess.estimate - self.excess.half_width(1 - 2 * asked.terms.alpha)
        margin = self.rule.absolute + self.rule.relative * self.before
        columns = (self.before, self.after, least + margin, p, detectable + margin, failed)
        lists = (column.tolist() for column in columns)
        rows = zip(self.functions.tolist(), *lists, *self.samples, strict=True)
        for number, before, after, low, chance, found, fails, *samples in rows:
            yield Finding(
                *(number, asked.keys[number], self.rule, before, after, low, chance, found),
                samples=(samples[0], samples[1]),
                failed=fails,
            )


def _tested(
    rule: Rule,
    sides: tuple[Counts, Counts],
    keys: Sequence[FunctionKey],
    terms: Terms,
    paired: bool,
) -> _Tested:
    counts = [side.samples_of(rule.column) for side in sides]
    enough = np.flatnonzero((counts[0] + counts[1] >= terms.min_samples) & code(keys))
    # Variances are steadied by those of all functions, also of those that the rule is not about.
    before, after = (
        cost(side, denominator(side, which, terms), rule.column, terms.per, enough)
        for which, side in enumerate(sides)
    )
    limit = before.scaled(1 + rule.relative).moved(rule.absolute)
    excess = moderate(compare(limit, after, paired=paired), spread(before, after, terms.per))
    about = np.array(rule.matches([keys[number][0] for number in enough.tolist()]), bool)
    functions = enough[about]
    return _Tested(
        rule,
        functions,
        before.value[about],
        after.value[about],
        excess.chosen(about),
        (counts[0][functions].tolist(), counts[1][functions].tolist()),
        np.vstack([limit.x, after.x])[:, about],
        np.concatenate([limit.n, after.n]),
    )


def _adjusted(
    tests: Sequence[_Tested], terms: Terms, units: tuple[int, int], paired: bool
) -> Vector:
    """What `terms.alpha` bounds: p as it is, or that of the largest t by chance."""
    if terms.strict != "max-t":
        return np.concatenate([each.excess.above(0.0) for each in tests])
    if paired:
        differences = np.hstack([each.parts for each in tests])
        return correction.max_t_paired(differences, correction.swaps(units[0]))
    x = np.hstack([each.x for each in tests])
    return correction.max_t(x, tests[0].n, correction.divisions(*units))


def _rejected(p: Vector, terms: Terms) -> NDArray[np.bool_]:
    if terms.strict == "max-t":
        return p <= terms.alpha
    if terms.strict == "holm":
        return correction.holm(p, terms.alpha)
    return correction.benjamini_hochberg(p, terms.alpha)


def _doubts(findings: Sequence[Finding], terms: Terms) -> Iterator[str]:
    """Why that nothing was found may say nothing."""
    if not findings:
        which = " that a rule is about" if all(rule.pattern for rule in terms.rules) else ""
        yield f"no function{which} has {terms.min_samples} samples on both sides together"
    needed = terms.sensitivity
    if needed is None:
        return
    blind = [
        finding
        for finding in findings
        if finding.rule.column == needed.column
        and needed.matches([finding.key[0]])[0]
        and finding.detectable > needed.absolute + needed.relative * finding.before
    ]
    if blind:
        worst = max(blind, key=lambda finding: finding.detectable)
        yield f"{needed.text} could go unseen in {len(blind)} functions, first {worst.key[0]}"
