"""JUnit's XML, which CI systems show as tests: one of each function and rule.

There is no standard; https://github.com/testmoapp/junitxml has what readers agree on.
"""

import re
from xml.etree import ElementTree

from profiler.analysis.gate import Finding
from profiler.reports import report as words
from profiler.reports.report import Report

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is written (section 2.2)."""


def render(report: Report) -> str:
    verdict = report.verdict
    tests = max(len(verdict.findings), 1)
    skipped = len(verdict.excused) + (not verdict.findings)
    suite = ElementTree.Element(
        "testsuite",
        name="profiler check",
        tests=str(tests),
        failures=str(len(verdict.failures)),
        errors="0",
        skipped=str(skipped),
    )
    if not verdict.findings:
        case = ElementTree.SubElement(suite, "testcase", name="verdict", classname="profiler")
        ElementTree.SubElement(case, "skipped", message=_text(words.headline(report)))
    for found in verdict.findings:
        _case(suite, report, found)
    output = ElementTree.SubElement(suite, "system-out")
    output.text = _text("\n".join([words.headline(report), *words.lines(report)]))
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: ElementTree.Element, report: Report, found: Finding) -> None:
    message = words.sentence(found, report.verdict.terms.per)
    attributes = {"name": _text(words.name(found)), "classname": _text(found.rule.text)}
    if file := words.place(report, found).file:
        attributes["file"] = _text(file)
    case = ElementTree.SubElement(suite, "testcase", attributes)
    if found.failed and found.excuse:
        ElementTree.SubElement(case, "skipped", message=_text(f"{message}: {found.excuse}"))
    elif found.failed:
        ElementTree.SubElement(case, "failure", message=_text(message))


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
