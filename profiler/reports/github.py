"""Annotations of GitHub's workflows: lines on the standard output that the runner picks up.

    ::error file=parse.c,line=12,title=parse got slower::parse (self) 1.90 %25 -> 2.85 %25, …

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from profiler.analysis.gate import Finding
from profiler.reports import report as words
from profiler.reports.report import Report

MOST = 10
"""What a step shows of each kind."""

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = _DATA | {":": "%3A", ",": "%2C"}


def render(report: Report) -> str:
    verdict = report.verdict
    failures = verdict.failures
    rows = [_error(report, found) for found in failures[:MOST]]
    if len(failures) > MOST:
        rows[-1:] = [f"::error title=profiler check::and {len(failures) - MOST + 1} more"]
    level = "notice" if not verdict.reasons else "warning"
    notes = "\n".join([words.headline(report), *words.lines(report)])
    rows.append(f"::{level} title=profiler check::{_escaped(notes, _DATA)}")
    return "\n".join(rows) + "\n"


def _error(report: Report, found: Finding) -> str:
    place = words.place(report, found)
    file = f"file={_escaped(place.file, _PROPERTY)}," if place.file else ""
    line = f"line={place.line}," if place.file and place.line else ""
    title = _escaped(f"{words.name(found)} got slower", _PROPERTY)
    sentence = words.sentence(found, report.verdict.terms.per)
    return f"::error {file}{line}title={title}::{_escaped(sentence, _DATA)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
