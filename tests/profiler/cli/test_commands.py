import os
import signal
import socket
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from profiler import cli
from profiler.errors import ProfilerError
from tests.profiler.cli.conftest import Run

PROFILER = [sys.executable, "-m", "profiler"]


COMMANDS = """
import click
from profiler.errors import ProfilerError

@click.command()
@click.option("--limit", type=lambda text: int(text.strip()), default="3")
@click.option("--page-url", "url")
def show(limit, url):
    click.echo(f"{limit} {url}")

@click.command()
def fail():
    raise ProfilerError("line 3: \\x1b[2J")

@click.command()
def broken():
    raise ZeroDivisionError

@click.command()
def interrupted():
    raise KeyboardInterrupt

@click.command()
@click.pass_context
def leave(context):
    context.exit(7)
"""


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands of our own, and one whose extra is not installed."""
    (tmp_path / "collector_of_test.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "commands_of_test.py").write_text(COMMANDS)
    monkeypatch.syspath_prepend(tmp_path)
    entries = EntryPoints(
        EntryPoint(name, f"{module}:{name}", cli.GROUP)
        for module, name in (
            ("commands_of_test", "show"),
            ("commands_of_test", "fail"),
            ("commands_of_test", "broken"),
            ("commands_of_test", "interrupted"),
            ("commands_of_test", "leave"),
            ("profiler.cli.config", "config"),
            ("collector_of_test", "collect"),
        )
    )
    monkeypatch.setattr(cli, "entry_points", lambda **wanted: entries.select(**wanted))


pytestmark = pytest.mark.usefixtures("commands")


def test_help_lists_what_is_installed(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "show" in out and "collect" not in out.partition("Commands:")[2]


def test_a_command_whose_extra_is_missing_says_what_to_install(run: Run) -> None:
    assert run("collect") == (
        2,
        "",
        "profiler: `collect` needs the collector_of_test extra (a_package_that_is_not_there "
        "is not installed): pip install 'profiler[collector_of_test]'\n",
    )


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    code, _, err = run("colect")
    assert code == 2 and "No such command 'colect'" in err


def test_an_error_is_one_line_without_a_terminal_s_commands(run: Run) -> None:
    assert run("fail") == (ProfilerError.exit_code, "", "profiler: line 3: �[2J\n")


def test_an_interruption_leaves_as_shells_expect(run: Run) -> None:
    assert run("interrupted")[0] == 130


def test_a_command_s_own_exit_code_is_kept(run: Run) -> None:
    assert run("leave")[0] == 7


def test_flags_come_before_the_environment_before_the_file_before_defaults(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "profiler.toml"
    assert run("show")[1] == "3 None\n"
    file.write_text('[show]\nlimit = 4\npage-url = "file"\n[collect]\nfrequency = 99\n')
    assert run("--config", str(file), "show")[1] == "4 file\n"
    monkeypatch.setenv("PROFILER_SHOW_LIMIT", "5")
    assert run("--config", str(file), "show")[1] == "5 file\n"
    assert run("--config", str(file), "show", "--limit", "6")[1] == "6 file\n"
    monkeypatch.setenv("PROFILER_CONFIG", str(file))
    assert run("show")[1] == "5 file\n"


def test_config_prints_values_and_where_they_come_from(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "profiler.toml"
    file.write_text("[show]\nlimit = 4\n")
    monkeypatch.setenv("PROFILER_SHOW_PAGE_URL", "postgresql://me:secret@db/x")
    _, out, _ = run("--config", str(file), "config", "show")
    assert out.splitlines() == [
        f"# flags > environment > {file} > defaults",
        "",
        "[show]",
        f"limit = 4  # {file}",
        'page_url = "postgresql://me:***@db/x"  # environment: PROFILER_SHOW_PAGE_URL',
    ]


def test_what_config_prints_can_be_read_as_a_file(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("config")
    assert "# page_url is not set" in out
    file = tmp_path / "again.toml"
    file.write_text(out)
    assert run("--config", str(file), "show") == (0, "3 None\n", "")


def test_a_value_that_is_none_is_said_by_config(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "profiler.toml"
    file.write_text('[show]\nlimit = "many"\n')
    assert "# limit has no valid value" in run("--config", str(file), "config", "show")[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[show]\nlimti = 4\n", "`show` has no flag limti; it has limit, page_url"),
        ("[shwo]\n", "no command is named shwo"),
        ("limit = 4\n", "limit stands in no table; write it below [COMMAND]"),
        ("[show\n", "Expected ']'"),
        ("\udcff", "'utf-8' codec"),
    ],
)
def test_a_mistake_in_the_file_is_named(run: Run, tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "profiler.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    code, _, err = run("--config", str(file), "show")
    assert code == 2
    assert err.startswith(f"profiler: {file}: ") and expected in err


def test_a_file_that_was_named_must_be_there(run: Run) -> None:
    expected = "profiler: no configuration file /nowhere.toml\n"
    assert run("--config", "/nowhere.toml", "show") == (2, "", expected)


@pytest.mark.usefixtures("commands")
def test_a_mistake_of_ours_is_no_verdict(run: Run) -> None:
    """Of `check`, Python's own 1 would be a regression."""
    code, out, err = run("broken")
    assert (code, out) == (70, "")
    assert err.startswith("Traceback") and "ZeroDivisionError" in err


def test_a_reader_that_goes_away_is_no_traceback_and_no_verdict() -> None:
    """As `profiler check … | head` would leave 1, which is a regression."""
    with subprocess.Popen(
        [*PROFILER, "config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_ctrl_c_ends_a_query_that_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen(
            [*PROFILER, "query", "--server", url], stderr=subprocess.PIPE
        ) as process:
            connection, _ = silent.accept()
            with connection:
                os.kill(process.pid, signal.SIGINT)
                assert process.stderr is not None
                assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 130
