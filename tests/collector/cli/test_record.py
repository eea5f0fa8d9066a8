"""`profiler record`: exactly the command and its children, and its exit code."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.cli import record as command
from profiler import wire
from profiler.errors import UsageError
from profiler.formats import FORMATS
from profiler.model import Profile
from tests.collector.delivery.drains import held
from tests.collector.delivery.server import Server

SPLIT = Path(__file__).parents[1] / "kernel" / "programs" / "split.c"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that uses a CPU for as many milliseconds as it is told, 3 : 1 in two functions."""
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("busy") / "busy"
    flags = ["-O1", "-fno-omit-frame-pointer"]
    subprocess.run([compiler, *flags, "-o", program, SPLIT], check=True)
    return program


def record(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "profiler", "record", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=60)


def weight_of(profile: Profile, function: str) -> int:
    """The samples, or where a format has none the values, of the stacks with `function`."""
    return sum(
        samples or value
        for stack, samples, value in profile.stacks()
        if any(frame.function == function for frame in stack)
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of -p PID, --on MATCHERS and -- COMMAND"),
        (["-p", "1", "-o", "-", "--", "true"], "give one of -p PID, --on MATCHERS"),
        (["--on", "", "-p", "1"], "give one of -p PID, --on MATCHERS and -- COMMAND"),
        (["--on", "", "--duration", "0s"], "--duration 0: give one that is longer"),
        (["--duration", "0", "-o", "-", "--", "true"], "--duration 0: give one that is longer"),
        (["--on", 'cpu{host_name="a"}'], """alone: --on 'host_name="a"'"""),
        (["--on", "", "-o", "/no/dir/out.folded"], "/no/dir/out.folded: No such file"),
        (["--", "true"], "give either -o FILE or --server HOST:PORT"),
        (["-o", "-", "--server", "a:1", "--", "true"], "give either -o FILE or --server"),
        (["-o", "-", "--", "no-such-command"], "no such command: no-such-command"),
        (["-o", "/no/dir/out.folded", "--", "true"], "/no/dir/out.folded: No such file"),
        (["-o", "/no/dir/out.pb", "--", "true"], "/no/dir/out.pb: No such file"),
        (["--server", "nowhere", "--", "true"], "expected HOST:PORT"),
        (["--repeat", "2", "-o", "-", "--", "true"], "give -o FOLDER -- COMMAND"),
        (["--repeat", "2", "-o", "runs", "-p", "1"], "give -o FOLDER -- COMMAND"),
        (["--repeat", "2", "-o", "/proc", "--", "true"], "/proc is not empty"),
    ],
)
@pytest.mark.usefixtures("signal_handlers")
def test_what_cannot_be_meant_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        command.record.main(arguments, standalone_mode=False)


