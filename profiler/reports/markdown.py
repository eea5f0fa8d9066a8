"""Markdown for a comment on a change, and for GitHub's summary of a job."""

import re

from profiler.reports import report as words
from profiler.reports.report import Report

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def render(report: Report) -> str:
    verdict = report.verdict
    per = verdict.terms.per
    rows = [f"### Profile: {escaped(words.headline(report))}", ""]
    if verdict.failures:
        rows += [
            "| function | cost | before | after | difference | at least | relative |",
            "| --- | --- | --: | --: | --: | --: | --: |",
        ]
    for found in verdict.failures:
        relative = "new" if found.relative is None else f"{100 * found.relative:+.0f} %"
        cells = (
            escaped(words.name(found)),
            found.rule.column,
            words.amount(found.before, per),
            words.amount(found.after, per),
            words.change(found.difference, per),
            words.change(found.least, per),
            relative,
        )
        rows.append(f"| {' | '.join(cells)} |")
    if verdict.failures:
        rows.append("")
    rows += [f"- {escaped(line)}" for line in words.lines(report)]
    return "\n".join(rows) + "\n"


def escaped(text: str) -> str:
    """A function's name may hold what makes a link or a tag."""
    return _SPECIAL.sub(r"\\\1", text)
