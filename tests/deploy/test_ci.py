"""deploy/ci/: the script on a real repository, and the files of CI systems as far as we can."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI = ROOT / "deploy" / "ci"
SOURCE = ROOT / "tests" / "end_to_end" / "regression.c"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, the second of which takes twice as long in one function."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed (apt-get install gcc)")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    shutil.copy(SOURCE, folder)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "before")
    text = (folder / SOURCE.name).read_text()
    (folder / SOURCE.name).write_text(text.replace("#define SLOWER 0", "#define SLOWER 100"))
    git(folder, "commit", "-qam", "after")
    return folder


@pytest.mark.kernel
def test_the_script_fails_where_a_commit_is_slower_and_leaves_reports(repository: Path) -> None:
    environment = os.environ | {
        "BUILD": f"gcc -O1 -fno-omit-frame-pointer -o program {SOURCE.name}",
        "RUN": "./program 2000",
        "REPEAT": "4",
        "FREQUENCY": "1999",
        "CHECK": "--fail 'self:p.*>+5%'",
        "PROFILER": str(Path(sys.executable).with_name("profiler")),
    }
    command: list[str | Path] = ["sh", CI / "gate.sh"]
    done = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["self", "parse"]
    results = repository / "profiler-results"
    assert {path.name for path in results.iterdir() if path.is_file()} == {
        "check.md",
        "check.xml",
        "check.sarif",
        "check.annotations",
        "difference.svg",
    }
    worktrees = subprocess.run(
        ["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert len(worktrees.stdout.splitlines()) == 1


def gate(folder: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", CI / "gate.sh"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RUN": "true", "PROFILER": "false"}, "run 1 of the baseline failed with 1: true"),
        ({"RUN": "true", "BUILD": "exit 3"}, "the baseline cannot be built: exit 3"),
        ({"RUN": "true", "BASELINE": "nowhere"}, "no commit nowhere to compare with"),
    ],
)
def test_what_fails_before_the_check_is_no_verdict(
    repository: Path, environment: dict[str, str], message: str
) -> None:
    code, error = gate(repository, **environment)
    assert code == 2
    assert message in error


def test_a_clone_without_its_history_says_how_to_get_it(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    code, error = gate(tmp_path / "shallow", RUN="true")
    assert code == 2
    assert "fetch-depth: 0" in error


def test_what_is_inconclusive_stops_nobody_unless_asked() -> None:
    steps = yaml.safe_load((CI / "github" / "action.yml").read_text())["runs"]["steps"]
    (flags,) = (step["env"]["CHECK"] for step in steps if "CHECK" in step.get("env", {}))
    assert flags.startswith("--inconclusive pass ")


def test_the_action_passes_all_of_its_inputs_on() -> None:
    action = yaml.safe_load((CI / "github" / "action.yml").read_text())
    text = str(action["runs"])
    assert all(f"inputs.{name}" in text for name in action["inputs"])
    assert all("shell" in step for step in action["runs"]["steps"] if "run" in step)


def test_the_snippet_of_gitlab_keeps_what_the_script_writes() -> None:
    job = yaml.safe_load((CI / "gitlab.yml").read_text())[".profiler-check"]
    assert job["artifacts"]["paths"] == [job["variables"]["RESULTS"]]
    assert job["artifacts"]["reports"]["junit"] == f"{job['variables']['RESULTS']}/check.xml"
    assert job["allow_failure"] == {"exit_codes": [3]}
