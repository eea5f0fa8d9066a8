"""What the collector keeps of the capabilities that it is started with, and what it does then."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector import privileges
from collector.privileges import (
    AS_ROOT,
    BPF,
    CHECKPOINT_RESTORE,
    DAC_READ_SEARCH,
    NEEDED,
    PERFMON,
    SETUID,
    SYS_ADMIN,
    SYS_PTRACE,
    SYSLOG,
    Capability,
    mask,
)
from profiler import wire
from profiler.model import Kind
from tests.processes import eventually

ROOT = Path(__file__).parents[2]
USER, OTHER = 64_001, 64_002
SPLIT = ROOT / "tests" / "collector" / "kernel" / "programs" / "split.c"


def with_only(capabilities: Iterable[Capability], user: int = USER) -> list[str]:
    """What a command is started with so that it is this user, with just these."""
    setpriv = shutil.which("setpriv") or pytest.skip("setpriv (util-linux) is not installed")
    names = ["-all", *(f"+{one.name[4:].lower()}" for one in capabilities)]
    who = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    sets = [f"--{one}={','.join(names)}" for one in ("inh-caps", "ambient-caps", "bounding-set")]
    prefix = [setpriv, *who, *sets]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("this is not root with all of these capabilities")
    return prefix


def status_of(pid: int | str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def printed(prefix: list[str], code: str) -> list[int]:
    """The numbers that `code` prints in hexadecimal digits, where it can start `shown`, which
    prints the capabilities of a child."""
    shown = "shown = ['grep', '-h', '-o', '^CapEff.*', '/proc/self/status']"
    code = f"import subprocess\nfrom collector import privileges as p\n{shown}\n{code}"
    command = [*prefix, sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return [int(line.split()[-1], 16) for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    ("last", "names"),
    [
        (40, [one.name for one in NEEDED]),
        (39, [one.name for one in NEEDED if one is not CHECKPOINT_RESTORE]),
        (37, ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYSLOG"]),
    ],
    ids=["5.9", "5.8", "4.9"],
)
def test_older_kernels_need_what_they_know(last: int, names: list[str]) -> None:
    assert [one.name for one in privileges.needed(last)] == names


@pytest.mark.parametrize(
    ("held", "kept"),
    [
        ((1 << 41) - 1, mask(NEEDED)),
        (mask((BPF, SYSLOG, SETUID)), mask((BPF, SYSLOG))),
        (mask((SYS_ADMIN, SYS_PTRACE)), mask((SYS_ADMIN, SYS_PTRACE))),
        (
            mask((SYS_ADMIN, BPF, PERFMON, CHECKPOINT_RESTORE)),
            mask(NEEDED) & ~mask((SYS_PTRACE, DAC_READ_SEARCH, SYSLOG)),
        ),
        (0, 0),
    ],
)
def test_what_is_kept_serves(held: int, kept: int) -> None:
    assert privileges.to_keep(held, NEEDED) == kept


def test_a_child_has_nothing_but_what_is_passed_on() -> None:
    code = """
p.give_up_others()
subprocess.run(shown)
with p.passed_on(p.SYS_PTRACE, p.SYS_ADMIN):
    subprocess.run(shown)
subprocess.run(shown)
print(f"{p._capabilities()[0]:x}")
"""
    before, passed, after, own = printed(with_only(NEEDED), code)
    assert before == after == 0
    assert passed == mask((SYS_PTRACE,)), "CAP_SYS_ADMIN we have not"
    assert own == mask(NEEDED)


def test_roots_children_have_no_more_than_it_kept() -> None:
    code = "p.give_up_others()\nsubprocess.run(shown)\nprint(f'{p._capabilities()[0]:x}')"
    child, own = printed([], code)
    assert child == own == mask((*NEEDED, *AS_ROOT))


@pytest.mark.parametrize("user", [0, USER], ids=["root", "another user"])
def test_the_children_that_read_files_have_nothing(user: int, c_program: Path) -> None:
    code = f"""
import os
from pathlib import Path
from collector.symbols.builder import Builder as Symbols
from collector.unwind.builder import Builder as Tables
from profiler.clock import SystemClock
p.give_up_others()
with Symbols() as symbols, Tables(None, SystemClock()) as tables:
    file = os.open({str(c_program)!r}, os.O_RDONLY)
    symbols.build(file)
    tables.submit("", file)
    while not [*tables.answers()]:
        os.sched_yield()
    for pid in (symbols.child_pid, tables.child_pid):
        status = Path(f"/proc/{{pid}}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs", "Uid"):
            print(hex(int(fields[name].split()[0], 10 if name == "Uid" else 16)))
        print(hex(int(Path(f"/proc/{{pid}}/oom_score_adj").read_text())))