@pytest.mark.kernel
@pytest.mark.parametrize("format", FORMATS)
def test_a_command_is_sampled_into_a_file_and_its_exit_code_passed_on(
    format: str, busy: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"out{FORMATS[format].suffix}"
    run = record("-F", "499", "-o", path, "--", busy, "600")
    assert run.returncode == 7
    profile = FORMATS[format].loads(path.read_bytes())
    total = profile.total_samples or profile.total_value  # speedscope has weights alone
    share = weight_of(profile, "three_quarters") / total
    assert share == pytest.approx(0.75, abs=0.1)  # 4 standard errors of 300 samples
    said = int(run.stderr.split(" samples in ")[0].split()[-1])
    assert said == pytest.approx(0.6 * 499, rel=0.2)
    assert "0 of them lost" in run.stderr
    if profile.total_samples:
        assert profile.total_samples == said


@pytest.mark.kernel
def test_a_command_is_run_as_often_as_asked_each_run_a_file(busy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "main"
    script = ("sh", "-c", f"{busy} 100; true")
    assert record("--repeat", "2", "-o", folder, "--", *script).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["run-1.pb.gz", "run-2.pb.gz"]
    for path in folder.iterdir():
        assert FORMATS["pprof"].loads(path.read_bytes()).total_samples > 0


@pytest.mark.kernel
def test_the_first_run_that_fails_is_the_last(busy: Path, tmp_path: Path) -> None:
    assert record("--repeat", "3", "-o", tmp_path / "runs", "--", busy, "100").returncode == 7
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["run-1.pb.gz"]


@pytest.fixture
def bystander(busy: Path) -> Iterator[None]:
    """The same program, running meanwhile."""
    with subprocess.Popen([busy, "60000"]) as process:
        yield
        process.kill()


@pytest.mark.kernel
@pytest.mark.usefixtures("bystander")
def test_only_the_command_and_its_children_are_sampled(busy: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.pb"
    script = f"{busy} 200; {busy} 200 & {busy} 200; wait"
    assert record("-F", "199", "-o", path, "sh", "-c", script).returncode == 0
    with path.open("rb") as file:
        drains = list(map(wire.decode, wire.read_batches(file)))
    assert all(each.unaccounted == 0 for each in drains)
    services = {
        dict(profile.labels)["service_name"] for each in drains for profile in each.profiles
    }
    assert "busy" in services and services <= {"busy", "dash", "sh", "bash"}
    assert held(drains) == pytest.approx(0.6 * 199, rel=0.25)


@pytest.mark.kernel
def test_a_process_that_runs_is_sampled_for_a_while(busy: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.folded"
    with subprocess.Popen([busy, "60000"]) as process:
        run = record("-p", str(process.pid), "--duration", "1s", "-o", path)
        process.kill()
    assert run.returncode == 0
    assert weight_of(FORMATS["folded"].loads(path.read_bytes()), "three_quarters") > 10


@pytest.mark.kernel
def test_a_process_that_does_not_run_is_named() -> None:
    run = record("-p", "99999999", "-o", "-")
    assert run.returncode == 2
    assert run.stderr == "profiler: no process 99999999\n"


@pytest.mark.kernel
def test_samples_go_to_a_server(server: Server, busy: Path) -> None:
    run = record("--server", server.address, "--host-name", "ci", "--", busy, "200")
    assert run.returncode == 7
    assert held(server.drains) > 0
    assert {each.host_name for each in server.drains} == {"ci"}


@pytest.mark.kernel
def test_samples_that_no_server_took_are_an_error(busy: Path) -> None:
    run = record("--server", "127.0.0.1:1", "--", busy, "100")
    assert run.returncode == 1
    assert "did not take" in run.stderr.splitlines()[-1]


@pytest.mark.kernel
def test_a_signal_that_ends_the_command_is_told_as_shells_do(tmp_path: Path) -> None:
    path = tmp_path / "out.folded"
    assert record("-o", path, "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9


@pytest.mark.kernel
def test_a_command_of_50_ms_has_names(busy: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.folded"
    record("-F", "999", "-o", path, "--", busy, "50")
    assert weight_of(FORMATS["folded"].loads(path.read_bytes()), "three_quarters") > 0


def test_children_that_are_gone_before_the_drain_have_names(busy: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.folded"
    script = f"for i in 1 2 3 4 5; do {busy} 50; done"
    record("-F", "999", "-o", path, "--", "sh", "-c", script)
    profile = FORMATS["folded"].loads(path.read_bytes())
    assert weight_of(profile, "three_quarters") + weight_of(profile, "one_quarter") > 0.5


DISTRIBUTION = {
    "openssl": ["speed", "-seconds", "1", "-bytes", "1024", "sha256", "aes-256-cbc"],
    "gcc": ["-O2", "-x", "c", "-o", "/dev/null", "-c", "SOURCE"],
    "/usr/bin/python3": [
        "-c",
        "import json\nfor i in range(600): json.loads(json.dumps([{'a': j} for j in range(3000)]))",
    ],
}


@pytest.mark.kernel
@pytest.mark.parametrize("program", DISTRIBUTION)
def test_a_distributions_programs_have_whole_stacks(program: str, tmp_path: Path) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    source, output = tmp_path / "many.c", tmp_path / "out.folded"
    body = "int s=0; for (int j=0; j<a; j++) { s += j*%d; if (s & %d) s ^= a; } return s;"
    lines = [f"int f{i}(int a) {{ {body % (i, i)} }}" for i in range(1500)]
    source.write_text("\n".join(lines))
    arguments = [str(source) if one == "SOURCE" else one for one in DISTRIBUTION[program]]
    ran = record("-F", "499", "-o", output, "--", program, *arguments)
    assert ran.returncode == 0, ran.stderr
    profile = FORMATS["folded"].loads(output.read_bytes())
    cut = sum(
        samples
        for stack, samples, _ in profile.stacks()
        if any(frame.function.startswith("[truncated: ") for frame in stack)
    )
    assert profile.total_samples > 30
    assert cut <= 0.05 * profile.total_samples
