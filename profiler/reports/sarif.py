"""SARIF 2.1.0, which code scanning shows beside the code: a result of each failure.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub asks for beyond it:
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support
"""

import json
from typing import Any
from urllib.parse import quote

from profiler.analysis.gate import Finding
from profiler.reports import report as words
from profiler.reports.report import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HELP = {"text": "It costs more than in the baseline, by more than chance: see the guide on CI."}


def render(report: Report) -> str:
    verdict = report.verdict
    rules = sorted({found.rule.text for found in verdict.findings})
    run = {
        "tool": {
            "driver": {
                "name": "profiler check",
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "results": [_result(report, found) for found in verdict.failures],
        "properties": {
            "outcome": verdict.outcome.value,
            "notes": [words.headline(report), *words.lines(report)],
        },
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _rule(rule: str) -> dict[str, Any]:
    text = {"text": f"A function breaks {rule}"}
    return {"id": rule, "shortDescription": text, "fullDescription": text, "help": HELP}


def _result(report: Report, found: Finding) -> dict[str, Any]:
    function, _, binary, _ = found.key
    place = words.place(report, found)
    location: dict[str, Any] = {
        "logicalLocations": [{"name": function, "kind": "function"}],
    }
    if place.file or binary:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(place.file or binary)},
            "region": {"startLine": max(place.line, 1)},
        }
    return {
        "ruleId": found.rule.text,
        "level": "error",
        "message": {"text": words.sentence(found, report.verdict.terms.per)},
        "locations": [location],
        # The same regression in the next run is the same alert.
        "partialFingerprints": {"function/v1": f"{found.rule.column}:{function}"},
    }


def _uri(path: str) -> str:
    """A relative one is below the root of the repository."""
    return f"file://{quote(path)}" if path.startswith("/") else quote(path)
