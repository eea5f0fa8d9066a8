"""SARIF 2.1.0, which code scanning shows beside the code: a result of each failure.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
from typing import Any
from urllib.parse import quote

from profiler.analysis.gate import Finding
from profiler.analysis.rules import Per
from profiler.reports import report as words
from profiler.reports.report import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report) -> str:
    verdict = report.verdict
    rules = sorted({found.rule.text for found in verdict.findings})
    run = {
        "tool": {
            "driver": {
                "name": "profiler check",
                "rules": [
                    {"id": rule, "shortDescription": {"text": f"A function breaks {rule}"}}
                    for rule in rules
                ],
            }
        },
        "results": [_result(found, verdict.terms.per) for found in verdict.failures],
        "properties": {
            "outcome": verdict.outcome.value,
            "notes": [words.headline(report), *words.lines(report)],
        },
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _result(found: Finding, per: Per) -> dict[str, Any]:
    function, file, binary, _ = found.key
    location: dict[str, Any] = {
        "logicalLocations": [{"name": function, "kind": "function"}],
    }
    if file or binary:
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(file or binary)}}
    return {
        "ruleId": found.rule.text,
        "level": "error",
        "message": {"text": words.sentence(found, per)},
        "locations": [location],
        # The same regression in the next run is the same alert.
        "partialFingerprints": {"function/v1": f"{found.rule.column}:{function}"},
    }


def _uri(path: str) -> str:
    """A relative one is below the root of the repository."""
    return quote(path)