"""
    prefix = with_only((*NEEDED, *AS_ROOT) if user == 0 else NEEDED, user)
    of_symbols, of_tables = (lambda said: (said[:7], said[7:]))(printed(prefix, code))
    assert of_symbols == [0, 0, 0, 0, 1, user or 65534, 1000]
    assert of_tables == [0, 0, 0, 0, 1, user, 1000]


@contextmanager
def hidden_program(folder: Path) -> Iterator[None]:
    """Another user's, who lets nobody read it and has removed it since."""
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed")
    folder.mkdir()
    program = folder / "hidden"
    subprocess.run([compiler, "-O1", "-o", program, SPLIT], check=True)
    program.chmod(0o500)
    folder.chmod(0o700)
    for path in (program, folder):
        os.chown(path, OTHER, OTHER)
    with subprocess.Popen([*with_only((), OTHER), program]) as process:
        eventually(lambda: "hidden" in status_of(process.pid)["Name"] or None, "it runs")
        program.unlink()
        try:
            yield
        finally:
            process.kill()


@contextmanager
def collecting(
    capabilities: Iterable[Capability], home: Path
) -> Iterator[tuple[subprocess.Popen[bytes], Path, Path]]:
    """A collector of USER's with these, the recording that it writes, and what it says."""
    home.mkdir()
    os.chown(home, USER, USER)
    for folder in home.parents[:3]:  # pytest's are the user's own
        folder.chmod(0o755)
    recording, log = home / "samples.pb", home / "log"
    command = [sys.executable, "-m", "profiler", "collect", "--to", str(recording)]
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [*with_only(capabilities), *command, "--interval", "2s"],
            env={
                **os.environ,
                "HOME": str(home),
                "XDG_CACHE_HOME": str(home),
                "PYTHONPATH": str(ROOT),
            },
            cwd=home,
            stderr=said,
        ) as process,
    ):
        try:
            yield process, recording, log
        finally:
            process.send_signal(signal.SIGTERM)


def frames_in(recording: Path, service: str) -> list[tuple[str, ...]]:
    """The stacks of a program."""
    with recording.open("rb") as file:
        drains = list(map(wire.decode, wire.read_batches(file)))
    return [
        tuple(frame.function for frame in stack)
        for drain in drains
        for profile in drain.profiles
        if dict(profile.labels)["process_executable_name"] == service
        for stack, _, _ in profile.stacks()
    ]


@pytest.mark.kernel
def test_with_just_these_another_users_stacks_are_whole_and_named(tmp_path: Path) -> None:
    whole = ("_start", "main", "three_quarters")

    def found() -> bool | None:
        time.sleep(1)  # the machine's CPUs are the collector's to use, and it comes last
        stacks = frames_in(recording, "hidden") if recording.exists() else []
        return any(set(whole) <= set(stack) for stack in stacks) or None

    with (
        hidden_program(tmp_path / "other"),
        collecting((*NEEDED, SYS_ADMIN), tmp_path / "home") as (process, recording, _),
    ):
        eventually(found, "a whole stack with names")
        threads = [path.name for path in Path(f"/proc/{process.pid}/task").iterdir()]
        of_threads = [status_of(f"{process.pid}/task/{thread}") for thread in threads]
        nice = os.getpriority(os.PRIO_PROCESS, process.pid)
        policy = os.sched_getscheduler(process.pid)
        score = Path(f"/proc/{process.pid}/oom_score_adj").read_text()
    assert process.returncode == 0
    assert len(threads) > 1
    for status in of_threads:
        assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [
            *(mask(NEEDED), mask(NEEDED)),
            *(0, 0),
        ]
        assert status["NoNewPrivs"] == "1"
    assert (nice, policy, int(score)) == (5, os.SCHED_BATCH, 500)
    with recording.open("rb") as file:
        kernel = {
            frame.function
            for drain in map(wire.decode, wire.read_batches(file))
            for profile in drain.profiles
            for frame in profile.frames
            if frame.kind == Kind.KERNEL
        }
    assert kernel and not any(name.startswith("[unknown]") for name in kernel)


@pytest.mark.kernel
def test_what_is_missing_is_said_at_the_start_with_what_it_is_for(tmp_path: Path) -> None:
    without = (SYS_PTRACE, CHECKPOINT_RESTORE, SYSLOG)
    given = [one for one in NEEDED if one not in without]
    with collecting(given, tmp_path / "home") as (_, _, log):
        eventually(lambda: "profiler: sampling " in log.read_text() or None, "it samples")
    said = log.read_text()
    for one in without:
        assert f"profiler: without {one.name}, for {one.purpose}: {one.lacking}\n" in said
    for one in given:
        assert one.name not in said


@pytest.mark.kernel
@pytest.mark.parametrize("one", [BPF, PERFMON], ids=lambda one: str(one.name))
def test_without_an_essential_one_it_does_not_begin(one: Capability, tmp_path: Path) -> None:
    given = [other for other in NEEDED if other is not one]
    with collecting(given, tmp_path / "home") as (process, _, log):
        process.wait(60)
    assert process.returncode == 1
    (line,) = log.read_text().splitlines()
    assert one.name in line
