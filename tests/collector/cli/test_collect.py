"""`profiler collect`: as users start it, on a recording where no kernel is needed."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.cli.collect import collect
from collector.config import parse_size
from collector.delivery.spool import Spool
from collector.kernel import check
from collector.sources.recorded import DEMO
from profiler import wire
from profiler.errors import UsageError
from profiler.model import Drain
from tests.collector.delivery.drains import held, losses, taken
from tests.collector.delivery.server import Server
from tests.processes import eventually, running


def drains(path: Path) -> list[Drain]:
    with path.open("rb") as file:
        return list(map(wire.decode, wire.read_batches(file)))


def profiler(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "profiler", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_demo_is_whole_neutral_and_small() -> None:
    recorded = drains(DEMO)
    assert all(each.unaccounted == 0 for each in recorded)
    assert {each.host_name for each in recorded} == {"demo"}
    assert held(recorded) > 1000
    assert DEMO.stat().st_size < 200_000
    functions = {
        frame.function for each in recorded for profile in each.profiles for frame in profile.frames
    }
    assert {"handle_payment", "hash_bytes", "ksys_read"} <= functions


RULE = {"action": "drop", "source_labels": ["__uid"], "regex": "1000"}
IN_A_FILE = """[collect]
max-series = 50

[[collect.rule]]
action = "drop"
source_labels = ["__uid"]
regex = "1000"
"""


@pytest.mark.parametrize(
    ("file", "variable", "source"),
    [
        (IN_A_FILE, "", "{file}"),
        ("", "{action = 'drop', source_labels = ['__uid'], regex = '1000'}", "environment: {name}"),
    ],
)
def test_rules_stand_in_a_file_or_the_environment_and_config_prints_them(
    file: str, variable: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, path = "PROFILER_COLLECT_RULE", tmp_path / "profiler.toml"
    path.write_text(file)
    if variable:
        monkeypatch.setenv(name, f"[{variable}]")
    printed = profiler("--config", str(path), "config", "collect").stdout
    (line,) = (line for line in printed.splitlines() if line.startswith("rule = "))
    text, _, said = line.partition("  # ")
    assert tomllib.loads(text) == {"rule": [RULE]}
    assert said == source.format(file=path, name=name)
    monkeypatch.delenv(name, raising=False)
    path.write_text(printed)
    again = profiler("--config", str(path), "config", "collect").stdout
    assert text in again


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("action = 'dorp'", "rule: no action 'dorp'"),
        ("action", "rule '{action}': "),
        ("[1]", "rule '{[1]}': "),
    ],
)
def test_a_rule_with_a_mistake_is_refused_on_one_line(rule: str, said: str) -> None:
    run = profiler("collect", "--recorded", "demo", "--to", "-", "--rule", rule)
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.startswith(f"profiler: {said}") and run.stderr.count("\n") == 1


def test_a_recording_is_delivered_whole_and_marked(server: Server, tmp_path: Path) -> None:
    spool = ["--spool", str(tmp_path / "spool")]
    run = profiler("collect", "--recorded", "demo", "--server", server.address, *spool)
    assert run.returncode == 0
    assert run.stdout == ""
    assert run.stderr == f"profiler: taken {taken(drains(DEMO)):,} samples, 0 of them lost\n"
    assert taken(server.drains) == held(server.drains) == taken(drains(DEMO))
    for each in server.drains:
        for profile in each.profiles:
            assert ("profiler_recorded", "true") in profile.labels


def test_what_is_written_to_stdout_is_a_recording(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "profiler", "collect", "--recorded", str(DEMO), "--to", "-"]
    path = tmp_path / "again.pb"
    path.write_bytes(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert [each.taken for each in drains(path)] == [each.taken for each in drains(DEMO)]


def test_sigterm_delivers_what_was_taken(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "log"
    options = ["--repeat", "--interval", "100ms", "--spool", str(tmp_path / "spool")]
    command = ["collect", "--recorded", "demo", "--server", server.address, *options]
    with running(*command, log=log) as process:
        eventually(server.has(5), "five batches", log=log)
    assert process.returncode == 0
    assert log.read_text() == f"profiler: taken {taken(server.drains):,} samples, 0 of them lost\n"


def test_kill_9_costs_nothing_that_was_spooled(server: Server, tmp_path: Path) -> None:
    """The server is away, the collector is killed, both come back."""
    log, spool = tmp_path / "log", tmp_path / "spool"
    command = ["collect", "--recorded", "demo", "--server", server.address, "--spool", str(spool)]
    server.stop()
    with running(*command, "--repeat", "--interval", "100ms", log=log) as process:
        eventually(lambda: True if len(list(spool.glob("*.batch"))) > 5 else None, "batches")
        process.kill()
    with Spool(spool) as left:
        waiting = left.batches
    server.start()
    assert profiler(*command).returncode == 0
    assert len(server.stored) == waiting + len(drains(DEMO))
    numbers = sorted(sequence for _, sequence in server.stored)
    assert numbers[waiting - 1] < numbers[waiting]
    assert taken(server.drains) == held(server.drains)


def test_a_server_that_is_away_is_told_of_and_nothing_is_lost(tmp_path: Path) -> None:
    spool = ["--spool", str(tmp_path / "spool")]
    run = profiler("collect", "--recorded", "demo", "--server", "127.0.0.1:1", *spool)
    assert run.returncode == 0
    away, summary = run.stderr.splitlines()
    assert away.startswith("profiler: server 127.0.0.1:1 does not take batches (UNAVAILABLE: ")
    assert summary.endswith(f"{len(drains(DEMO))} batches wait in {spool[1]} for the next start")


def test_what_a_full_spool_dropped_is_said_and_sent(server: Server, tmp_path: Path) -> None:
    spool = ["--spool", str(tmp_path / "spool")]
    server.stop()
    command = ["collect", "--recorded", "demo", "--server", server.address, *spool]
    run = profiler(*command, "--spool-size", "20kB")
    (said,) = re.findall(r"\(([\d,]+) spool_full\)", run.stderr)
    server.start()
    profiler(*command)
    assert losses(server.drains) == {"spool_full": int(said.replace(",", ""))}
    assert taken(server.drains) == 2 * taken(drains(DEMO))


def test_two_collectors_on_one_spool_is_one_line(tmp_path: Path) -> None:
    with Spool(tmp_path):
        run = profiler("collect", "--recorded", "demo", "--spool", str(tmp_path))
    assert run.returncode == 2
    assert run.stderr == (
        f"profiler: spool {tmp_path}: another collector uses it; "
        "give this one its own with --spool DIR\n"
    )


@contextmanager
def without_capabilities() -> Iterator[list[str]]:
    """What a command is started with so that the kernel refuses it to sample."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv (util-linux) is not installed")
    prefix = [setpriv, "--bounding-set", "-all", "--inh-caps", "-all"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        prefix = []  # not root: there is nothing to give up
    yield prefix


@pytest.mark.parametrize(
    "arguments", [["collect", "--to", "-"], ["record", "-o", "-", "--", "true"]]
)
def test_without_privileges_it_is_one_line_that_names_them(arguments: list[str]) -> None:
    paranoid = Path("/proc/sys/kernel/perf_event_paranoid")
    if not paranoid.exists() or int(paranoid.read_text()) < 2:
        pytest.skip("this kernel lets everybody sample, or nobody")
    with without_capabilities() as prefix:
        command = [*prefix, sys.executable, "-m", "profiler", *arguments]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert "CAP_BPF" in line and "CAP_PERFMON" in line


@pytest.mark.parametrize(("works", "code"), [(True, 0), (False, 1)])
def test_check_prints_the_report_and_says_it_by_its_exit_code(
    works: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = check.Finding("kernel", "9.9", works, needed=True)
    monkeypatch.setattr(check, "inspect", lambda: check.NodeReport((finding,)))
    result = CliRunner().invoke(collect, ["--check"])
    assert result.exit_code == code
    assert "9.9" in result.output


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("10B", 10),
        ("2k", 2048),
        ("256MiB", 256 << 20),
        ("1 GB", 1 << 30),
        ("3t", 3 << 40),
    ],
)
def test_sizes_are_read_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.5G", "1X", "1iB2", "9" * 13])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--interval", "10ms"], "shorter than 100 ms"),
        (["--interval", "soon"], "not a duration: 'soon'"),
        (["--spool-size", "much"], "not a size: 'much'"),
        (["--repeat"], "--repeat is for --recorded"),
        (["--server", "nowhere"], "expected HOST:PORT"),
        (["--recorded", "/no/such/file"], "/no/such/file: No such file or directory"),
        (["-F", "0"], "frequency"),
    ],
)
@pytest.mark.usefixtures("signal_handlers")
def test_what_cannot_be_meant_is_refused(arguments: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        collect.main(["--spool", str(tmp_path), *arguments], standalone_mode=False)


@pytest.mark.kernel
def test_live_samples_close_their_accounts(tmp_path: Path) -> None:
    path, log = tmp_path / "live.pb", tmp_path / "log"
    command = ["collect", "--to", str(path), "--interval", "500ms", "--host-name", "here"]
    with running(*command, log=log) as process:
        eventually(lambda: True if path.exists() and path.stat().st_size else None, "a drain")
    assert process.returncode == 0
    recorded = drains(path)
    assert len(recorded) >= 2, "the first, and the last when it was stopped"
    assert all(each.unaccounted == 0 for each in recorded)
    assert {each.host_name for each in recorded} == {"here"}
    assert f"taken {taken(recorded):,} samples" in log.read_text()
