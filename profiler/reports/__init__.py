"""What a gate found, for whoever reads it: a module a format, each `render(Report) -> str`."""

from collections.abc import Callable

from profiler.reports import github, json, junit, markdown, sarif, terminal
from profiler.reports.report import Report

FORMATS: dict[str, Callable[[Report], str]] = {
    "terminal": terminal.render,
    "markdown": markdown.render,
    "json": json.render,
    "junit": junit.render,
    "sarif": sarif.render,
    "github": github.render,
}
