"""Samples counted in the kernel = samples stored + samples lost by cause, to the last one."""

import re
from pathlib import Path

import pytest

from tests.end_to_end.conftest import get, started
from tests.processes import answers, eventually, free_address, running

SOURCES = [
    pytest.param(["--interval", "1s"], id="live", marks=pytest.mark.kernel),
    pytest.param(["--recorded", "demo"], id="recorded"),
]
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/p.db"
    created: str = request.getfixturevalue("postgres").create_database()
    return created


@pytest.mark.parametrize("source", SOURCES)
def test_every_sample_taken_is_shown(
    source: list[str], database: str, split: Path, tmp_path: Path
) -> None:
    http, grpc = free_address(), free_address()
    serve = ["serve", "--http", http, "--grpc", grpc, "--database", database]
    collect = ["collect", "--server", grpc, "--spool", str(tmp_path / "spool"), *source]
    log, said = tmp_path / "serve.log", tmp_path / "collect.log"

    def enough() -> bool | None:
        return True if get(http, "top", query="cpu")["total"]["samples"] >= 500 else None

    with running(*serve, log=log, cwd=tmp_path), started(split):
        eventually(lambda: answers(f"http://{http}/readyz"), "the server is ready", log)
        with running(*collect, log=said, cwd=tmp_path):
            eventually(enough, "500 samples", said)
        shown = get(http, "flamegraph", query="cpu")
        functions = get(http, "top", query="cpu")["functions"]
        threads = get(http, "series", query="cpu")["series"]

    # The collector's last word is its count of what the kernel program took.
    counted = re.search(r"taken ([\d,]+) samples, 0 of them lost", said.read_text())
    assert counted, said.read_text()
    taken = int(counted[1].replace(",", ""))
    assert shown["accounts"] == {"taken": taken, "stored": taken, "losses": []}
    assert shown["total"]["samples"] == shown["nodes"]["samples"][0] == taken
    assert sum(series["samples"] for series in threads) == taken
    assert sum(row["self_samples"] for row in functions) <= taken
