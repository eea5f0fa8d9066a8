"""JSON for programs: all tests that were made, amounts in the unit of the denominator.

{"outcome": "fail", "per": "share", "findings": [{"function": "parse", "column": "self", …}], …}
"""

import json
from typing import Any

from profiler.analysis.gate import Finding
from profiler.reports import report as words
from profiler.reports.report import Report

VERSION = 1


def render(report: Report) -> str:
    verdict = report.verdict
    document = {
        "version": VERSION,
        "outcome": verdict.outcome.value,
        "reasons": list(verdict.reasons),
        "baseline": {"name": report.baseline, "units": verdict.units[0]},
        "candidate": {"name": report.candidate, "units": verdict.units[1]},
        "paired": verdict.paired,
        "per": verdict.terms.per,
        "alpha": verdict.terms.alpha,
        "correction": verdict.terms.strict or "benjamini-hochberg",
        "functions": verdict.functions,
        "tested": verdict.tested,
        "notices": list(report.notices),
        "expired": [
            {"function": entry.function, "reason": entry.reason, "expires": str(entry.expires)}
            for entry in report.expired
        ],
        "flamegraph": report.flamegraph,
        "findings": [_finding(report, found) for found in verdict.findings],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _finding(report: Report, found: Finding) -> dict[str, Any]:
    function, _, binary, kind = found.key
    place = words.place(report, found)
    return {
        "function": function,
        "file": place.file,
        "line": place.line,
        "binary": binary,
        "kind": kind.name.lower(),
        "column": found.rule.column,
        "rule": found.rule.text,
        "before": found.before,
        "after": found.after,
        "difference": found.difference,
        "relative": found.relative,
        "least": found.least,
        "p": found.p,
        "detectable": found.detectable,
        "samples": list(found.samples),
        "failed": found.failed,
        "excuse": found.excuse,
    }
