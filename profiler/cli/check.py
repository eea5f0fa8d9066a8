"""`profiler check`: whether the candidate is slower than the baseline, as an exit code."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click

from profiler.analysis import (
    calibration,
    comparable,
    gate,
    ignored,
    interrupts,
    moved,
    places,
    rules,
    union,
)
from profiler.analysis.gate import (
    DEFAULT_RULES,
    MIN_SAMPLES,
    Finding,
    Outcome,
    Strict,
    Terms,
    Verdict,
)
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.ignored import Ignored
from profiler.analysis.places import Place
from profiler.analysis.rules import Column, Per, Rule
from profiler.cli import compared, options, sides
from profiler.cli.compared import Compared
from profiler.cli.sides import Reader
from profiler.errors import NotComparable, ProfilerError, UnavailableError, UsageError
from profiler.reports import FORMATS, svg, two_folded
from profiler.reports import calibration as calibrated
from profiler.reports.report import Report

EXITS = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 3}

_TREATED = {"pass": 0, "fail": 1, "exit3": 3}


def _rule(context: click.Context, parameter: click.Parameter, text: str | None) -> Rule | None:
    return None if text is None else rules.parse(text, parameter.opts[0])


def _rules(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[Rule, ...]:
    return tuple(rules.parse(text) for text in texts) or DEFAULT_RULES


def _copies(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """FORMAT=FILE, by file."""
    copies = {}
    for text in texts:
        format, _, file = text.partition("=")
        if format not in FORMATS or not file:
            raise UsageError(f"--report {text!r}: expected one of {', '.join(FORMATS)}, =, a file")
        copies[file] = format
    return copies


@click.command(short_help="fail where something got slower")
@click.option("--baseline", metavar="SIDE", help="What the candidate is compared with.")
@click.option("--candidate", metavar="SIDE", required=True, help="What may be slower.")
@sides.reading
@click.option(
    "--fail",
    "asked",
    metavar="RULE",
    multiple=True,
    callback=_rules,
    help="What is too much: COLUMN[:REGEX]>+BOUND. Repeat for several.  [default: any growth of"
    " self or total that is no chance]",
)
@compared.per
@compared.requests
@click.option(
    "--alpha",
    metavar="PART",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="How often this may fail where nothing changed.",
)
@click.option(
    "--strict",
    type=click.Choice(("holm", "max-t")),
    is_flag=False,
    flag_value="max-t",
    help="Let every function that is named be wrong no more often than that, not a part of them.",
)
@click.option("--ignore", metavar="FILE", help="Functions to bear: TOML with reasons and days.")
@click.option(
    "--count-moved", is_flag=True, help="Fail on cost that only moved below a caller too."
)
@click.option(
    "--must-detect",
    metavar="RULE",
    callback=_rule,
    help="A growth that must have been found if there was one, such as self>+1pp; else the verdict"
    " is inconclusive.",
)
@click.option(
    "--min-samples",
    metavar="N",
    type=click.IntRange(1),
    default=MIN_SAMPLES,
    show_default=True,
    help="Of a function on both sides together, to be tested.",
)
@click.option(
    "--inconclusive",
    type=click.Choice(tuple(_TREATED)),
    default="exit3",
    show_default=True,
    help="What a verdict is that cannot be given.",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Divide the units of the candidate by chance, and say how often this fails.",
)
@options.format(tuple(FORMATS), "What is printed.", default="terminal")
@options.output
@click.option(
    "--report",
    "copies",
    metavar="FORMAT=FILE",
    multiple=True,
    callback=_copies,
    help="Write it there in another format too: junit=check.xml. Repeat for several.",
)
@click.option(
    "--flamegraph",
    metavar="FILE|URL",
    default="",
    help="Draw the difference there if it ends in .svg, else write it as folded stacks with two"
    " counts; a URL is only named.",
)
def check(
    reader: Reader,
    baseline: str | None,
    candidate: str,
    asked: tuple[Rule, ...],
    per: Per,
    requests: tuple[float, float] | None,
    alpha: float,
    strict: Strict | None,
    ignore: str | None,
    count_moved: bool,
    must_detect: Rule | None,
    min_samples: int,
    inconclusive: str,
    calibrate: bool,
    format: str,
    output: str,
    copies: dict[str, str],
    flamegraph: str,
) -> None:
    """Fails if functions of the candidate cost more than those of the baseline.

    A SIDE is a folder or a pattern of files (each a run), a selector with a range (each host a
    unit), or a deploy, which needs no baseline: it is compared with what ran before it. Three runs
    or hosts a side are needed, ten are good.

    \b
    Exit codes:
      0  nothing got slower; what would have been found is printed
      1  a regression
      2  what was typed cannot be meant, or a file cannot be read
      3  inconclusive: too few runs or samples
      4  not comparable: other types, architectures, no samples, no server
      70 a mistake of this program

    \b
    Examples:
      profiler check --baseline runs/main --candidate runs/branch
      profiler check --baseline runs/main --candidate runs/branch --fail 'self>+0.5pp' \\
          --fail 'total:json.*>+10%' --report junit=check.xml
      profiler check --candidate deploy:checkout --alpha 0.01
      profiler check --candidate 'cpu{service_name="checkout"}@now-1d' --calibrate
    """
    rules.check(asked, per)
    terms = Terms(asked, alpha, per, strict, requests, must_detect, min_samples)
    excused = _ignored(ignore)
    try:
        if calibrate:
            _calibrate(reader, candidate, terms, output)
            return
        both = compared.read(reader, baseline, candidate)
    except UnavailableError as error:
        raise NotComparable(str(error)) from None  # 1 is a regression's, and CI would say so
    report = _judged(both, terms, excused, count_moved=count_moved, flamegraph=flamegraph)
    for file, name in {**copies, output: format}.items():
        _write(FORMATS[name](report).encode(), file)
    outcome = report.verdict.outcome
    sys.exit(_TREATED[inconclusive] if outcome is Outcome.INCONCLUSIVE else EXITS[outcome])


def _judged(
    both: Compared, terms: Terms, excused: Ignored, *, count_moved: bool, flamegraph: str
) -> Report:
    verdict = gate.judge(both.union.sides, both.union.keys, terms)
    reasons: list[Callable[[Finding], str]] = [
        lambda found: excused.reason(found.key[0]),
        lambda found: interrupts.reason(both.union, found.function, found.rule.column),
    ]
    if not count_moved:
        reasons.append(
            lambda found: moved.reason(both.union, found.function, found.rule.column, terms)
        )
    verdict = gate.excuse(
        verdict, lambda found: next(filter(None, (reason(found) for reason in reasons)), "")
    )
    if flamegraph and "://" not in flamegraph:
        _write(_flamegraph(both, terms, flamegraph), flamegraph)
    return Report(
        *(verdict, both.baseline, both.candidate, both.notices, excused.expired, flamegraph),
        places=_places(both, verdict),
        root=str(Path.cwd()),
    )


def _places(both: Compared, verdict: Verdict) -> dict[tuple[FunctionKey, Column], Place]:
    found: dict[tuple[FunctionKey, Column], Place] = {}
    for column in get_args(Column):
        keys = {failure.key for failure in verdict.failures if failure.rule.column == column}
        found |= {(key, column): at for key, at in places.of(both.units, keys, column).items()}
    return found


def _flamegraph(both: Compared, terms: Terms, file: str) -> bytes:
    if file.endswith(".svg"):
        return svg.dumps(both.union, terms, both.baseline, both.candidate)
    return two_folded.dumps(both.union)


def _write(data: bytes, output: str) -> None:
    try:
        options.write(data, output)
    except ProfilerError as error:
        raise UsageError(str(error)) from None  # no regression either


def _ignored(file: str | None) -> Ignored:
    today = datetime.now(UTC).date()
    if file is None:
        return Ignored((), today)
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(ignored.MAX_BYTES + 1)
        if len(data) > ignored.MAX_BYTES:
            raise UsageError(f"{file} has more than {ignored.MAX_BYTES:,} bytes")
        text = data.decode()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error}") from None
    return ignored.loads(text, today, file)


def _calibrate(reader: Reader, candidate: str, terms: Terms, output: str) -> None:
    side = compared.units(reader, candidate)
    units, _ = compared.without_early([unit.profile for unit in side.units])
    comparable.check(units, units)
    both = union.of(units, units[:1])
    found = calibration.measure(both.sides[0], both.keys, terms)
    _write(calibrated.render(found, side.name).encode(), output)
