"""What `profiler up` shows is what the program does."""

from pathlib import Path

import pytest

from tests.end_to_end.conftest import get, started
from tests.processes import eventually, free_address, running

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("loader", ["libbpf", "bcc"])
def test_time_spent_3_to_1_is_shown_as_75_percent(loader: str, split: Path, tmp_path: Path) -> None:
    http, log = free_address(), tmp_path / "log"
    arguments = ["--http", http, "--grpc", free_address(), "--loader", loader]
    arguments += ["--frequency", "499", "--interval", "2s"]
    arguments += ["--database", f"sqlite:///{tmp_path}/p.db"]

    def shares() -> dict[str, float] | None:
        top = get(http, "top", query='cpu{process_executable_name="split"}')
        if top["total"]["samples"] < 2500:  # their share has a standard error of 0.9 points
            return None
        rows = top["functions"]
        return {row["function"]: row["self"] / top["total"]["value"] for row in rows}

    with started(split), started(split), running("up", *arguments, log=log, cwd=tmp_path):
        found = eventually(shares, "samples of the two programs", log)
    assert found["three_quarters"] == pytest.approx(0.75, abs=0.045)
    assert found["one_quarter"] == pytest.approx(0.25, abs=0.045)
