"""Keeps docs/ true: the command line's page is its own --help, and links lead somewhere."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from collector.labels.facts import Facts
from collector.labels.host import host_labels
from collector.labels.labeller import META
from collector.labels.rules import ACTIONS, FAMILIES
from collector.labels.service import labels_of
from profiler.cli import cli
from server.metrics import CAUSES

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "command-line.md"
HEAD = """# Command line

Every command and flag, as `--help` prints them. Any flag can also stand in the environment
(`PROFILER_COLLECT_FREQUENCY=199`) or in a TOML file, a table a command; flags come before the
environment, the environment before the file, and `profiler config` prints what is in force.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | something does not answer or refuses: a server, a port, the kernel; one line says which |
| 1 of `profiler check` | a regression |
| 2 | what was typed cannot be meant, or a file cannot be read |
| 3 of `profiler check` | inconclusive |
| 4 | two sides cannot be compared; one line says what differs |
| 130 | Ctrl-C |
| that of COMMAND | `profiler record -- COMMAND` |
"""


def help_page() -> str:
    return HEAD + "".join(_section(name) for name in ["", *_commands()])


def _commands() -> Iterator[str]:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        yield name
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {below}" for below in sorted(command.commands))


def _section(name: str) -> str:
    arguments = [*name.split(), "--help"]
    # Flags come from this machine's environment and files; their page must not.
    environment = {key: None for key in os.environ if key.startswith("PROFILER_")}
    runner = CliRunner(env={**environment, "COLUMNS": "80"})
    printed = runner.invoke(cli, arguments, prog_name="profiler").output
    return f"\n## profiler {name}".rstrip() + f"\n\n```text\n{printed.rstrip()}\n```\n"


def test_the_page_of_the_command_line_is_what_help_prints() -> None:
    # In a process of its own: click keeps the help option of a command that other tests called
    # without the group, which has no -h.
    code = "from tests.test_docs import help_page; print(help_page(), end='')"
    expected = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    if os.environ.get("BLESS"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected, "run BLESS=1 pytest tests/test_docs.py, and read the diff"


def links() -> Iterator[tuple[str, str]]:
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            yield str(page.relative_to(ROOT)), target


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_a_link_in_the_docs_leads_somewhere(page: str, target: str) -> None:
    assert ((ROOT / page).parent / target).exists()


def test_causes_of_loss_are_those_of_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.split("| cause | where | meaning |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == CAUSES
    view = (ROOT / "server" / "web" / "src" / "views" / "status.tsx").read_text()
    assert set(re.findall(r'^  (\w+): "', view, re.MULTILINE)) == CAUSES


def test_every_label_and_action_is_in_the_guide() -> None:
    page = (ROOT / "docs" / "guide" / "labels.md").read_text()
    labels = {*labels_of(Facts("x")), *host_labels("a"), *META, *ACTIONS}
    labels |= {f"{family}NAME" for family in FAMILIES}
    assert {name for name in labels if f"`{name}`" not in page} == set()
